//! What became of examples on their way to token ids.

use super::guard::Unwritten;
use crate::data::reason::DropReason;
use crate::data::tally::{dropped, table};
use crate::error::Error;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

const SPECIAL_TOKENS: &str = "with texts of special tokens, which stay text";
const AS_THEY_ARE: &str =
    "follow the prompt as they are, the template writes past answers in another way";

/// Counts of what became of examples on their way to token ids.
///
/// Its text is one line; [`table`](Self::table) is for people. It serialises, with reasons by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EncodeReport {
    /// Examples kept.
    pub kept: usize,
    /// Examples dropped, by reason.
    pub dropped: BTreeMap<DropReason, usize>,
    /// Prompts that lost their beginning.
    pub truncated_prompts: usize,
    /// Examples of which a completion was cut.
    pub truncated_completions: usize,
    /// Examples in which someone spelled a special token; it stayed text.
    pub special_tokens_in_text: usize,
    /// Examples whose completion follows the prompt as it is, since the template writes past
    /// answers in another way than it begins one.
    pub answers_as_they_are: usize,
    /// The first example that the chat template refused: its place among the examples, from 0, and
    /// why.
    pub refusal: Option<(usize, String)>,
    /// Lengths, of which the shortest, median and longest are shown.
    #[serde(rename = "prompt_tokens", serialize_with = "as_spread")]
    prompts: Vec<usize>,
    #[serde(rename = "completion_tokens", serialize_with = "as_spread")]
    completions: Vec<usize>,
}

fn as_spread<S: Serializer>(lengths: &[usize], to: S) -> Result<S::Ok, S::Error> {
    spread(lengths).serialize(to)
}

impl EncodeReport {
    /// A table with one line an item, as [`ReadReport::table`](crate::data::ReadReport::table).
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 8);
    /// let rows = [SftExample::new("ab", "c"), SftExample::new("ab", " ")];
    /// let table = encoder.encode_sft(&rows)?.report.table();
    /// assert_eq!(table.lines().last(), Some("dropped                1  completion is empty"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn table(&self) -> String {
        let lengths = |lengths: Option<[usize; 3]>| {
            let [low, middle, high] = lengths.unwrap_or_default();
            format!("{low} to {high} tokens, median {middle}")
        };
        let mut lines = vec![
            ("tokenized", self.kept, String::new()),
            (
                "prompts",
                self.prompts.len(),
                lengths(self.prompt_lengths()),
            ),
            (
                "completions",
                self.completions.len(),
                lengths(self.completion_lengths()),
            ),
        ];
        let notes = [
            ("prompts", self.truncated_prompts, "cut at their beginning"),
            ("examples", self.truncated_completions, "cut at their end"),
            ("examples", self.special_tokens_in_text, SPECIAL_TOKENS),
            ("examples", self.answers_as_they_are, AS_THEY_ARE),
        ];
        let notes = notes.into_iter().filter(|(_, count, _)| *count > 0);
        lines.extend(notes.map(|(name, count, note)| (name, count, note.to_string())));
        let dropped = self.dropped.iter();
        lines.extend(dropped.map(|(why, n)| ("dropped", *n, why.to_string())));
        if let Some((place, why)) = &self.refusal {
            lines.push(("first refused", *place, why.clone()));
        }
        table(&lines)
    }

    pub(in crate::data) fn drop(&mut self, reason: DropReason) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    /// What the chat template wrote; `None` and a count where it refused, or the guard did.
    ///
    /// # Errors
    ///
    /// Where the template is no use for any other conversation either.
    pub(super) fn written<T>(&mut self, written: Result<T, Unwritten>) -> Result<Option<T>, Error> {
        match written {
            Ok(written) => Ok(Some(written)),
            Err(Unwritten::Unclear) => {
                self.drop(DropReason::TokensUnclear);
                Ok(None)
            }
            Err(Unwritten::Refused(error @ Error::Template { .. })) => Err(error),
            Err(Unwritten::Refused(error)) => {
                self.drop(DropReason::TemplateRefuses);
                self.refusal.get_or_insert_with(|| (0, error.to_string()));
                Ok(None)
            }
        }
    }

    pub(in crate::data) fn count(
        &mut self,
        prompt: usize,
        completions: &[usize],
        cut: bool,
        short: bool,
    ) {
        self.truncated_prompts += usize::from(cut);
        self.truncated_completions += usize::from(short);
        self.prompts.push(prompt);
        self.completions.extend(completions);
    }

    /// What became of both parts, the other one being behind so many examples.
    pub(in crate::data) fn merge(&mut self, part: Self, behind: usize) {
        self.kept += part.kept;
        for (reason, count) in part.dropped {
            *self.dropped.entry(reason).or_default() += count;
        }
        self.truncated_prompts += part.truncated_prompts;
        self.truncated_completions += part.truncated_completions;
        self.special_tokens_in_text += part.special_tokens_in_text;
        self.answers_as_they_are += part.answers_as_they_are;
        let later = part.refusal.map(|(place, why)| (behind + place, why));
        self.refusal = self.refusal.take().or(later);
        self.prompts.extend(part.prompts);
        self.completions.extend(part.completions);
    }

    /// Shortest, median and longest prompt, in tokens; `None` without any.
    pub fn prompt_lengths(&self) -> Option<[usize; 3]> {
        spread(&self.prompts)
    }

    /// Shortest, median and longest completion, in tokens; `None` without any.
    pub fn completion_lengths(&self) -> Option<[usize; 3]> {
        spread(&self.completions)
    }
}

impl fmt::Display for EncodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tokenized {} examples", self.kept)?;
        if let (Some(p), Some(c)) = (self.prompt_lengths(), self.completion_lengths()) {
            write!(f, "; tokens of prompts {}-{}-{}", p[0], p[1], p[2])?;
            write!(
                f,
                ", of completions {}-{}-{} (min-median-max)",
                c[0], c[1], c[2]
            )?;
        }
        let (p, c) = (self.truncated_prompts, self.truncated_completions);
        if p + c > 0 {
            write!(f, "; cut {p} prompts and {c} completions")?;
        }
        if self.special_tokens_in_text > 0 {
            write!(f, "; {} {SPECIAL_TOKENS}", self.special_tokens_in_text)?;
        }
        if self.answers_as_they_are > 0 {
            write!(f, "; {} {AS_THEY_ARE}", self.answers_as_they_are)?;
        }
        dropped(f, "dropped", &self.dropped)?;
        match &self.refusal {
            Some((place, why)) => write!(f, " (first example {place}: {why})"),
            None => Ok(()),
        }
    }
}

fn spread(lengths: &[usize]) -> Option<[usize; 3]> {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    Some([*sorted.first()?, sorted[sorted.len() / 2], *sorted.last()?])
}
