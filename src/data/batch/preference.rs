//! Batches of pairs.

use super::batcher::{Batcher, fingerprint_of, ids, row};
use super::batches::PreferenceBatch;
use crate::data::sampler::RowInfo;
use crate::data::tokens::examples::TokenizedPreference;
use crate::error::Error;
use crate::sequence::Sequences;
use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;

/// Pads pairs, the chosen and the rejected each to their own longest.
#[derive(Clone, Copy, Debug)]
pub struct PreferenceBatcher {
    pad: u32,
}

impl PreferenceBatcher {
    /// Padding with this id.
    pub fn new(pad: u32) -> Self {
        Self { pad }
    }

    /// One batch, for a loop of one's own.
    ///
    /// # Panics
    ///
    /// Without an example.
    pub fn batch(&self, examples: &[TokenizedPreference], device: &Device) -> PreferenceBatch {
        self.pairs(&examples.iter().collect::<Vec<_>>(), device)
    }

    fn pairs(&self, examples: &[&TokenizedPreference], device: &Device) -> PreferenceBatch {
        let chosen = examples.iter().map(|e| (&e.prompt[..], &e.chosen[..]));
        let rejected = examples.iter().map(|e| (&e.prompt[..], &e.rejected[..]));
        PreferenceBatch::new(
            Sequences::padded(chosen, self.pad, device),
            Sequences::padded(rejected, self.pad, device),
        )
    }
}

impl Batcher for PreferenceBatcher {
    type Example = TokenizedPreference;
    type Batch = PreferenceBatch;

    fn fingerprint(&self, dataset: &[TokenizedPreference]) -> u64 {
        let rows = dataset.iter();
        fingerprint_of(
            rows.flat_map(|e| ids(&e.prompt).chain(ids(&e.chosen)).chain(ids(&e.rejected))),
        )
    }

    fn describe(&self, dataset: &[TokenizedPreference]) -> Vec<RowInfo> {
        let row = |e: &TokenizedPreference| row(&e.prompt, e.chosen.len().max(e.rejected.len()));
        dataset.iter().map(row).collect()
    }

    fn window(
        &self,
        dataset: &[TokenizedPreference],
        indices: &[usize],
        micro_batch_size: usize,
        _rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Vec<PreferenceBatch>, Error> {
        let batch = |rows: &[usize]| {
            let rows: Vec<_> = rows.iter().map(|&i| &dataset[i]).collect();
            self.pairs(&rows, device)
        };
        Ok(indices.chunks(micro_batch_size).map(batch).collect())
    }
}
