//! Batches of demonstrations.

use super::batcher::{Batcher, fingerprint_of, ids, row};
use crate::data::sampler::RowInfo;
use crate::data::tokens::examples::TokenizedSft;
use crate::error::Error;
use crate::sequence::{SequenceIds, Sequences};
use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;

/// Pads demonstrations.
#[derive(Clone, Copy, Debug)]
pub struct SftBatcher {
    pad: u32,
}

impl SftBatcher {
    /// Padding with this id.
    pub fn new(pad: u32) -> Self {
        Self { pad }
    }

    /// One batch, for a loop of one's own.
    ///
    /// # Panics
    ///
    /// Without an example.
    pub fn batch(&self, examples: &[TokenizedSft], device: &Device) -> Sequences {
        Sequences::padded_rows(examples.iter().map(demonstration), self.pad, device)
    }
}

fn demonstration(example: &TokenizedSft) -> SequenceIds<'_> {
    SequenceIds {
        prompt: &example.prompt,
        completion: &example.completion,
        runs: &example.runs,
    }
}

impl Batcher for SftBatcher {
    type Example = TokenizedSft;
    type Batch = Sequences;

    fn fingerprint(&self, dataset: &[TokenizedSft]) -> u64 {
        let rows = dataset.iter();
        fingerprint_of(rows.flat_map(|e| {
            [&e.prompt, &e.completion, &e.runs]
                .into_iter()
                .flat_map(|l| ids(l))
        }))
    }

    fn describe(&self, dataset: &[TokenizedSft]) -> Vec<RowInfo> {
        let row = |e: &TokenizedSft| row(&e.prompt, e.completion.len());
        dataset.iter().map(row).collect()
    }

    fn window(
        &self,
        dataset: &[TokenizedSft],
        indices: &[usize],
        micro_batch_size: usize,
        _rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Vec<Sequences>, Error> {
        let batch = |rows: &[usize]| {
            let rows = rows.iter().map(|&i| demonstration(&dataset[i]));
            Sequences::padded_rows(rows, self.pad, device)
        };
        Ok(indices.chunks(micro_batch_size).map(batch).collect())
    }
}
