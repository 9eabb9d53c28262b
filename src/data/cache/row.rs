//! A tokenized example as a row of the index: where each of its texts ends in the file of ids, then
//! its numbers.

use crate::data::tokens::examples::{TokenizedBinary, TokenizedPreference, TokenizedSft};
use crate::data::tokens::ids::TokenIds;

/// A tokenized example that a [`TokenCache`](super::TokenCache) can keep: [`TokenizedSft`],
/// [`TokenizedBinary`], [`TokenizedPreference`].
pub trait CacheRow: IndexRow {}

impl<T: IndexRow> CacheRow for T {}

/// How a tokenized example is written to the index and read from it, for the kinds of this crate
/// only.
pub trait IndexRow: Sized {
    /// Part of the key.
    const KIND: &'static str;
    /// Texts, lists and numbers of a row.
    const WORDS: usize;

    /// Hands out texts, then numbers.
    fn write(&self, row: &mut impl IndexWriter);

    /// Takes the same in the same order.
    fn read(row: &mut impl IndexReader) -> Self;
}

/// Takes a row apart.
pub trait IndexWriter {
    /// Writes a list that counts in the report's lengths.
    fn text(&mut self, ids: &TokenIds) {
        self.list(ids);
    }

    fn list(&mut self, list: &TokenIds);
    fn number(&mut self, bits: u64);
}

/// Puts a row together.
pub trait IndexReader {
    fn text(&mut self) -> TokenIds;
    fn list(&mut self) -> TokenIds;
    fn number(&mut self) -> u64;
}

impl IndexRow for TokenizedSft {
    const KIND: &'static str = "sft";
    const WORDS: usize = 3;

    fn write(&self, row: &mut impl IndexWriter) {
        row.text(&self.prompt);
        row.text(&self.completion);
        row.list(&self.runs);
    }

    fn read(row: &mut impl IndexReader) -> Self {
        Self {
            prompt: row.text(),
            completion: row.text(),
            runs: row.list(),
        }
    }
}

impl IndexRow for TokenizedBinary {
    const KIND: &'static str = "binary";
    const WORDS: usize = 4;

    fn write(&self, row: &mut impl IndexWriter) {
        row.text(&self.prompt);
        row.text(&self.completion);
        row.number(u64::from(self.desirable));
        row.number(self.weight.to_bits());
    }

    fn read(row: &mut impl IndexReader) -> Self {
        Self {
            prompt: row.text(),
            completion: row.text(),
            desirable: row.number() != 0,
            weight: f64::from_bits(row.number()),
        }
    }
}

impl IndexRow for TokenizedPreference {
    const KIND: &'static str = "preference";
    const WORDS: usize = 3;

    fn write(&self, row: &mut impl IndexWriter) {
        row.text(&self.prompt);
        row.text(&self.chosen);
        row.text(&self.rejected);
    }

    fn read(row: &mut impl IndexReader) -> Self {
        Self {
            prompt: row.text(),
            chosen: row.text(),
            rejected: row.text(),
        }
    }
}
