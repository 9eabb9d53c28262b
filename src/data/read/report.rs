//! What was read, kept and dropped: data is never lost without a word.

use crate::data::example::Example;
use crate::data::read::formats::Format;
use crate::data::read::rows::Row;
use crate::error::Error;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// What became of rows.
///
/// As text it is one line; [`table`](Self::table) is for people, and it serialises.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReadReport {
    /// Files read.
    pub files: usize,
    /// Rows in them.
    pub rows: usize,
    /// Rows of each format.
    #[serde(serialize_with = "by_name")]
    pub formats: BTreeMap<Format, usize>,
    /// Examples made of them; a pair read as thumbs makes two.
    pub examples: usize,
    /// Different prompts, before duplicates are left out; 0 of a stream, which does not count them.
    pub prompts: usize,
    /// Rows, or answers in them, that are of no use, by reason.
    pub dropped: BTreeMap<&'static str, usize>,
    /// Rows, or answers in them, that were not asked for, by reason.
    pub left_out: BTreeMap<&'static str, usize>,
    /// Examples that were there before, word for word, with the same thumb, score and weight; kept
    /// unless asked otherwise.
    pub duplicated: usize,
    /// Examples that were there before with the other thumb, or pairs with their sides swapped.
    pub contradicted: usize,
    /// Thumbs up, where the examples have thumbs.
    pub desirable: usize,
    /// Thumbs down.
    pub undesirable: usize,
    /// Lowest and highest score, where the examples have scores.
    pub scores: Option<(f64, f64)>,
    /// Columns that were not read, and in how many rows; a name may be misspelt. The first 100
    /// names; not for formats that are known to have others.
    pub unread: BTreeMap<String, usize>,
}

/// What some format or other reads.
const READ: [&str; 20] = [
    "prompt",
    "completion",
    "label",
    "kto_tag",
    "weight",
    "score",
    "messages",
    "chosen",
    "rejected",
    "chosen_messages",
    "rejected_messages",
    "conversations",
    "system",
    "tools",
    "instruction",
    "input",
    "history",
    "output",
    "output_A",
    "output_B",
];

/// A column's name on one line, cut short.
fn name(column: &str) -> String {
    let short = column.chars().take(40);
    short.flat_map(char::escape_debug).collect()
}

fn by_name<S: Serializer>(formats: &BTreeMap<Format, usize>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(
        formats
            .iter()
            .map(|(format, count)| (format.to_string(), count)),
    )
}

impl ReadReport {
    pub(in crate::data) fn leave_out(&mut self, reason: &'static str, count: usize) {
        if count > 0 {
            *self.left_out.entry(reason).or_default() += count;
        }
    }

    pub(in crate::data) fn look_for_unread(&mut self, format: Format, row: &Row) {
        if matches!(format, Format::Oasst | Format::Shp | Format::UltraFeedback) {
            return;
        }
        for column in row.keys().filter(|column| !READ.contains(&column.as_str())) {
            if self.unread.len() < 100 || self.unread.contains_key(column) {
                *self.unread.entry(column.clone()).or_default() += 1;
            }
        }
    }

    /// Counts what is kept in the end.
    pub(in crate::data) fn count<T: Example>(&mut self, examples: &[T]) {
        let mut counts = Self::default();
        examples.iter().for_each(|example| counts.add(example));
        self.take_counts(counts);
    }

    /// Counts an example that is kept.
    pub(in crate::data) fn add<T: Example>(&mut self, example: &T) {
        self.examples += 1;
        self.desirable += usize::from(example.thumb() == Some(true));
        self.undesirable += usize::from(example.thumb() == Some(false));
        if let Some(score) = example.score() {
            let (low, high) = self.scores.unwrap_or((score, score));
            self.scores = Some((low.min(score), high.max(score)));
        }
    }

    pub(in crate::data) fn take_counts(&mut self, counts: Self) {
        self.examples = counts.examples;
        (self.desirable, self.undesirable) = (counts.desirable, counts.undesirable);
        self.scores = counts.scores;
    }

    /// Refuses data of which nothing is left.
    pub(in crate::data) fn of_use(&self, path: &Path) -> Result<(), Error> {
        let message = match (self.examples, self.rows) {
            (0, 0) => format!("{}: there is no row", path.display()),
            (0, _) => format!("{}: no row is of use: {self}", path.display()),
            _ => return Ok(()),
        };
        Err(Error::Dataset { message })
    }

    /// One line an item.
    ///
    /// ```
    /// use burn_kto::data::ReadReport;
    /// let mut report = ReadReport::default();
    /// (report.rows, report.examples) = (3, 2);
    /// report.dropped.insert("completion is empty", 1);
    /// assert_eq!(report.table().lines().last(), Some("dropped                1  completion is empty"));
    /// ```
    pub fn table(&self) -> String {
        let formats: Vec<String> = self.formats.keys().map(Format::to_string).collect();
        let mut lines = vec![
            (
                "rows",
                self.rows,
                format!("in {} files: {}", self.files, formats.join(", ")),
            ),
            ("examples", self.examples, String::new()),
        ];
        if self.prompts > 0 {
            lines.push(("prompts", self.prompts, String::new()));
        }
        if self.desirable + self.undesirable > 0 {
            lines.push(("desirable", self.desirable, String::new()));
            lines.push(("undesirable", self.undesirable, String::new()));
        }
        if let Some((low, high)) = self.scores {
            lines.push(("scores", self.examples, format!("from {low} to {high}")));
        }
        if self.duplicated > 0 {
            lines.push(("duplicated", self.duplicated, String::new()));
        }
        if self.contradicted > 0 {
            let why = "before with the other thumb, or with sides swapped".to_string();
            lines.push(("contradicted", self.contradicted, why));
        }
        let reasons = |name: &'static str, counts: &BTreeMap<&'static str, usize>| {
            let counts: Vec<_> = counts
                .iter()
                .map(|(why, n)| (name, *n, why.to_string()))
                .collect();
            counts
        };
        lines.extend(reasons("dropped", &self.dropped));
        lines.extend(reasons("left out", &self.left_out));
        let unread = self.unread.iter();
        lines.extend(
            unread.map(|(column, rows)| ("not read", *rows, format!("column {}", name(column)))),
        );
        table(&lines)
    }
}

fn table(lines: &[(&str, usize, String)]) -> String {
    let lines = lines.iter().map(|(name, count, more)| {
        let line = format!("{name:<14}{count:>10}  {more}");
        line.trim_end().to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl fmt::Display for ReadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let formats: Vec<String> = self.formats.keys().map(Format::to_string).collect();
        write!(
            f,
            "read {} rows ({}), {} examples",
            self.rows,
            formats.join(", "),
            self.examples
        )?;
        if self.desirable + self.undesirable > 0 {
            let (up, down) = (self.desirable, self.undesirable);
            write!(f, " ({up} desirable, {down} undesirable)")?;
        }
        dropped(f, "dropped", &self.dropped)?;
        dropped(f, "left out", &self.left_out)?;
        if self.duplicated > 0 {
            write!(f, "; {} duplicated", self.duplicated)?;
        }
        if self.contradicted > 0 {
            write!(f, "; {} contradicted", self.contradicted)?;
        }
        if !self.unread.is_empty() {
            let names: Vec<String> = self.unread.keys().map(|column| name(column)).collect();
            write!(f, "; columns not read: {}", names.join(", "))?;
        }
        Ok(())
    }
}

pub(in crate::data) const REFUSED: &str = "the chat template refuses it";
const SPECIAL_TOKENS: &str = "with texts of special tokens, which stay text";
const AS_THEY_ARE: &str =
    "follow the prompt as they are, the template writes past answers in another way";

/// What became of examples on their way to token ids.
///
/// As text it is one line; [`table`](Self::table) is for people, and it serialises.
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
    /// Examples whose completion follows the prompt as it is, since the template writes past
    /// answers in another way than it begins one.
    pub answers_as_they_are: usize,
    /// The first example that the chat template refused: its place among the examples, from 0, and
    /// why.
    pub refusal: Option<(usize, String)>,
    /// As text their shortest, median and longest.
    #[serde(rename = "prompt_tokens", serialize_with = "as_spread")]
    prompts: Vec<usize>,
    #[serde(rename = "completion_tokens", serialize_with = "as_spread")]
    completions: Vec<usize>,
}

fn as_spread<S: Serializer>(lengths: &[usize], to: S) -> Result<S::Ok, S::Error> {
    spread(lengths).serialize(to)
}

impl EncodeReport {
    /// One line an item, as [`ReadReport::table`].
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

    pub(in crate::data) fn drop(&mut self, reason: &'static str) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    /// What the chat template wrote; `None` and a count where it refused.
    pub(in crate::data) fn written<T>(&mut self, written: Result<T, Error>) -> Option<T> {
        let refused = |error: &Error| {
            self.drop(REFUSED);
            self.refusal.get_or_insert_with(|| (0, error.to_string()));
        };
        written.inspect_err(refused).ok()
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

fn dropped(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    counts: &BTreeMap<&'static str, usize>,
) -> fmt::Result {
    counts
        .iter()
        .try_for_each(|(reason, count)| write!(f, "; {what} {count}: {reason}"))
}

fn spread(lengths: &[usize]) -> Option<[usize; 3]> {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    Some([*sorted.first()?, sorted[sorted.len() / 2], *sorted.last()?])
}
