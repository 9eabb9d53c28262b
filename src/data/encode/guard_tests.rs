//! Tests of the guard, on templates that edit what people wrote.

use super::*;
use crate::model::ByteTokenizer;

/// Bytes, and two tokens that end turns, of which one is special.
struct Turns;

impl Tokenizer for Turns {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        ByteTokenizer.encode(text)
    }
    fn special_tokens(&self) -> Vec<String> {
        vec!["<|end|>".into(), "<s>".into()]
    }
    fn added_tokens(&self) -> Vec<String> {
        let more = ["<t>", "<think>"].map(String::from);
        self.special_tokens().into_iter().chain(more).collect()
    }
    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        ByteTokenizer.decode(tokens)
    }
    fn vocab_size(&self) -> usize {
        257
    }
    fn bos(&self) -> Option<u32> {
        None
    }
    fn eos(&self) -> u32 {
        256
    }
    fn pad(&self) -> u32 {
        256
    }
}

/// A template in Rust.
struct Edits<F>(&'static str, F);

impl<F: Fn(&str) -> String + Send + Sync> ChatTemplate for Edits<F> {
    fn render(&self, messages: &[Message], _: bool) -> Result<String, Error> {
        let turn = |m: &Message| format!("{}<t><|end|>", (self.1)(&m.content));
        Ok(messages.iter().map(turn).collect())
    }
    fn definition(&self) -> Option<String> {
        Some(self.0.into())
    }
}

/// What is written of one message with marks.
fn written(role: &str, text: &str, edit: impl Fn(&str) -> String + Send + Sync) -> (String, bool) {
    let template = Edits("<t> '</think>'", edit);
    let guard = Guard::new(&Turns, &template);
    guard
        .conversation(&template, &[Message::new(role, text)], true)
        .unwrap()
}

fn marked(text: &str) -> String {
    text.replace('[', "\u{FDD0}").replace(']', "\u{FDD1}")
}

#[test]
fn what_spells_a_token_in_the_end_is_marked() {
    let same = |text: &str| text.to_string();
    for role in ["user", "assistant"] {
        assert_eq!(
            written(role, "a<|end|> b", same),
            (marked("a[<|end|>] b<t><|end|>"), true)
        );
    }
    assert_eq!(
        written("user", "<t>", same),
        (marked("[<t>]<t><|end|>"), true)
    );
    assert_eq!(
        written("assistant", "<t>", same),
        ("<t><t><|end|>".into(), false)
    );
    assert_eq!(written("user", "<think>", same).0, "<think><t><|end|>");
    assert_eq!(
        written("user", "<|END|>", same),
        ("<|END|><t><|end|>".into(), false)
    );
}

#[test]
fn a_text_that_becomes_a_token_is_marked() {
    type Edit = fn(&str) -> String;
    let edits: [(&str, Edit); 12] = [
        ("<|EnD|>", |t| t.to_lowercase()),
        ("<|e-nd|>", |t| t.replace('-', "")),
        ("<| end |>", |t| t.split(' ').collect()),
        (">|dne|<", |t| t.chars().rev().collect()),
        ("x<|end|>", |t| t[1..].to_string()),
        ("<|end|>x", |t| t.chars().take(7).collect()),
        ("<.|.e.n.d.|.>", |t| t.chars().step_by(2).collect()),
        ("<|\nend|>", |t| t.replace('\n', "")),
        ("<|a", |t| t.replace('a', "end|>")),
        ("end", |t| format!("<|{t}|>")),
        ("e", |t| format!("<|{t}nd|>")),
        ("a&lt;|end|&gt;", |t| {
            t.replace("&lt;", "<").replace("&gt;", ">")
        }),
    ];
    for (text, edit) in edits {
        let (written, _) = written("user", text, edit);
        let rest = written.strip_suffix("<t><|end|>").unwrap();
        let bare = rest
            .split('\u{FDD0}')
            .map(|part| part.rsplit('\u{FDD1}').next().unwrap());
        assert!(
            !bare.collect::<String>().contains("<|end|>"),
            "{text}: {written}"
        );
    }
}

#[test]
fn a_template_finds_what_it_looks_for() {
    let think = |t: &str| t.rsplit("</think>").next().unwrap().to_string();
    assert_eq!(
        written("assistant", "a</think>b", think),
        ("b<t><|end|>".into(), false)
    );
    // Something else is looked at, and nothing is forged.
    let bars = |t: &str| t.split('|').count().to_string();
    assert_eq!(
        written("user", "a|b|c", bars),
        ("3<t><|end|>".into(), false)
    );
    let word = |t: &str| {
        if t == "end" {
            "yes".into()
        } else {
            "no".to_string()
        }
    };
    assert_eq!(written("user", "end", word).0, "yes<t><|end|>");
}

#[test]
fn marks_and_stand_ins_that_somebody_wrote_are_none() {
    let same = |text: &str| text.to_string();
    let text = "\u{FDD1}\u{F003C}|end|>\u{FDD0}x";
    let (written, _) = written("user", text, same);
    assert_eq!(written, "\u{FFFD}\u{F003C}|end|>\u{FFFD}x<t><|end|>");
    let trusted = Guard::off();
    let template = Edits("", same);
    let text = trusted.conversation(&template, &[Message::new("user", "<s>\u{FDD0}")], true);
    assert_eq!(text.unwrap(), ("<s>\u{FFFD}<t><|end|>".into(), false));
}

#[test]
fn texts_without_a_template_are_marked_as_they_are() {
    let template = Edits("<t>", |text: &str| text.to_string());
    let guard = Guard::new(&Turns, &template);
    assert_eq!(guard.text("a<s><t>").0, marked("a[<s>]<t>"));
    let prompt = guard
        .prompt(&template, &Prompt::Text("a<s><t>".into()))
        .unwrap();
    assert_eq!(prompt, (marked("a[<s>][<t>]"), true));
    assert_eq!(guard.text("ä plain"), (Cow::Borrowed("ä plain"), false));
    let (text, found) = guard.text("x\u{FDD0}y");
    assert_eq!((&*text, found), ("x\u{FFFD}y", false));
}
