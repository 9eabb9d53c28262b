//! Which examples an epoch has, and in which order.

mod config;
mod group;
mod report;
mod row;
mod select;
mod shares;
mod windows;

pub use config::{Mixing, SamplerConfig, SourceConfig};
pub use report::{SampleCounts, SamplerReport};
pub use row::RowInfo;

use crate::error::Error;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The order of an epoch: each index below `len` once, shuffled.
///
/// It follows from the seed and the epoch alone, so a run continued from a checkpoint needs no
/// state of a generator.
///
/// ```
/// use burn_kto::data::epoch_order;
/// assert_eq!(epoch_order(9, 1, 0), epoch_order(9, 1, 0));
/// assert_ne!(epoch_order(9, 1, 0), epoch_order(9, 1, 1));
/// ```
pub fn epoch_order(len: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut Draw::Order.rng(seed, epoch));
    order
}

/// Chooses and orders the rows of each epoch; made by [`SamplerConfig::init`].
///
/// It has no state. An epoch follows from the settings, the rows, the seed and its number, so that
/// a run goes on from any batch of any epoch by asking for the same epoch again.
///
/// ```
/// use burn_kto::prelude::*;
/// // Twelve rows, every fourth with a thumb down; two completions of each prompt.
/// let row = |i: u64| RowInfo::new(i / 2, 10).with_class(i % 4 != 3);
/// let rows: Vec<RowInfo> = (0..12).map(row).collect();
/// let sampler = SamplerConfig::new().with_stratified(true).init(4, 42)?;
/// let epoch = sampler.epoch(&rows, 0)?;
/// for batch in epoch.chunks(4) {
///     let down = batch.iter().filter(|&&i| rows[i].class == Some(false));
///     assert_eq!(down.count(), 1);
/// }
/// let sampler = SamplerConfig::new().with_class_ratio(Some(1.0)).init(4, 42)?;
/// let report = sampler.report(&rows, 0)?;
/// let counts = "an epoch has 6 of 12 rows (3 of 9 desirable, 3 of 3 undesirable)";
/// assert_eq!(report.to_string(), counts);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    config: SamplerConfig,
    batch_size: usize,
    seed: u64,
}

impl Sampler {
    /// The settings that it was made of.
    pub fn config(&self) -> &SamplerConfig {
        &self.config
    }

    /// The indices of an epoch, in order: each `batch_size` of them are a batch, and fewer at the
    /// end. With ranks, this rank's.
    ///
    /// # Errors
    ///
    /// [`Error::Dataset`] where the rows do not have what an option needs, there are fewer rows
    /// than ranks, or the sources do not make up the rows.
    pub fn epoch(&self, rows: &[RowInfo], epoch: usize) -> Result<Vec<usize>, Error> {
        let mut order = self.selected(rows, epoch)?;
        let mut rng = Draw::Order.rng(self.seed, epoch);
        order.shuffle(&mut rng);
        let order = windows::arranged(order, rows, self, &mut rng);
        let SamplerConfig { ranks, rank, .. } = self.config;
        Ok(order.into_iter().skip(rank).step_by(ranks).collect())
    }

    /// How many indices [`epoch`](Self::epoch) gives, the same on every rank.
    ///
    /// It is the same in every epoch, unless completions are taken in turns and classes are cut or
    /// sources mixed: then it depends on whose turn it is.
    ///
    /// # Errors
    ///
    /// The errors of [`epoch`](Self::epoch).
    pub fn epoch_len(&self, rows: &[RowInfo], epoch: usize) -> Result<usize, Error> {
        let groups = self.groups(rows, epoch)?;
        let all: usize = groups.iter().map(|group| group.share).sum();
        Ok(all / self.config.ranks)
    }

    /// What an epoch has of the rows, over all ranks.
    ///
    /// # Errors
    ///
    /// The errors of [`epoch`](Self::epoch).
    pub fn report(&self, rows: &[RowInfo], epoch: usize) -> Result<SamplerReport, Error> {
        let order = self.selected(rows, epoch)?;
        Ok(SamplerReport::of(rows, &self.sources(rows.len()), &order))
    }

    /// The source of each row; 0 without sources.
    fn sources(&self, len: usize) -> Vec<usize> {
        let sources = self.config.sources.iter().enumerate();
        let each = sources.flat_map(|(i, source)| std::iter::repeat_n(i, source.rows));
        each.chain(std::iter::repeat(0)).take(len).collect()
    }
}

/// What is drawn. Each has streams of its own, one an epoch, so that no option moves what another
/// draws.
#[derive(Clone, Copy)]
enum Draw {
    /// The plain order of [`epoch_order`].
    Order,
    Keep,
    Turns,
    Share,
}

impl Draw {
    fn rng(self, seed: u64, epoch: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((self as u64) << 56 | epoch as u64);
        rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_sees_each_example_once() {
        let mut order = epoch_order(100, 7, 3);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert!(epoch_order(0, 7, 3).is_empty());
    }
}
