//! What makes batches of examples.

use crate::data::sampler::RowInfo;
use crate::error::Error;
use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;

/// Makes the batches of an optimizer step.
pub trait Batcher {
    /// A tokenized example.
    type Example;
    /// What one pass works on.
    type Batch;

    /// A number that other examples would not have, so that a run is continued on its own data
    /// only. 0 by default, which says nothing.
    fn fingerprint(&self, dataset: &[Self::Example]) -> u64 {
        let _ = dataset;
        0
    }

    /// What a sampler looks at, in the order of `dataset`. Nothing is known by default, and options
    /// that need it are refused.
    fn describe(&self, dataset: &[Self::Example]) -> Vec<RowInfo> {
        vec![RowInfo::default(); dataset.len()]
    }

    /// The examples `indices` of `dataset`, as micro-batches of at most `micro_batch_size`
    /// examples, in order.
    ///
    /// What is drawn at random comes from `rng` alone.
    ///
    /// # Errors
    ///
    /// Where the examples do not allow a batch.
    fn window(
        &self,
        dataset: &[Self::Example],
        indices: &[usize],
        micro_batch_size: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Vec<Self::Batch>, Error>;
}

/// FNV-1a over everything in it: the same in every release of Rust, unlike the standard hasher.
pub(super) fn fingerprint_of(parts: impl Iterator<Item = u64>) -> u64 {
    let bytes = parts.flat_map(u64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Ids behind their number, so that their borders count.
pub(super) fn ids(ids: &[u32]) -> impl Iterator<Item = u64> {
    std::iter::once(ids.len() as u64).chain(ids.iter().map(|&id| u64::from(id)))
}

/// The row of a prompt and the longest of its completions.
pub(super) fn row(prompt: &[u32], completion: usize) -> RowInfo {
    RowInfo::new(fingerprint_of(ids(prompt)), prompt.len() + completion)
}
