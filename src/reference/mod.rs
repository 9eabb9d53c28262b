//! Where the reference log-probabilities come from.
//!
//! | reference | holds | a step costs | when |
//! |---|---|---|---|
//! | [`Frozen`] | a second copy of the weights (shared until the policy moves) | a forward pass | the default |
//! | [`Cached`] | a number a sequence, and a model until it is dropped | nothing once known | several epochs, or memory for one model only |
//! | [`AdapterOff`] | nothing | a forward pass | LoRA: the policy without its adapters |
//! | [`ReferenceFree`] | nothing | nothing | no reference at all: a uniform π_ref |

mod adapter;
mod cached;
mod free;
mod frozen;

pub use adapter::AdapterOff;
pub use cached::Cached;
pub use free::ReferenceFree;
pub use frozen::Frozen;

use crate::sequence::Sequences;
use burn::tensor::Tensor;

/// log π_ref of given sequences.
pub trait Reference<M> {
    /// Whether there is no reference model: log-ratios are then log-probabilities, and z0 is not clamped at 0 (KTO paper v5, §4.3).
    const FREE: bool = false;

    /// Sum over the completion tokens, `[batch]`, on the plain device: it never carries a gradient.
    fn log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<1>;
}
