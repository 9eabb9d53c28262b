//! From text to token ids, within a length.

use super::example::{BinaryExample, PreferenceExample, Prompt, SftExample};
use super::guard::{Guard, encode};
use super::report::EncodeReport;
use super::tokenized::{TokenizedBinary, TokenizedPreference, TokenizedSft};
use crate::error::Error;
use crate::model::{ChatTemplate, Message, Tokenizer};

/// What an [`Encoder`] made of examples.
#[derive(Clone, Debug)]
pub struct Encoded<T> {
    /// Those that could be kept, in order.
    pub examples: Vec<T>,
    /// What became of the others.
    pub report: EncodeReport,
}

/// Turns examples into token ids.
///
/// - Prompt and completion are tokenized together, so that a tokenizer that puts a space before each text does not see the completion
///   as a new text. Where the end of the prompt would merge with the beginning of the completion, each is tokenized by itself: a prompt
///   has the same ids whatever follows, as when text is generated after it.
/// - A conversation is written by the chat template; the completion includes the marker that ends the assistant's turn.
/// - The completion ends with the end of the sequence, also when it had to be cut.
/// - What people wrote stays text, whatever it spells: texts of special tokens in prompts and completions do not become special tokens, so feedback
///   cannot forge a turn. Where the texts of the data are trusted and hold such marks on purpose, written by a template before:
///   [`with_special_tokens_in_text`](Self::with_special_tokens_in_text).
/// - A prompt that is too long loses its beginning, which is furthest from what is asked.
/// - An example of which no completion is left is dropped and counted.
///
/// ```
/// use burn_kto::prelude::*;
/// let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 8);
/// let encoded = encoder.encode_binary(&[BinaryExample::new("ab", "cd", true)]).unwrap();
/// assert_eq!(encoded.examples[0].completion, [99, 100, 256]);
/// ```
#[derive(Clone, Copy)]
pub struct Encoder<'a> {
    tokenizer: &'a dyn Tokenizer,
    template: &'a dyn ChatTemplate,
    max_length: usize,
    max_prompt_length: usize,
    trusted: bool,
}

impl std::fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("max_length", &self.max_length)
            .field("max_prompt_length", &self.max_prompt_length)
            .finish_non_exhaustive()
    }
}

/// A prompt and its completions.
type Row<const N: usize> = (Vec<u32>, [Vec<u32>; N]);

/// Why an example was dropped.
const NO_PROMPT: &str = "prompt is empty";
const NO_COMPLETION: &str = "completion is empty";
const NO_ROOM: &str = "no room for the completion";

impl<'a> Encoder<'a> {
    /// For sequences of at most `max_length` tokens, of which the prompt takes all but one at most.
    pub fn new(
        tokenizer: &'a dyn Tokenizer,
        template: &'a dyn ChatTemplate,
        max_length: usize,
    ) -> Self {
        Self {
            tokenizer,
            template,
            max_length,
            max_prompt_length: max_length.saturating_sub(1),
            trusted: false,
        }
    }

    /// Reads special tokens in prompts and completions as special tokens. Only for data that nobody else could write to.
    pub fn with_special_tokens_in_text(mut self) -> Self {
        self.trusted = true;
        self
    }

    /// With a tighter limit for prompts, so that completions keep room.
    pub fn with_max_prompt_length(mut self, max_prompt_length: usize) -> Self {
        self.max_prompt_length = max_prompt_length.min(self.max_length.saturating_sub(1));
        self
    }

    /// # Errors
    ///
    /// Where the tokenizer or the template refuses.
    pub fn encode_sft(&self, examples: &[SftExample]) -> Result<Encoded<TokenizedSft>, Error> {
        self.encode(examples, |example, guard, report| {
            let row = self.row(&example.prompt, &[&example.completion[..]], guard, report)?;
            Ok(row.map(|(prompt, [completion])| TokenizedSft { prompt, completion }))
        })
    }

    /// # Errors
    ///
    /// Where the tokenizer or the template refuses, and for a weight that is negative or not finite, naming the example.
    pub fn encode_binary(
        &self,
        examples: &[BinaryExample],
    ) -> Result<Encoded<TokenizedBinary>, Error> {
        let wrong = |e: &BinaryExample| !(e.weight >= 0.0 && (e.weight as f32).is_finite());
        if let Some(i) = examples.iter().position(wrong) {
            let weight = examples[i].weight;
            return Err(Error::Dataset {
                message: format!(
                    "example {i}: its weight must be finite and not negative, got {weight}"
                ),
            });
        }
        self.encode(examples, |example, guard, report| {
            let row = self.row(&example.prompt, &[&example.completion[..]], guard, report)?;
            Ok(row.map(|(prompt, [completion])| TokenizedBinary {
                prompt,
                completion,
                desirable: example.desirable,
                weight: example.weight,
            }))
        })
    }

    /// # Errors
    ///
    /// Where the tokenizer or the template refuses.
    pub fn encode_preferences(
        &self,
        examples: &[PreferenceExample],
    ) -> Result<Encoded<TokenizedPreference>, Error> {
        self.encode(examples, |example, guard, report| {
            let completions = [&example.chosen, &example.rejected].map(String::as_str);
            let row = self.row(&example.prompt, &completions, guard, report)?;
            Ok(row.map(|(prompt, [chosen, rejected])| TokenizedPreference {
                prompt,
                chosen,
                rejected,
            }))
        })
    }

    /// Ids of a prompt alone, ready to be continued, its beginning cut off where it is too long.
    ///
    /// # Errors
    ///
    /// Where the tokenizer or the template refuses.
    pub fn encode_prompt(&self, prompt: &Prompt) -> Result<Vec<u32>, Error> {
        let prompt = self.guard().prompt(prompt).0;
        let ids = encode(self.tokenizer, &self.prompt_text(&prompt)?)?;
        Ok(self.cut_prompt(self.with_bos(ids)).0)
    }

    fn encode<E, T>(
        &self,
        examples: &[E],
        row: impl Fn(&E, &Guard, &mut EncodeReport) -> Result<Option<T>, Error>,
    ) -> Result<Encoded<T>, Error> {
        let mut report = EncodeReport::default();
        let guard = self.guard();
        let mut kept = Vec::with_capacity(examples.len());
        for example in examples {
            kept.extend(row(example, &guard, &mut report)?);
        }
        report.kept = kept.len();
        Ok(Encoded {
            examples: kept,
            report,
        })
    }

    /// One prompt with its completions, or `None` if it had to be dropped.
    fn row<const N: usize>(
        &self,
        prompt: &Prompt,
        completions: &[&str; N],
        guard: &Guard,
        report: &mut EncodeReport,
    ) -> Result<Option<Row<N>>, Error> {
        if completions
            .iter()
            .any(|completion| completion.trim().is_empty())
        {
            report.drop(NO_COMPLETION);
            return Ok(None);
        }
        let (prompt, mut marked) = guard.prompt(prompt);
        let text = self.prompt_text(&prompt)?;
        let alone = encode(self.tokenizer, &text)?;
        let mut rests = Vec::with_capacity(N);
        for completion in completions {
            let (completion, found) = guard.text(completion);
            marked |= found;
            let rest = self.completion_text(&prompt, &text, &completion)?;
            let full = encode(self.tokenizer, &format!("{text}{rest}"))?;
            rests.push(match full.strip_prefix(&alone[..]) {
                Some(ids) => ids.to_vec(),
                None => encode(self.tokenizer, &rest)?,
            });
        }
        report.special_tokens_in_text += usize::from(marked);
        let (prompt, cut) = self.cut_prompt(self.with_bos(alone));
        if prompt.is_empty() {
            report.drop(NO_PROMPT);
            return Ok(None);
        }
        let room = self.max_length.saturating_sub(prompt.len());
        let mut lengths = Vec::with_capacity(N);
        let mut shortened = false;
        let mut finish = |mut ids: Vec<u32>| {
            if ids.last() != Some(&self.tokenizer.eos()) {
                ids.push(self.tokenizer.eos());
            }
            let last = ids[ids.len() - 1];
            if ids.len() > room {
                shortened = true;
                ids.truncate(room.saturating_sub(1));
                ids.push(last);
            }
            lengths.push(ids.len());
            ids
        };
        let mut rest = rests.into_iter();
        let completions: [Vec<u32>; N] =
            std::array::from_fn(|_| finish(rest.next().unwrap_or_default()));
        // One token is the end of the sequence alone: nothing of the completion is left.
        if completions.iter().any(|ids| ids.len() < 2) {
            report.drop(NO_ROOM);
            return Ok(None);
        }
        report.count(prompt.len(), &lengths, cut, shortened);
        Ok(Some((prompt, completions)))
    }

    fn guard(&self) -> Guard {
        if self.trusted {
            return Guard::off();
        }
        Guard::new(self.tokenizer)
    }

    fn prompt_text(&self, prompt: &Prompt) -> Result<String, Error> {
        match prompt {
            Prompt::Text(text) => Ok(text.clone()),
            Prompt::Messages(messages) => self.template.render(messages, true),
        }
    }

    /// What follows the prompt's text: for a conversation, up to the end of the assistant's turn as the template writes it.
    fn completion_text(
        &self,
        prompt: &Prompt,
        text: &str,
        completion: &str,
    ) -> Result<String, Error> {
        let Prompt::Messages(messages) = prompt else {
            return Ok(completion.to_string());
        };
        let mut messages = messages.clone();
        messages.push(Message::new("assistant", completion));
        let whole = self.template.render(&messages, false)?;
        // Some templates write past turns differently from the one to come; then the completion follows as it is.
        let rest = whole.strip_prefix(text).map(str::trim_end);
        Ok(rest.unwrap_or(completion).to_string())
    }

    fn with_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        match self.tokenizer.bos() {
            Some(bos) if ids.first() != Some(&bos) => ids.insert(0, bos),
            _ => {}
        }
        ids
    }

    /// The end of a prompt that is too long, behind its beginning of sequence; and whether anything was cut.
    fn cut_prompt(&self, ids: Vec<u32>) -> (Vec<u32>, bool) {
        let limit = self.max_prompt_length;
        if ids.len() <= limit {
            return (ids, false);
        }
        let bos = self
            .tokenizer
            .bos()
            .filter(|bos| ids[0] == *bos && limit > 0);
        let keep = limit - usize::from(bos.is_some());
        let tail = ids[ids.len() - keep..].iter().copied();
        (bos.into_iter().chain(tail).collect(), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            (one(4, 3, "abcde", "xyz"), NO_ROOM),
            (one(9, 9, "ab", " \n"), NO_COMPLETION),
            (one(1, 0, "ab", "c"), NO_PROMPT),
        ] {
            assert!(encoded.examples.is_empty());
            assert_eq!(encoded.report.dropped[reason], 1);
        }
    }

    #[test]
    fn an_empty_text_still_has_the_beginning_of_sequence_as_context() {
        assert_eq!(one(9, 8, "", "c").examples[0].prompt, [258]);
        let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 9);
        let encoded = encoder.encode_sft(&[SftExample::new("", "c")]).unwrap();
        assert_eq!(encoded.report.dropped[NO_PROMPT], 1);
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
}
