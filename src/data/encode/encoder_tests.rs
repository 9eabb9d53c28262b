//! Tests of the encoder, on tokenizers small enough to follow by hand.

use super::*;
use crate::data::reason::DropReason;
use crate::model::Message;
use crate::model::{ByteTokenizer, PlainTemplate};

/// Bytes, with a beginning of sequence.
struct WithBos;

impl Tokenizer for WithBos {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        ByteTokenizer.encode(text)
    }
    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        ByteTokenizer.decode(tokens)
    }
    fn vocab_size(&self) -> usize {
        259
    }
    fn bos(&self) -> Option<u32> {
        Some(258)
    }
    fn eos(&self) -> u32 {
        256
    }
    fn pad(&self) -> u32 {
        256
    }
}

fn one(
    max_length: usize,
    max_prompt: usize,
    prompt: &str,
    completion: &str,
) -> Encoded<TokenizedSft> {
    let encoder = Encoder::new(&WithBos, &PlainTemplate, max_length);
    let encoder = encoder.with_max_prompt_length(max_prompt);
    encoder
        .encode_sft(&[SftExample::new(prompt, completion)])
        .unwrap()
}

#[test]
fn a_long_completion_keeps_its_end() {
    let encoded = one(6, 9, "ab", "cdefgh");
    assert_eq!(encoded.examples[0].prompt, [258, 97, 98]);
    assert_eq!(encoded.examples[0].completion, [99, 100, 256]);
    assert_eq!(encoded.report.truncated_completions, 1);
}

#[test]
fn a_long_prompt_keeps_its_beginning_of_sequence_and_its_end() {
    let encoded = one(9, 3, "abcde", "x");
    assert_eq!(encoded.examples[0].prompt, [258, 100, 101]);
    assert_eq!(encoded.examples[0].completion, [120, 256]);
    assert_eq!(encoded.report.truncated_prompts, 1);
}

#[test]
fn what_has_no_completion_left_is_dropped_and_counted() {
    for (encoded, reason) in [
        (one(4, 3, "abcde", "xyz"), DropReason::NoRoom),
        (one(9, 9, "ab", " \n"), DropReason::EmptyCompletion),
        (one(1, 0, "ab", "c"), DropReason::EmptyPrompt),
    ] {
        assert!(encoded.examples.is_empty());
        assert_eq!(encoded.report.dropped[&reason], 1);
    }
}

#[test]
fn an_empty_text_still_has_the_beginning_of_sequence_as_context() {
    assert_eq!(one(9, 8, "", "c").examples[0].prompt, [258]);
    let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 9);
    let encoded = encoder.encode_sft(&[SftExample::new("", "c")]).unwrap();
    assert_eq!(encoded.report.dropped[&DropReason::EmptyPrompt], 1);
}

#[test]
fn conversations_go_through_the_template() {
    let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 99);
    let prompt = vec![Message::new("user", "a")];
    let encoded = encoder.encode_sft(&[SftExample::new(prompt, "b")]).unwrap();
    let text = |ids: &[u32]| ByteTokenizer.decode(ids).unwrap();
    assert_eq!(
        text(&encoded.examples[0].prompt),
        "\n\nHuman: a\n\nAssistant:"
    );
    assert_eq!(text(&encoded.examples[0].completion), " b");
    assert_eq!(encoded.examples[0].completion.last(), Some(&256));
}

/// Bytes, but "ab" is one token.
struct Merging;

impl Tokenizer for Merging {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        ByteTokenizer.encode(&text.replace("ab", "\u{1}"))
    }
    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        ByteTokenizer.decode(tokens)
    }
    fn vocab_size(&self) -> usize {
        258
    }
    fn bos(&self) -> Option<u32> {
        None
    }
    fn eos(&self) -> u32 {
        256
    }
    fn pad(&self) -> u32 {
        257
    }
}

#[test]
fn a_prompt_has_the_same_ids_whatever_follows() {
    let encoder = Encoder::new(&Merging, &PlainTemplate, 9);
    let rows = ["b", "c"].map(|completion| SftExample::new("xa", completion));
    let examples = encoder.encode_sft(&rows).unwrap().examples;
    assert!(examples.iter().all(|e| e.prompt == [120, 97]));
    assert_eq!(examples[0].completion, [98, 256]);
}

#[test]
fn both_completions_of_a_pair_share_the_prompt() {
    let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 5);
    let pair = PreferenceExample::new("ab", "c", "defg");
    let encoded = encoder.encode_preferences(&[pair]).unwrap();
    assert_eq!(encoded.examples[0].chosen, [99, 256]);
    assert_eq!(encoded.examples[0].rejected, [100, 101, 256]);
    assert_eq!(encoded.report.kept, 1);
}
