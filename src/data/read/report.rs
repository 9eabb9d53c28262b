//! What was read, kept and dropped: data is never lost without a word.

use crate::data::example::Example;
use crate::data::read::formats::Said;
use crate::data::read::formats::form::Format;
use crate::data::read::mapping::Named;
use crate::data::reason::{DropReason, LeftOutReason};
use crate::data::tally::{dropped, name, table};
use crate::error::Error;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Counts of what became of rows.
///
/// Its text is one line; [`table`](Self::table) is for people. It serialises, with reasons by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReadReport {
    /// Files read.
    pub files: usize,
    /// Files beside them that were not: of another split than the training split, or of a kind that
    /// is not read.
    pub files_left_out: Vec<String>,
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
    pub dropped: BTreeMap<DropReason, usize>,
    /// Rows, or answers in them, that were not asked for, by reason.
    pub left_out: BTreeMap<LeftOutReason, usize>,
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
    /// Columns with something in them that were not read, and in how many rows; a name may be
    /// misspelt. The first 100 names; less those that a known data set is known to have besides.
    pub unread: BTreeMap<String, usize>,
    /// Columns that were read under other names than their own: by column and name, in how many
    /// rows.
    pub read_as: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Names of files that a report shows.
const FILES: usize = 5;

fn by_name<S: Serializer>(formats: &BTreeMap<Format, usize>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(
        formats
            .iter()
            .map(|(format, count)| (format.to_string(), count)),
    )
}

impl ReadReport {
    pub(in crate::data) fn leave_out(&mut self, reason: LeftOutReason, count: usize) {
        if count > 0 {
            *self.left_out.entry(reason).or_default() += count;
        }
    }

    /// Whether there are two answers in rows, and in none of them a verdict.
    pub(in crate::data) fn is_without_verdict(&self) -> bool {
        let without = [DropReason::NoVerdict, DropReason::UnclearVerdict];
        let dropped = without.iter().filter_map(|reason| self.dropped.get(reason));
        let judged = self.formats.get(&Format::Verdict).copied();
        judged.unwrap_or_default() <= dropped.sum()
    }

    /// Counts what a row says besides what it is for.
    pub(in crate::data) fn count_said(&mut self, said: &Said) {
        *self.formats.entry(said.format).or_default() += 1;
        self.count_unread(said.unread.iter().cloned());
        for (column, name) in &said.renamed {
            self.count_read_as(column, name);
        }
    }

    /// Counts which columns were spelt otherwise, and which lost their names to others.
    pub(in crate::data) fn count_named(&mut self, named: Named) {
        self.count_unread(named.replaced);
        for (known, name) in &named.spelt {
            self.count_read_as(known, name);
        }
    }

    fn count_read_as(&mut self, column: &str, name: &str) {
        let names = self.read_as.entry(column.to_string()).or_default();
        *names.entry(name.to_string()).or_default() += 1;
    }

    /// Names columns that were not read.
    pub(in crate::data) fn count_unread(&mut self, columns: impl IntoIterator<Item = String>) {
        for column in columns {
            if self.unread.len() < 100 || self.unread.contains_key(&column) {
                *self.unread.entry(column).or_default() += 1;
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

    /// Refuses data of which no example is left.
    pub(in crate::data) fn check_not_empty(&self, path: &Path) -> Result<(), Error> {
        match (self.examples, self.rows) {
            (0, 0) => Err(Error::source(path, "there is no row")),
            (0, _) => Err(Error::source(path, format!("no row is of use: {self}"))),
            _ => Ok(()),
        }
    }

    /// A table with one line an item.
    ///
    /// ```
    /// use burn_kto::data::{DropReason, ReadReport};
    /// let mut report = ReadReport::default();
    /// (report.rows, report.examples) = (3, 2);
    /// report.dropped.insert(DropReason::EmptyCompletion, 1);
    /// let table = report.table();
    /// let last = "dropped                1  completion is empty";
    /// assert_eq!(table.lines().last(), Some(last));
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
        let files = self.files_left_out.iter().take(FILES);
        lines.extend(files.map(|file| ("file not read", 1, name(file))));
        let dropped = self.dropped.iter();
        lines.extend(dropped.map(|(why, n)| ("dropped", *n, why.to_string())));
        let left_out = self.left_out.iter();
        lines.extend(left_out.map(|(why, n)| ("left out", *n, why.to_string())));
        for (column, names) in &self.read_as {
            let names = names.iter();
            lines.extend(names.map(|(other, rows)| {
                (
                    "read as",
                    *rows,
                    format!("{column}: column \"{}\"", name(other)),
                )
            }));
        }
        let unread = self.unread.iter();
        lines.extend(
            unread.map(|(column, rows)| ("not read", *rows, format!("column {}", name(column)))),
        );
        table(&lines)
    }
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
        if !self.files_left_out.is_empty() {
            let files = self.files_left_out.iter().take(FILES);
            let files: Vec<String> = files.map(|file| name(file)).collect();
            let more = self.files_left_out.len() - files.len();
            write!(f, "; files not read: {}", files.join(", "))?;
            if more > 0 {
                write!(f, " and {more} more")?;
            }
        }
        for (column, names) in &self.read_as {
            for other in names.keys() {
                write!(f, "; \"{}\" read as {column}", name(other))?;
            }
        }
        if !self.unread.is_empty() {
            let names: Vec<String> = self.unread.keys().map(|column| name(column)).collect();
            write!(f, "; columns not read: {}", names.join(", "))?;
        }
        Ok(())
    }
}
