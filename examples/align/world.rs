//! A small world with a verifiable notion of good and bad: a shop answers its customers.
//!
//! A prompt is a complaint such as `hello , my red kettle is broken .`; a reply is good if it is
//! polite, is about the thing that the customer named, and offers what helps with that problem. All
//! three can be checked by looking, so thumbs are given by rule. The demonstrations are what one
//! finds in the wild: some good replies, many rude, confused or useless ones.

use burn_kto::prelude::*;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;

const GREETINGS: [&str; 4] = ["", "hello , ", "hi , ", "good morning , "];
const KINDS: [&str; 6] = ["", "new ", "old ", "red ", "blue ", "small "];
const THINGS: [&str; 16] = [
    "kettle", "lamp", "jacket", "phone", "bike", "chair", "radio", "watch", "printer", "mug",
    "book", "table", "clock", "camera", "toaster", "bag",
];
/// What is wrong, and what helps.
const PROBLEMS: [(&str, &str); 8] = [
    ("is broken", "repair it today"),
    ("did not arrive", "find it today"),
    ("is too expensive", "lower the price"),
    ("has a scratch", "polish it for you"),
    ("is dirty", "clean it for you"),
    ("is the wrong size", "swap it for you"),
    ("makes a noise", "oil it for you"),
    ("lost its cable", "send you a cable"),
];
const POLITE: [&str; 3] = [
    "sorry about your",
    "thank you for telling us about your",
    "we are very sorry about your",
];
const RUDE: [&str; 3] = [
    "who cares about your",
    "stop complaining about your",
    "nobody asked about your",
];

/// A customer's complaint.
#[derive(Clone, Debug)]
pub(crate) struct Complaint {
    pub(crate) text: String,
    thing: usize,
    problem: usize,
}

/// Complaints to train on and complaints about things and problems that training never saw
/// together.
pub(crate) fn complaints(seed: u64) -> (Vec<Complaint>, Vec<Complaint>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut all = Vec::new();
    for (greeting, kind) in GREETINGS.iter().flat_map(|g| KINDS.map(|k| (g, k))) {
        for (thing, problem) in
            (0..THINGS.len()).flat_map(|t| (0..PROBLEMS.len()).map(move |p| (t, p)))
        {
            let (name, what) = (THINGS[thing], PROBLEMS[problem].0);
            let text = format!("{greeting}my {kind}{name} {what} .");
            all.push(Complaint {
                text,
                thing,
                problem,
            });
        }
    }
    all.shuffle(&mut rng);
    // Two of the sixteen things are held out for each problem.
    let unseen = |c: &Complaint| (c.thing + 2 * c.problem).is_multiple_of(8);
    let (held_out, train) = all.into_iter().partition(unseen);
    (train, held_out)
}

impl Complaint {
    /// A reply as one finds them: good in one case of three, else with something wrong.
    pub(crate) fn reply_in_the_wild(&self, rng: &mut ChaCha8Rng) -> String {
        let good = rng.random_bool(1.0 / 3.0);
        let wrong = if good { 3 } else { rng.random_range(0..3) };
        let opening = if wrong == 0 { &RUDE } else { &POLITE };
        let opening = opening.choose(rng).unwrap_or(&POLITE[0]);
        let thing = if wrong == 1 {
            other(self.thing, THINGS.len(), rng)
        } else {
            self.thing
        };
        let problem = if wrong == 2 {
            other(self.problem, PROBLEMS.len(), rng)
        } else {
            self.problem
        };
        format!(
            "{opening} {} . we will {} .",
            THINGS[thing], PROBLEMS[problem].1
        )
    }

    /// How many of the three qualities a reply has: polite, about the right thing, of help. None,
    /// if it is not well-formed.
    pub(crate) fn qualities(&self, reply: &str) -> usize {
        let Some((opening, thing, help)) = parts(reply) else {
            return 0;
        };
        let polite = POLITE.contains(&opening);
        let on_topic = thing == THINGS[self.thing];
        let helpful = help == PROBLEMS[self.problem].1;
        usize::from(polite) + usize::from(on_topic) + usize::from(helpful)
    }

    /// Thumb up?
    pub(crate) fn likes(&self, reply: &str) -> bool {
        self.qualities(reply) == 3
    }
}

/// Is it a reply of this world, OPENING THING ` . we will ` HELP ` .`, whatever it says?
pub(crate) fn well_formed(reply: &str) -> bool {
    parts(reply).is_some()
}

/// Opening, thing and help of a reply, all of them known.
fn parts(reply: &str) -> Option<(&str, &str, &str)> {
    let (first, second) = reply.trim().split_once(" . we will ")?;
    let (opening, thing) = first.rsplit_once(' ')?;
    let help = second.strip_suffix(" .")?;
    let known = (POLITE.contains(&opening) || RUDE.contains(&opening))
        && THINGS.contains(&thing)
        && PROBLEMS.iter().any(|(_, known)| *known == help);
    known.then_some((opening, thing, help))
}

fn other(index: usize, len: usize, rng: &mut ChaCha8Rng) -> usize {
    (index + rng.random_range(1..len)) % len
}

/// `tokenizer.json` and `tokenizer_config.json` of a tokenizer with one id a word of this world.
pub(crate) fn tokenizer_files() -> (String, String) {
    let mut words: Vec<&str> = ["my", "we", "will", ".", ","].to_vec();
    let problems = PROBLEMS.iter().flat_map(|(what, help)| [*what, *help]);
    let texts = GREETINGS
        .iter()
        .chain(&KINDS)
        .chain(&THINGS)
        .chain(&POLITE)
        .chain(&RUDE);
    words.extend(
        texts
            .copied()
            .chain(problems)
            .flat_map(str::split_whitespace),
    );
    words.sort_unstable();
    words.dedup();
    let special = ["<unk>", "<s>", "</s>"];
    let vocab: serde_json::Map<String, serde_json::Value> = special
        .iter()
        .chain(&words)
        .enumerate()
        .map(|(id, word)| (word.to_string(), id.into()))
        .collect();
    let added = special.iter().enumerate().map(|(id, word)| {
        serde_json::json!({"id": id, "content": word, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true})
    });
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
    });
    let config = serde_json::json!({
        "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "add_bos_token": true,
        "tokenizer_class": "PreTrainedTokenizerFast",
    });
    (tokenizer.to_string(), config.to_string())
}

/// Prompt and reply as they are trained on.
pub(crate) fn prompt(complaint: &Complaint) -> Prompt {
    Prompt::from(format!("{} ", complaint.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_sentence_is_neither_well_formed_nor_liked() {
        let complaint = Complaint {
            text: "my clock has a scratch .".into(),
            thing: 12,
            problem: 3,
        };
        let good = "sorry about your clock . we will polish it for you .";
        assert!(well_formed(good) && complaint.likes(good));
        let rude = "who cares about your clock . we will polish it for you .";
        assert!(well_formed(rude) && complaint.qualities(rude) == 2);
        for salad in [
            "who complaining about your telling us about your clock . we will polish it for you .",
            "sorry about your sorry about your clock . we will polish it for you .",
            "sorry about your price . we will polish it for you .",
            "sorry about your clock . we will polish it today .",
            "sorry about your clock . we will polish it for you . we will polish it for you .",
            "sorry about your clock . we will polish it for you",
            "",
        ] {
            assert!(!well_formed(salad), "{salad}");
            assert_eq!(complaint.qualities(salad), 0, "{salad}");
        }
    }
}
