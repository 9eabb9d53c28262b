//! From text to token ids, within a length.

use crate::data::encode::guard::Unwritten;
use crate::data::encode::marks::encode;
use crate::data::encode::report::EncodeReport;
use crate::data::encode::row::RowEncoder;
use crate::data::encode::settings::Settings;
use crate::data::encode::tasks::{TASK, map_tasks};
use crate::data::example::{BinaryExample, PreferenceExample, Prompt, SftExample};
use crate::data::tokens::examples::{TokenizedBinary, TokenizedPreference, TokenizedSft};
use crate::error::Error;
use crate::model::{ChatTemplate, Tokenizer};
use std::sync::atomic::{AtomicBool, Ordering};

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
/// - Prompt and completion are tokenized together, so that a tokenizer that puts a space before
///   each text does not see the completion as a new text. Where the end of the prompt would merge
///   with the beginning of the completion, each is tokenized by itself: a prompt has the same ids
///   whatever follows, as when text is generated after it.
/// - A conversation is written by the chat template; the completion includes the marker that ends
///   the assistant's turn.
/// - The completion ends with the end of the sequence, also when it had to be cut.
/// - What people wrote stays text, whatever it spells: texts of special tokens in prompts and
///   completions do not become special tokens, so feedback cannot forge a turn. Where the texts of
///   the data are trusted and hold such marks on purpose, written by a template before:
///   [`with_special_tokens_in_text`](Self::with_special_tokens_in_text).
/// - A prompt that is too long loses its beginning, which is furthest from what is asked.
/// - An example of which no completion is left is dropped and counted.
/// - With feature `rayon`, all cores work; what comes out is the same.
///
/// ```
/// use burn_kto::prelude::*;
/// let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 8);
/// let encoded = encoder.encode_binary(&[BinaryExample::new("ab", "cd", true)]).unwrap();
/// assert_eq!(encoded.examples[0].completion, [99, 100, 256]);
/// ```
#[derive(Clone, Copy)]
pub struct Encoder<'a> {
    settings: Settings<'a>,
}

impl std::fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("max_length", &self.settings.max_length)
            .field("max_prompt_length", &self.settings.max_prompt_length)
            .finish_non_exhaustive()
    }
}

impl<'a> Encoder<'a> {
    /// For sequences of at most `max_length` tokens, of which the prompt takes all but one at most.
    pub fn new(
        tokenizer: &'a dyn Tokenizer,
        template: &'a dyn ChatTemplate,
        max_length: usize,
    ) -> Self {
        let settings = Settings {
            tokenizer,
            template,
            max_length,
            max_prompt_length: max_length.saturating_sub(1),
            trusted: false,
            generation_marks: false,
        };
        Self { settings }
    }

    /// Reads special tokens in prompts and completions as special tokens. Only for data that nobody
    /// else could write to.
    pub fn with_special_tokens_in_text(mut self) -> Self {
        self.settings.trusted = true;
        self
    }

    /// Demonstrations: of a conversation all is scored that the chat template has between
    /// `{% generation %}` and `{% endgeneration %}`, every turn of the assistant in one pass,
    /// instead of the last turn: the assistant mask of transformers 5.24, of tokens of which a part
    /// is marked. Past turns are scored as the template writes them when others follow. Where the
    /// conversation is too long, its end is cut off, and no end of sequence is put there.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// # #[cfg(feature = "tokenizers")] {
    /// let source = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}?{% else %}\
    ///     {% generation %}{{ m.content }}!{% endgeneration %}{% endif %}{% endfor %}";
    /// let template = JinjaTemplate::new(source, "", "")?;
    /// let encoder = Encoder::new(&ByteTokenizer, &template, 512).with_generation_marks();
    /// let turns = [("user", "ab"), ("assistant", "c"), ("user", "d")];
    /// let turns = turns.map(|(role, text)| Message::new(role, text));
    /// let example = &encoder.encode_sft(&[SftExample::new(turns.to_vec(), "e")])?.examples[0];
    /// assert_eq!(example.prompt, b"ab?".map(u32::from));
    /// assert_eq!(example.completion, b"c!d?e!".map(u32::from));
    /// assert_eq!(example.runs, [2, 2, 2]); // c! is scored, d? is not, e! is
    /// # }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn with_generation_marks(mut self) -> Self {
        self.settings.generation_marks = true;
        self
    }

    /// With a tighter limit for prompts, so that completions keep room.
    pub fn with_max_prompt_length(mut self, max_prompt_length: usize) -> Self {
        self.settings.max_prompt_length =
            max_prompt_length.min(self.settings.max_length.saturating_sub(1));
        self
    }

    /// # Errors
    ///
    /// Where the tokenizer or the template refuses; [with marks](Self::with_generation_marks) where
    /// the template has none.
    pub fn encode_sft(&self, examples: &[SftExample]) -> Result<Encoded<TokenizedSft>, Error> {
        self.encode(examples, |example, rows, report| {
            if let (Prompt::Messages(said), true) =
                (&example.prompt, self.settings.generation_marks)
            {
                return rows.conversation(said, &example.completion, report);
            }
            let row = match &example.prompt {
                Prompt::Text(none) if none.is_empty() => rows.text(&example.completion, report)?,
                prompt => rows.row(prompt, &[&example.completion[..]], report)?,
            };
            Ok(row.map(|(prompt, [completion])| TokenizedSft::new(prompt, completion)))
        })
    }

    /// # Errors
    ///
    /// Where the tokenizer or the template refuses, and for a weight that is negative or not
    /// finite, naming the example.
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
        self.encode(examples, |example, rows, report| {
            let row = rows.row(&example.prompt, &[&example.completion[..]], report)?;
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
        self.encode(examples, |example, rows, report| {
            let completions = [&example.chosen, &example.rejected].map(String::as_str);
            let row = rows.row(&example.prompt, &completions, report)?;
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
        let settings = &self.settings;
        let written = settings.guard().prompt(settings.template, prompt);
        let (text, _) = written.map_err(Unwritten::into_error)?;
        let ids = encode(settings.tokenizer, &text)?;
        Ok(settings.cut_prompt(settings.with_bos(ids)).0)
    }

    /// What the ids depend on besides the examples, by name.
    ///
    /// # Errors
    ///
    /// Where the tokenizer or the template does not say what it is.
    #[cfg(feature = "cache")]
    pub(in crate::data) fn definition(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let missing = |what: &str| Error::Tokenize {
            message: format!(
                "{what} has no `definition`, so what it made cannot be told from what another one \
                 made: it cannot be cached"
            ),
        };
        let tokenizer = self.settings.tokenizer.definition();
        let template = self.settings.template.definition();
        Ok(vec![
            (
                "tokenizer",
                tokenizer.ok_or_else(|| missing("the tokenizer"))?,
            ),
            (
                "template",
                template.ok_or_else(|| missing("the chat template"))?,
            ),
            ("bos", format!("{:?}", self.settings.tokenizer.bos())),
            ("eos", self.settings.tokenizer.eos().to_string()),
            ("max_length", self.settings.max_length.to_string()),
            (
                "max_prompt_length",
                self.settings.max_prompt_length.to_string(),
            ),
            ("special_tokens_in_text", self.settings.trusted.to_string()),
            (
                "generation_marks",
                self.settings.generation_marks.to_string(),
            ),
        ])
    }

    fn encode<E: Sync, T: Send>(
        &self,
        examples: &[E],
        row: impl Fn(&E, &RowEncoder<'_>, &mut EncodeReport) -> Result<Option<T>, Error> + Sync,
    ) -> Result<Encoded<T>, Error> {
        let rows = RowEncoder::new(self.settings);
        // A template that is no use for one conversation is not tried on all others.
        let useless = AtomicBool::new(false);
        let task = |examples: &[E]| {
            let mut report = EncodeReport::default();
            let mut kept = Vec::with_capacity(examples.len());
            for (place, example) in examples.iter().enumerate() {
                if useless.load(Ordering::Relaxed) {
                    break;
                }
                let fine = report.refusal.is_none();
                let made = row(example, &rows, &mut report).inspect_err(|error| {
                    if let Error::Template { .. } = error {
                        useless.store(true, Ordering::Relaxed);
                    }
                });
                kept.extend(made?);
                if let Some(refusal) = report.refusal.as_mut().filter(|_| fine) {
                    refusal.0 = place;
                }
            }
            report.kept = kept.len();
            Ok((kept, report))
        };
        let mut all = Encoded {
            examples: Vec::with_capacity(examples.len()),
            report: EncodeReport::default(),
        };
        // In order, so that examples, report and the first error are the same on any number of
        // cores.
        for (i, done) in map_tasks(examples, task).into_iter().enumerate() {
            let (kept, report) = done?;
            all.examples.extend(kept);
            all.report.merge(report, i * TASK);
        }
        Ok(all)
    }
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
