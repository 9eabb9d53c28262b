//! From text to token ids, within a length.

use crate::data::encode::continuation::{Boundaries, Continued};
use crate::data::encode::guard::{Guard, encode};
use crate::data::encode::marked;
use crate::data::encode::report::EncodeReport;
use crate::data::encode::tasks::{TASK, map_tasks};
use crate::data::example::{BinaryExample, PreferenceExample, Prompt, SftExample};
use crate::data::reason::DropReason;
use crate::data::tokens::examples::{TokenizedBinary, TokenizedPreference, TokenizedSft};
use crate::data::tokens::ids::TokenIds;
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
    tokenizer: &'a dyn Tokenizer,
    template: &'a dyn ChatTemplate,
    max_length: usize,
    max_prompt_length: usize,
    trusted: bool,
    generation_marks: bool,
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
type Row<const N: usize> = (TokenIds, [TokenIds; N]);

/// What does not change from row to row.
struct Marks {
    guard: Guard,
    boundaries: Boundaries,
}

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
            generation_marks: false,
        }
    }

    /// Reads special tokens in prompts and completions as special tokens. Only for data that nobody
    /// else could write to.
    pub fn with_special_tokens_in_text(mut self) -> Self {
        self.trusted = true;
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
    /// let source = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}?{% else %}{% generation %}{{ m.content }}!{% endgeneration %}{% endif %}{% endfor %}";
    /// let template = JinjaTemplate::new(source, "", "")?;
    /// let encoder = Encoder::new(&ByteTokenizer, &template, 512).with_generation_marks();
    /// let turns = [("user", "ab"), ("assistant", "c"), ("user", "d")].map(|(role, text)| Message::new(role, text));
    /// let example = &encoder.encode_sft(&[SftExample::new(turns.to_vec(), "e")])?.examples[0];
    /// assert_eq!((&example.prompt[..], &example.completion[..]), (&b"ab?".map(u32::from)[..], &b"c!d?e!".map(u32::from)[..]));
    /// assert_eq!(example.runs, [2, 2, 2]); // c! is scored, d? is not, e! is
    /// # }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn with_generation_marks(mut self) -> Self {
        self.generation_marks = true;
        self
    }

    /// With a tighter limit for prompts, so that completions keep room.
    pub fn with_max_prompt_length(mut self, max_prompt_length: usize) -> Self {
        self.max_prompt_length = max_prompt_length.min(self.max_length.saturating_sub(1));
        self
    }

    /// # Errors
    ///
    /// Where the tokenizer or the template refuses; [with marks](Self::with_generation_marks) where
    /// the template has none.
    pub fn encode_sft(&self, examples: &[SftExample]) -> Result<Encoded<TokenizedSft>, Error> {
        self.encode(examples, |example, marks, report| {
            if let (Prompt::Messages(said), true) = (&example.prompt, self.generation_marks) {
                return self.conversation(said, &example.completion, marks, report);
            }
            let row = self.row(&example.prompt, &[&example.completion[..]], marks, report)?;
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
        self.encode(examples, |example, marks, report| {
            let row = self.row(&example.prompt, &[&example.completion[..]], marks, report)?;
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
        self.encode(examples, |example, marks, report| {
            let completions = [&example.chosen, &example.rejected].map(String::as_str);
            let row = self.row(&example.prompt, &completions, marks, report)?;
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

    /// What the ids depend on besides the examples, by name.
    ///
    /// # Errors
    ///
    /// Where the tokenizer or the template does not say what it is.
    #[cfg(feature = "cache")]
    pub(in crate::data) fn definition(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let missing = |what: &str| Error::Tokenize {
            message: format!(
                "{what} has no `definition`, so what it made cannot be told from what another one made: it cannot be cached"
            ),
        };
        let tokenizer = self.tokenizer.definition();
        let template = self.template.definition();
        Ok(vec![
            (
                "tokenizer",
                tokenizer.ok_or_else(|| missing("the tokenizer"))?,
            ),
            (
                "template",
                template.ok_or_else(|| missing("the chat template"))?,
            ),
            ("bos", format!("{:?}", self.tokenizer.bos())),
            ("eos", self.tokenizer.eos().to_string()),
            ("max_length", self.max_length.to_string()),
            ("max_prompt_length", self.max_prompt_length.to_string()),
            ("special_tokens_in_text", self.trusted.to_string()),
            ("generation_marks", self.generation_marks.to_string()),
        ])
    }

    fn encode<E: Sync, T: Send>(
        &self,
        examples: &[E],
        row: impl Fn(&E, &Marks, &mut EncodeReport) -> Result<Option<T>, Error> + Sync,
    ) -> Result<Encoded<T>, Error> {
        let marks = Marks {
            guard: self.guard(),
            boundaries: Boundaries::new(self.tokenizer),
        };
        let task = |examples: &[E]| {
            let mut report = EncodeReport::default();
            let mut kept = Vec::with_capacity(examples.len());
            for (place, example) in examples.iter().enumerate() {
                let fine = report.refusal.is_none();
                kept.extend(row(example, &marks, &mut report)?);
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

    /// One prompt with its completions, or `None` if it had to be dropped.
    fn row<const N: usize>(
        &self,
        prompt: &Prompt,
        completions: &[&str; N],
        marks: &Marks,
        report: &mut EncodeReport,
    ) -> Result<Option<Row<N>>, Error> {
        if completions
            .iter()
            .any(|completion| completion.trim().is_empty())
        {
            report.drop(DropReason::EmptyCompletion);
            return Ok(None);
        }
        let (prompt, mut marked) = marks.guard.prompt(prompt);
        let Some(text) = report.written(self.prompt_text(&prompt)) else {
            return Ok(None);
        };
        let continued = Continued::new(self.tokenizer, &marks.boundaries, &text)?;
        let mut rests = Vec::with_capacity(N);
        let mut as_it_is = false;
        for completion in completions {
            let (completion, found) = marks.guard.text(completion);
            marked |= found;
            let Some(rest) = report.written(self.completion_text(&prompt, &text, &completion))
            else {
                return Ok(None);
            };
            as_it_is |= rest.is_none();
            rests.push(continued.by(rest.as_deref().unwrap_or(&completion))?);
        }
        let alone = continued.into_prompt();
        report.special_tokens_in_text += usize::from(marked);
        report.answers_as_they_are += usize::from(as_it_is);
        let (prompt, cut) = self.cut_prompt(self.with_bos(alone));
        if prompt.is_empty() {
            report.drop(DropReason::EmptyPrompt);
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
        let completions: [TokenIds; N] =
            std::array::from_fn(|_| finish(rest.next().unwrap_or_default()).into());
        // One token is the end of the sequence alone: nothing of the completion is left.
        if completions.iter().any(|ids| ids.len() < 2) {
            report.drop(DropReason::NoRoom);
            return Ok(None);
        }
        report.count(prompt.len(), &lengths, cut, shortened);
        Ok(Some((prompt.into(), completions)))
    }

    /// A conversation of which all is scored that the template marks, or `None` if it had to be
    /// dropped.
    fn conversation(
        &self,
        before: &[Message],
        completion: &str,
        marks: &Marks,
        report: &mut EncodeReport,
    ) -> Result<Option<TokenizedSft>, Error> {
        if completion.trim().is_empty() {
            report.drop(DropReason::EmptyCompletion);
            return Ok(None);
        }
        let mut messages = before.to_vec();
        messages.push(Message::new("assistant", completion));
        let (messages, found) = marks.guard.messages(&messages);
        let Some(text) = report.written(self.template.render_marked(&messages)) else {
            return Ok(None);
        };
        let ids = marked::encode(self.tokenizer, text)?;
        report.special_tokens_in_text += usize::from(found);
        let (ids, mut scored): (Vec<u32>, Vec<bool>) = ids.into_iter().unzip();
        let length = ids.len();
        let mut ids = self.with_bos(ids);
        scored.splice(0..0, std::iter::repeat_n(false, ids.len() - length));
        let short = ids.len() > self.max_length;
        let marked = scored.contains(&true);
        ids.truncate(self.max_length);
        scored.truncate(self.max_length);
        // The first token has no prediction.
        let first = scored.iter().skip(1).position(|scored| *scored);
        let Some(first) = first.map(|first| first + 1) else {
            report.drop(if marked && short {
                DropReason::NoRoom
            } else {
                DropReason::NothingMarked
            });
            return Ok(None);
        };
        let (prompt, completion) = ids.split_at(first);
        report.count(prompt.len(), &[completion.len()], false, short);
        let example = TokenizedSft::new(prompt, completion);
        let runs = marked::runs(&scored[first..]);
        Ok(Some(if runs.len() > 1 {
            example.with_runs(runs)
        } else {
            example
        }))
    }

    fn guard(&self) -> Guard {
        if self.trusted {
            return Guard::off();
        }
        Guard::new(self.tokenizer, self.template)
    }

    fn prompt_text(&self, prompt: &Prompt) -> Result<String, Error> {
        match prompt {
            Prompt::Text(text) => Ok(text.clone()),
            Prompt::Messages(messages) => self.template.render(messages, true),
        }
    }

    /// What follows the prompt's text: for a conversation, up to the end of the assistant's turn as
    /// the template writes it. `None` where it writes past answers in another way than it begins
    /// the one to come; then the completion follows as it is.
    fn completion_text(
        &self,
        prompt: &Prompt,
        text: &str,
        completion: &str,
    ) -> Result<Option<String>, Error> {
        let Prompt::Messages(messages) = prompt else {
            return Ok(Some(completion.to_string()));
        };
        let mut messages = messages.clone();
        messages.push(Message::new("assistant", completion));
        let whole = self.template.render(&messages, false)?;
        let rest = whole.strip_prefix(text).map(str::trim_end);
        Ok(rest.map(str::to_string))
    }

    fn with_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        match self.tokenizer.bos() {
            Some(bos) if ids.first() != Some(&bos) => ids.insert(0, bos),
            _ => {}
        }
        ids
    }

    /// The end of a prompt that is too long, behind its beginning of sequence; and whether anything
    /// was cut.
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
#[path = "encoder_tests.rs"]
mod tests;
