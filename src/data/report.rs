//! What was read, kept and dropped: data is never lost without a word.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What became of the rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadReport {
    /// Rows in the file.
    pub rows: usize,
    /// Examples made of them; a pair read as thumbs makes two.
    pub examples: usize,
    /// Rows dropped, by reason.
    pub dropped: BTreeMap<&'static str, usize>,
    /// Thumbs up, where the examples have thumbs.
    pub desirable: usize,
    /// Thumbs down.
    pub undesirable: usize,
}

impl fmt::Display for ReadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {} rows, {} examples", self.rows, self.examples)?;
        if self.desirable + self.undesirable > 0 {
            let (up, down) = (self.desirable, self.undesirable);
            write!(f, " ({up} desirable, {down} undesirable)")?;
        }
        dropped(f, &self.dropped)
    }
}

/// What became of examples on their way to token ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EncodeReport {
    /// Examples kept.
    pub kept: usize,
    /// Examples dropped, by reason.
    pub dropped: BTreeMap<&'static str, usize>,
    /// Prompts that lost their beginning.
    pub truncated_prompts: usize,
    /// Examples of which a completion was cut.
    pub truncated_completions: usize,
    /// Examples in which someone spelled a special token; it stayed text.
    pub special_tokens_in_text: usize,
    #[serde(skip)]
    prompts: Vec<usize>,
    #[serde(skip)]
    completions: Vec<usize>,
}

impl EncodeReport {
    pub(super) fn drop(&mut self, reason: &'static str) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    pub(super) fn count(&mut self, prompt: usize, completions: &[usize], cut: bool, short: bool) {
        self.truncated_prompts += usize::from(cut);
        self.truncated_completions += usize::from(short);
        self.prompts.push(prompt);
        self.completions.extend(completions);
    }

    /// What became of both parts.
    pub(super) fn merge(&mut self, part: Self) {
        self.kept += part.kept;
        for (reason, count) in part.dropped {
            *self.dropped.entry(reason).or_default() += count;
        }
        self.truncated_prompts += part.truncated_prompts;
        self.truncated_completions += part.truncated_completions;
        self.special_tokens_in_text += part.special_tokens_in_text;
        self.prompts.extend(part.prompts);
        self.completions.extend(part.completions);
    }

    /// Shortest, median and longest prompt, in tokens.
    pub fn prompt_lengths(&self) -> Option<[usize; 3]> {
        spread(&self.prompts)
    }

    /// Shortest, median and longest completion, in tokens.
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
            let n = self.special_tokens_in_text;
            write!(f, "; {n} with texts of special tokens, which stay text")?;
        }
        dropped(f, &self.dropped)
    }
}

fn dropped(f: &mut fmt::Formatter<'_>, dropped: &BTreeMap<&'static str, usize>) -> fmt::Result {
    dropped
        .iter()
        .try_for_each(|(reason, count)| write!(f, "; dropped {count}: {reason}"))
}

fn spread(lengths: &[usize]) -> Option<[usize; 3]> {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    Some([*sorted.first()?, sorted[sorted.len() / 2], *sorted.last()?])
}
