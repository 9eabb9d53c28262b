//! Where the reference log-probabilities come from.
//!
//! | reference | holds | a step costs | when |
//! |---|---|---|---|
//! | [`Frozen`] | a second copy of the weights (shared until the policy moves) | a forward pass | the default |
//! | [`Cached`] | a number a sequence, and a model until it is dropped | nothing once known | several epochs; pairs, or KTO with a fixed z0, with memory for one model only |
//! | [`AdapterOff`] | nothing | a forward pass | LoRA: the policy without its adapters |
//! | [`ReferenceFree`] | nothing | nothing | no reference at all: a uniform π_ref |
//! | [`Moving`] | as `Frozen` | a forward pass | TR-DPO, humanline: the reference follows the policy |
//!
//! All are a [`TokenReference`] as well, for losses that look at single tokens; [`Cached`] does not
//! remember those. [`ReferenceChoice`] builds one from a setting.

mod adapter;
mod cached;
mod choice;
mod free;
mod frozen;
mod moving;

pub use adapter::AdapterOff;
pub use cached::Cached;
pub use choice::{ChosenReference, ReferenceChoice, ReferenceModel};
pub use free::ReferenceFree;
pub use frozen::Frozen;
pub use moving::{Moving, MovingConfig};

use crate::error::Error;
use crate::sequence::Sequences;
use burn::tensor::Tensor;
use std::path::Path;

/// log π_ref of given sequences.
pub trait Reference<M> {
    /// Whether there is no reference model: log-ratios are then log-probabilities, and z0 is not
    /// clamped at 0 (KTO paper v5, §4.3).
    const FREE: bool = false;

    /// Sum over the completion tokens, `[batch]`, on the plain device: it never carries a gradient.
    fn log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<1>;

    /// Called by the trainer after optimizer step number `step`, counted from 1, with the policy as
    /// it is then. Does nothing by default.
    fn follow(&self, policy: &M, step: usize) {
        let _ = (policy, step);
    }

    /// Of which kind it is: a run is continued with the same kind only. Those that give the same
    /// numbers are of one kind, `fixed`.
    fn identity(&self) -> String {
        if Self::FREE { "free" } else { "fixed" }.to_string()
    }

    /// Writes into a checkpoint's folder what cannot be had again otherwise. Nothing by default.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn save(&self, folder: &Path) -> Result<(), Error> {
        let _ = folder;
        Ok(())
    }

    /// Reads it back.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn load(&self, folder: &Path) -> Result<(), Error> {
        let _ = folder;
        Ok(())
    }
}

/// log π_ref of single tokens.
pub trait TokenReference<M>: Reference<M> {
    /// `[batch, seq - 1]`, zero where the next token is not a completion token, on the plain
    /// device.
    fn token_log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<2>;
}
