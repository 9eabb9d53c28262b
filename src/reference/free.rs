//! No reference.

use super::{Reference, TokenReference};
use crate::sequence::Sequences;
use burn::tensor::Tensor;

/// A uniform π_ref: its log-probability is a constant that cancels, and log-ratios are
/// log-probabilities.
///
/// With KTO, r − z0 becomes log π(y|x) minus its mean over mismatched pairs, without the clamp; the
/// paper's best λ_D is then 1.75 (arXiv:2402.01306 v5, §4.3). One model in memory, half of the
/// passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceFree;

impl<M> Reference<M> for ReferenceFree {
    const FREE: bool = true;

    fn log_probs(&self, _policy: &M, sequences: &Sequences) -> Tensor<1> {
        let [batch, _] = sequences.dims();
        Tensor::zeros([batch], &sequences.tokens.device().inner())
    }
}

impl<M> TokenReference<M> for ReferenceFree {
    fn token_log_probs(&self, _policy: &M, sequences: &Sequences) -> Tensor<2> {
        let [batch, seq] = sequences.dims();
        Tensor::zeros([batch, seq - 1], &sequences.tokens.device().inner())
    }
}
