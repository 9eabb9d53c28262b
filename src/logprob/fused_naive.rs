//! Stands in for the fused operation in a build without any of this crate's backend features: same
//! numbers, with the logits.

use super::token_log_probs;
use crate::math::upcast;
use burn::tensor::{Int, Tensor};

/// The same function as in `fused_op.rs`; without the operation there are no tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    #[allow(dead_code)]
    pub(super) row_tile: usize,
    #[allow(dead_code)]
    pub(super) vocab_tile: usize,
    pub(super) bias: bool,
}

pub(super) fn linear_log_probs(
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    targets: Tensor<1, Int>,
    options: Options,
) -> Tensor<1> {
    let mut logits = upcast(hidden).matmul(upcast(weight).transpose());
    if options.bias {
        logits = logits + upcast(bias).unsqueeze();
    }
    token_log_probs(logits.unsqueeze(), targets.unsqueeze()).squeeze_dim::<1>(0)
}
