//! To come.
use crate::Error;
use crate::sequence::Sequences;
use burn::tensor::{Bool, Device, Tensor};
use rand_chacha::ChaCha8Rng;
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BinaryBatch {
    pub completions: Sequences,
    pub mismatched: Sequences,
    pub desirable: Tensor<1, Bool>,
    pub kl: Option<Tensor<1>>,
}
impl BinaryBatch {
    pub fn new(completions: Sequences, mismatched: Sequences, desirable: Tensor<1, Bool>) -> Self {
        Self {
            completions,
            mismatched,
            desirable,
            kl: None,
        }
    }
    pub fn with_kl(mut self, kl: Tensor<1>) -> Self {
        self.kl = Some(kl);
        self
    }
}
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PreferenceBatch {
    pub chosen: Sequences,
    pub rejected: Sequences,
}
pub trait Batcher {
    type Example;
    type Batch;
    fn window(
        &self,
        dataset: &[Self::Example],
        indices: &[usize],
        micro_batch_size: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Vec<Self::Batch>, Error>;
}
pub fn epoch_order(_len: usize, _seed: u64, _epoch: usize) -> Vec<usize> {
    vec![]
}
impl PreferenceBatch {
    #[allow(missing_docs)]
    pub fn new(chosen: Sequences, rejected: Sequences) -> Self {
        Self { chosen, rejected }
    }
}
