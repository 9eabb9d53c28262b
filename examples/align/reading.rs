//! How the feedback is read.

use burn_kto::prelude::*;
use clap::{Args, ValueEnum};

/// For `--data`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Reading {
    /// Form of the rows, if their columns should not tell: columns, hh, oasst, shp, ultra-feedback, halos, sharegpt, alpaca.
    #[arg(long, requires = "model")]
    format: Option<Format>,

    /// A row that would be dropped is an error instead.
    #[arg(long, requires = "model")]
    pub(crate) strict: bool,

    /// Ranked or rated answers of a prompt: which pairs are made of them.
    #[arg(long, value_enum, default_value_t = Pairs::Adjacent, requires = "model")]
    pairs: Pairs,

    /// SHP: leave out pairs of which one score is not at least so many times the other; 2 is usual.
    #[arg(long, value_name = "RATIO", default_value_t = 1.0, requires = "model")]
    score_ratio: f64,

    /// OpenAssistant: leave out messages in other languages than this one, such as en.
    #[arg(long, requires = "model")]
    language: Option<String>,

    /// At most so many of a prompt, drawn at random.
    #[arg(long, value_name = "N", requires = "model", value_parser = clap::value_parser!(u32).range(1..))]
    per_prompt: Option<u32>,

    /// Demonstrations: every turn of the assistant in a conversation is one, not only the last.
    #[arg(long, requires = "model")]
    pub(crate) every_turn: bool,

    /// Demonstrations: score all that the chat template has in {% generation %}, every turn of the assistant in one pass.
    #[arg(long, requires = "model", conflicts_with = "every_turn")]
    pub(crate) generation_marks: bool,

    /// Special tokens that the texts spell are special tokens: for data that a template wrote and nobody else could.
    #[arg(long, requires = "model")]
    special_tokens_in_text: bool,

    /// Leave out what was there before.
    #[arg(long, requires = "model")]
    without_duplicates: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Pairs {
    /// Neighbours in the order.
    Adjacent,
    /// Each with all that are worse.
    All,
    /// The best with the worst.
    Extremes,
}

impl Reading {
    pub(crate) fn encoder<'a>(&self, encoder: Encoder<'a>) -> Encoder<'a> {
        let mut encoder = encoder;
        if self.generation_marks {
            encoder = encoder.with_generation_marks();
        }
        if self.special_tokens_in_text {
            encoder = encoder.with_special_tokens_in_text();
        }
        encoder
    }

    pub(crate) fn reader(&self, seed: u64) -> Reader {
        let mut reader = Reader::new()
            .with_seed(seed)
            .with_score_ratio(self.score_ratio)
            .with_pairs(match self.pairs {
                Pairs::Adjacent => RankedPairs::Adjacent,
                Pairs::All => RankedPairs::All,
                Pairs::Extremes => RankedPairs::Extremes,
            });
        if let Some(format) = self.format {
            reader = reader.with_format(format);
        }
        if let Some(language) = &self.language {
            reader = reader.with_language(language);
        }
        if let Some(most) = self.per_prompt {
            reader = reader.with_per_prompt(most as usize);
        }
        if self.strict {
            reader = reader.with_strict();
        }
        if self.every_turn {
            reader = reader.with_every_turn();
        }
        if self.without_duplicates {
            reader = reader.without_duplicates();
        }
        reader
    }
}

/// What became of the rows, indented behind `data`.
pub(crate) fn told(report: &ReadReport) {
    println!("data   {}", report.table().replace('\n', "\n       "));
}
