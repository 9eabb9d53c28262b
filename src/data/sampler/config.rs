//! The settings of a sampler.

use super::Sampler;
use crate::error::Error;
use burn::config::Config;

/// How many rows an epoch has when sources are mixed. Names are those of Hugging Face's
/// `interleave_datasets`.
#[derive(Config, Copy, Debug, PartialEq, Eq)]
pub enum Mixing {
    /// Rows until the first source has none left: no row is seen twice, larger
    /// sources are cut.
    FirstExhausted,
    /// Rows until every source was seen whole: none is cut, smaller sources are
    /// repeated.
    AllExhausted,
}

/// A part of the data set.
#[derive(Config, Copy, Debug, PartialEq)]
pub struct SourceConfig {
    /// Rows, at least 1. Sources stand one behind the other, in the order of the data set.
    pub rows: usize,
    /// Share of an epoch, relative to those of the other sources. Not negative, finite; 0 leaves
    /// the source out.
    pub weight: f64,
}

/// Which rows an epoch has, and in which order. Without an option: all, shuffled.
///
/// Options compose. Whatever their order here, they act in this one:
///
/// 1. `keep_desirable`, `keep_undesirable`: rows that are dropped for good;
/// 2. `one_per_prompt`: one completion of each prompt;
/// 3. `class_ratio`: the larger class is cut;
/// 4. `sources`: shares of the sources. With them, 1 and 3 act within each source, so that shares
///    and ratio hold together;
/// 5. `ranks`: less than one row a rank is left out, so that shards are of equal size;
/// 6. `stratified`: so many rows of each class for each batch;
/// 7. `length_buckets`: which rows of each class those are. A batch then has both classes at about
///    the same place among the lengths of their class.
///
/// Fractions, ratios and shares hold within one row of each class and source, and what 5 leaves
/// out.
#[derive(Config, Debug, PartialEq)]
pub struct SamplerConfig {
    /// Fraction of the thumbs up that is ever seen, in (0, 1], at least one; the same ones in each
    /// epoch. The imbalance of KTO's ablation.
    #[config(default = 1.0)]
    pub keep_desirable: f64,
    /// Fraction of the thumbs down that is ever seen, in (0, 1], at least one; the same ones in
    /// each epoch.
    #[config(default = 1.0)]
    pub keep_undesirable: f64,
    /// One completion of each prompt an epoch, the next one in the next, in turns: the one-y-per-x
    /// of KTO's ablation.
    #[config(default = false)]
    pub one_per_prompt: bool,
    /// Thumbs up for one thumb down, n_D / n_U, positive and finite. The class that is too large is
    /// cut to it, drawn anew in each epoch.
    #[config(default = "None")]
    pub class_ratio: Option<f64>,
    /// Sources to mix; with none all rows count alike. What is cut, or repeated once more than the
    /// rest, is drawn anew in each epoch.
    #[config(default = "Vec::new()")]
    pub sources: Vec<SourceConfig>,
    /// How many rows an epoch of several sources has.
    #[config(default = "Mixing::FirstExhausted")]
    pub mixing: Mixing,
    /// Spreads the classes over the batches: each has both, as long as there are enough rows, in
    /// proportions as even as whole rows allow. Needs batches of two or more; a last batch of one
    /// row has one class.
    #[config(default = false)]
    pub stratified: bool,
    /// Batches of rows of similar length, which need less padding. So many batches are sorted
    /// together, at least 2 and no more than a quarter of the epoch has: more are tighter, fewer
    /// more random; 50 is usual.
    #[config(default = "None")]
    pub length_buckets: Option<usize>,
    /// Processes that share an epoch, at least 1. Each gets every `ranks`-th row of one order; a
    /// batch counts as one rank's.
    #[config(default = 1)]
    pub ranks: usize,
    /// Which of them this is, below `ranks`.
    #[config(default = 0)]
    pub rank: usize,
}

impl SamplerConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// For the first field out of its range.
    pub fn validate(&self) -> Result<(), Error> {
        let fractions = [
            ("keep_desirable", self.keep_desirable),
            ("keep_undesirable", self.keep_undesirable),
        ];
        for (field, fraction) in fractions {
            let ok = fraction > 0.0 && fraction <= 1.0;
            Error::check(ok, field, "must be in (0, 1]", fraction)?;
        }
        if let Some(ratio) = self.class_ratio {
            let ok = ratio > 0.0 && ratio.is_finite();
            Error::check(ok, "class_ratio", "must be positive and finite", ratio)?;
        }
        for source in &self.sources {
            Error::check(source.rows > 0, "rows", "must be at least 1", 0)?;
            let ok = source.weight >= 0.0 && source.weight.is_finite();
            let reason = "must not be negative, and finite";
            Error::check(ok, "weight", reason, source.weight)?;
        }
        let sum: f64 = self.sources.iter().map(|source| source.weight).sum();
        let ok = self.sources.is_empty() || sum > 0.0 && sum.is_finite();
        let reason = "must have a positive and finite sum of weights";
        Error::check(ok, "sources", reason, sum)?;
        let windows = self.length_buckets.unwrap_or(2);
        Error::check(windows > 1, "length_buckets", "must be at least 2", windows)?;
        Error::check(self.ranks > 0, "ranks", "must be at least 1", 0)?;
        let got = format!("{} of {}", self.rank, self.ranks);
        Error::check(self.rank < self.ranks, "rank", "must be below ranks", got)
    }

    /// Builds the sampler for batches of this size and draws of this seed.
    ///
    /// # Errors
    ///
    /// The errors of [`validate`](Self::validate); for batches without a row, or too small to be
    /// stratified.
    pub fn init(&self, batch_size: usize, seed: u64) -> Result<Sampler, Error> {
        self.validate()?;
        let (least, reason) = match self.stratified {
            true => (2, "must be at least 2 to be stratified"),
            false => (1, "must be at least 1"),
        };
        Error::check(batch_size >= least, "batch_size", reason, batch_size)?;
        Ok(Sampler {
            config: self.clone(),
            batch_size,
            seed,
        })
    }
}
