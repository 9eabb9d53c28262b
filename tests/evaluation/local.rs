//! A model of this process as a subject.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use burn_kto::eval::*;
use burn_kto::prelude::*;

fn tiny() -> (Llama, Device) {
    let device = Device::flex();
    (LlamaConfig::new(258, 32, 2, 4).init(3, &device), device)
}

fn ids(text: &str) -> Vec<u32> {
    ByteTokenizer.encode(text).unwrap()
}

/// From the logits, one row at a time: another way than the subject takes.
fn log_prob(model: &Llama, context: &str, continuation: &str, device: &Device) -> f64 {
    let (before, after) = (ids(context), ids(continuation));
    let all = [before.clone(), after.clone()].concat();
    let rows: [(&[u32], &[u32]); 1] = [(&all, &[])];
    let tokens = Sequences::padded(rows, 0, device).tokens;
    let logits: Vec<f64> = model.logits(tokens).into_data().iter::<f64>().collect();
    let rows: Vec<&[f64]> = logits.chunks(258).collect();
    let score = |at: usize| {
        let max = rows[at].iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = rows[at].iter().map(|x| (x - max).exp()).sum();
        rows[at][all[at + 1] as usize] - max - sum.ln()
    };
    (before.len() - 1..all.len() - 1).map(score).sum()
}

#[test]
fn choices_get_the_log_probabilities_of_their_continuations() {
    let (model, device) = tiny();
    let choice = |context: &str| Choice {
        contexts: vec![context.into()],
        continuations: vec![" A".into(), " B".into(), " longer".into()],
    };
    let choices = [choice("a question of some length?"), choice("short")];
    let answers: Vec<Vec<LogProbs>> = [4096, 40, 1]
        .into_iter()
        .map(|tokens| {
            let subject =
                LocalModel::new(&model, &ByteTokenizer, 64, &device).with_batch_tokens(tokens);
            subject.answer(&choices).unwrap()
        })
        .collect();
    for answers in &answers {
        for (choice, answer) in choices.iter().zip(answers) {
            for (continuation, got) in choice.continuations.iter().zip(&answer.log_probs) {
                let expected = log_prob(&model, &choice.contexts[0], continuation, &device);
                assert!((got - expected).abs() < 1e-4, "{got} {expected}");
            }
        }
    }
}

/// Makes all weights NaN.
struct Broken;

impl ModuleMapper for Broken {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weights| weights * f32::NAN)
    }
}

#[test]
fn a_broken_model_is_an_error_and_not_a_score() {
    let (model, device) = tiny();
    let model = model.map(&mut Broken);
    let subject = LocalModel::new(&model, &ByteTokenizer, 64, &device);
    let choice = Choice {
        contexts: vec!["a".into()],
        continuations: vec![" A".into(), " B".into()],
    };
    let error = subject.answer(&[choice]).unwrap_err().to_string();
    assert_eq!(error, "a log-probability is NaN: is the model broken?");
}

#[test]
fn spaces_at_the_end_of_a_context_are_predicted() {
    let (model, device) = tiny();
    let subject = LocalModel::new(&model, &ByteTokenizer, 64, &device);
    let choice = Choice {
        contexts: vec!["Answer: ".into()],
        continuations: vec!["A".into()],
    };
    let got = subject.answer(&[choice]).unwrap()[0].log_probs[0];
    assert!((got - log_prob(&model, "Answer:", " A", &device)).abs() < 1e-4);
}

#[test]
fn the_first_context_that_has_room_is_used_and_the_last_is_cut() {
    let (model, device) = tiny();
    let subject = LocalModel::new(&model, &ByteTokenizer, 16, &device);
    let ask = |contexts: &[&str]| {
        let choice = Choice {
            contexts: contexts.iter().map(ToString::to_string).collect(),
            continuations: vec![" A".into(), " B".into()],
        };
        subject.answer(&[choice]).unwrap().remove(0)
    };
    let answer = ask(&["far too long for this model", "fourteen chars", "short"]);
    assert_eq!((answer.context, answer.truncated), (1, false));
    let cut = ask(&["and this is fourteen chars"]);
    assert_eq!((cut.context, cut.truncated), (0, true));
    assert!((cut.log_probs[0] - log_prob(&model, "fourteen chars", " A", &device)).abs() < 1e-4);
    let nothing = Choice {
        contexts: vec!["a".into()],
        continuations: vec![],
    };
    assert!(subject.answer(&[nothing]).is_err());
}

#[test]
fn a_shared_beginning_changes_nothing() {
    let (model, _) = tiny();
    let start: String = "an example that all of the prompts share, worked out in full. ".repeat(2);
    let prompts: Vec<Vec<u32>> = ["one", "two and more", "six", ""]
        .iter()
        .map(|end| ids(&format!("{start}{end}")))
        .collect();
    let config = GenerationConfig::new().with_max_new_tokens(24);
    let together = model.generate(&prompts, &config).unwrap();
    for (prompt, together) in prompts.iter().zip(&together) {
        let alone = model
            .generate(std::slice::from_ref(prompt), &config)
            .unwrap();
        assert_eq!(alone[0], *together);
    }
    let twice = model
        .generate(&[prompts[0].clone(), prompts[0].clone()], &config)
        .unwrap();
    assert_eq!(twice, [together[0].clone(), together[0].clone()]);
}

#[test]
fn texts_end_before_their_stops_and_are_not_written_further() {
    let (model, device) = tiny();
    let config = GenerationConfig::new().with_max_new_tokens(40);
    let whole = model.generate(&[ids("Hello")], &config).unwrap().remove(0);
    // Every row ends on its own.
    let ends = [7, 3];
    let done = |row: usize, tokens: &[u32]| tokens.len() == ends[row];
    let rows = model
        .generate_until(&[ids("Hello"), ids("World")], &config, &done)
        .unwrap();
    assert_eq!(rows[0], whole[..7]);
    assert_eq!(rows[1].len(), 3);

    let subject = LocalModel::new(&model, &ByteTokenizer, 128, &device).with_stop_tokens(&[]);
    let text = ByteTokenizer.decode(&whole).unwrap();
    let tail: String = text.chars().skip(4).take(2).collect();
    let end = text.find(&tail).unwrap();
    let request = Completion::greedy("Hello", &[&tail], 40);
    let answer = subject
        .answer(std::slice::from_ref(&request))
        .unwrap()
        .remove(0);
    assert_eq!(answer.texts, [&text[..end]]);
    // With its first token as the end of a sequence nothing is left of it.
    let ended = subject.clone().with_stop_tokens(&whole[..1]);
    assert_eq!(
        ended.answer(std::slice::from_ref(&request)).unwrap()[0].texts,
        [""]
    );
    // A prompt that leaves no room loses its beginning.
    let long = Completion {
        prompt: "x".repeat(200),
        ..request
    };
    assert!(subject.answer(&[long]).unwrap()[0].truncated);
}

#[test]
fn draws_repeat_by_seed_and_differ_by_sample() {
    let (model, device) = tiny();
    let subject = LocalModel::new(&model, &ByteTokenizer, 128, &device);
    let request = Completion {
        samples: 3,
        temperature: 1.0,
        ..Completion::greedy("Hello", &[], 16)
    };
    let other = Completion {
        seed: 1,
        ..request.clone()
    };
    let answers = subject.answer(&[request.clone(), other]).unwrap();
    assert_eq!(answers[0], subject.answer(&[request]).unwrap()[0]);
    assert_ne!(answers[0], answers[1]);
    assert!(answers[0].texts[0] != answers[0].texts[1] && answers[0].texts.len() == 3);
}

#[test]
fn a_chat_template_wraps_the_prompt() {
    let (model, device) = tiny();
    let plain = LocalModel::new(&model, &ByteTokenizer, 128, &device);
    let chat = plain.clone().with_chat(&PlainTemplate);
    let asked = chat.answer(&[Completion::greedy("Hi", &[], 8)]).unwrap();
    let same = Completion::greedy("\n\nHuman: Hi\n\nAssistant:", &[], 8);
    assert_eq!(asked, plain.answer(&[same]).unwrap());
}

/// Bytes behind a beginning of sequence, 257.
struct WithBos;

impl Tokenizer for WithBos {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        match text.strip_prefix("<s>") {
            Some(rest) => Ok([vec![257], ids(rest)].concat()),
            None => Ok(ids(text)),
        }
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        ByteTokenizer.decode(tokens)
    }

    fn vocab_size(&self) -> usize {
        ByteTokenizer.vocab_size()
    }

    fn bos(&self) -> Option<u32> {
        Some(257)
    }

    fn eos(&self) -> u32 {
        ByteTokenizer.eos()
    }

    fn pad(&self) -> u32 {
        ByteTokenizer.pad()
    }
}

#[test]
fn a_beginning_of_sequence_that_a_template_wrote_is_not_written_twice() {
    let (model, device) = tiny();
    let subject = LocalModel::new(&model, &WithBos, 64, &device);
    let answer = |context: &str| {
        let contexts = vec![context.into()];
        let continuations = vec![" A".into()];
        subject
            .answer(&[Choice {
                contexts,
                continuations,
            }])
            .unwrap()
    };
    assert_eq!(answer("<s>Which?"), answer("Which?"));
}

#[test]
fn an_answer_that_leaves_no_room_for_its_prompt_is_refused() {
    let (model, device) = tiny();
    let subject = LocalModel::new(&model, &ByteTokenizer, 32, &device);
    let error = subject
        .answer(&[Completion::greedy("What?", &[], 32)])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "max_tokens must leave room for a prompt in the longest sequence, got 32 of 32"
    );
    assert!(
        subject
            .answer(&[Completion::greedy("What?", &[], 31)])
            .is_ok()
    );
}

#[test]
fn records_of_a_model_without_numbers_are_read_again() {
    let answer = LogProbs {
        log_probs: vec![-1.5, f64::NAN, f64::NEG_INFINITY],
        context: 0,
        truncated: false,
    };
    let text = serde_json::to_string(&answer).unwrap();
    let read: LogProbs = serde_json::from_str(&text).unwrap();
    assert_eq!(read.log_probs[0], -1.5);
    assert!(read.log_probs[1].is_nan() && read.log_probs[2].is_nan());
}
