//! Where the reference log-probabilities come from.
//!
//! | I have | use | it holds | a step costs |
//! |---|---|---|---|
//! | a model, all of it trained | [`Frozen`] of the model before training, the default | a second copy of the weights, shared until the policy moves | a forward pass |
//! | the same, and several epochs over the data | [`Cached`], for pairs, and for KTO with a fixed z0: its mismatched pairs are new at every step | a number a sequence, and the model until it is dropped | nothing once known |
//! | a model with a fresh adapter | [`AdapterOff`]: the policy without its adapter | nothing | a forward pass |
//! | a model with an adapter from SFT, which goes on learning | [`Frozen`] of the adapted policy before training | the adapter as it was; the base is shared, since it never moves | a forward pass |
//! | no memory or time for a reference | [`ReferenceFree`]: a uniform π_ref | nothing | nothing |
//! | a reference that is to follow the policy (TR-DPO, humanline) | [`Moving`] | as `Frozen` | a forward pass |
//!
//! The fourth row is where most is lost in silence. A policy is compared with what it was before
//! alignment, and after SFT that is the base *with* its adapter: [`AdapterOff`] would compare it
//! with the base, count what SFT taught as a deviation from the reference, and start with rewards
//! other than 0. `rewards/chosen` and `rewards/rejected` of the evaluation before the first step
//! show it: both are 0 where the reference is the policy as it was.
//!
//! ```
//! use burn::module::{Lora, Module, ParamGroup};
//! use burn::tensor::Device;
//! use burn_kto::prelude::*;
//! # #[derive(Module, Debug)]
//! # struct Bigram { table: burn::module::Param<burn::tensor::Tensor<2>> }
//! # impl CausalLm for Bigram {
//! #     fn token_log_probs(&self, sequences: &Sequences) -> burn::tensor::Tensor<2> {
//! #         let [batch, seq] = sequences.dims();
//! #         let context = sequences.tokens.clone().narrow(1, 0, seq - 1);
//! #         let rows = self.table.val().select(0, context.reshape([-1]));
//! #         let logits = rows.reshape([batch, seq - 1, 6]);
//! #         let log_probs = token_log_probs(logits, sequences.targets());
//! #         log_probs.mask_fill(sequences.target_mask().bool_not(), 0.0)
//! #     }
//! # }
//! # let device = Device::flex().autodiff();
//! # let uniform = burn::tensor::Distribution::Default;
//! # let table = burn::tensor::Tensor::random([6, 6], uniform, &device);
//! # let model = Bigram { table: burn::module::Param::from_tensor(table) };
//! let group = ParamGroup::from_regex("table").unwrap();
//! let policy = model.apply_lora(Lora::new(2, 4.0).set_param_group(group));
//! // … SFT of the adapter, then, before KTO or DPO goes on with it:
//! let reference = Frozen::new(&policy); // not AdapterOff, which is the model before SFT
//! # let rows: [(&[u32], &[u32]); 1] = [(&[1], &[2])];
//! # let sequences = Sequences::padded(rows, 0, &device);
//! # let of = |x: burn::tensor::Tensor<1>| x.into_scalar::<f32>();
//! # assert_eq!(of(reference.log_probs(&policy, &sequences)), of(policy.log_probs(&sequences)));
//! ```
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

/// The identity of references that say the same of the same sequence at every step.
pub(crate) const FIXED: &str = "fixed";

/// log π_ref of given sequences.
pub trait Reference<M> {
    /// Whether there is no reference model: log-ratios are then log-probabilities, and z0 is not
    /// clamped at 0 (KTO paper v5, §4.3).
    const FREE: bool = false;

    /// Sum over the completion tokens, `[batch]`, on the plain device: it never carries a gradient.
    fn log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<1>;

    /// Whether it can say something about these sequences. The trainer asks before it does, so that
    /// what cannot be is an error and no panic. Yes by default.
    ///
    /// # Errors
    ///
    /// Where the policy is not one that it goes with, or a sequence is not known.
    fn check(&self, policy: &M, sequences: &Sequences) -> Result<(), Error> {
        let _ = (policy, sequences);
        Ok(())
    }

    /// Called by the trainer after optimizer step number `step`, counted from 1, with the policy as
    /// it is then. Does nothing by default.
    fn follow(&self, policy: &M, step: usize) {
        let _ = (policy, step);
    }

    /// The kind of reference it is: a run is continued with the same kind only. Those that give the
    /// same numbers are of one kind, `fixed`.
    fn identity(&self) -> String {
        if Self::FREE { "free" } else { FIXED }.to_string()
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
