//! A loss together with the passes through the models that it needs.

mod beta_dpo;
mod binary;
mod fingerprint;
pub(crate) mod forward;
mod preference;
mod reward;
mod sft;
pub(in crate::train) mod state;
mod wpo;

pub use beta_dpo::{BetaDpo, BetaDpoConfig};
pub use fingerprint::Fingerprint;
#[cfg(feature = "train")]
pub(in crate::train) use fingerprint::agree;
pub use sft::SmoothedSft;
pub use wpo::Wpo;

use super::metrics::Metrics;
use crate::error::Error;
use serde_json::Value;

/// A loss that can be computed from a batch. Implemented by the losses.
///
/// | objective | passes with gradient | passes without |
/// |---|---|---|
/// | [`KtoLoss`](crate::loss::KtoLoss) | completions | reference on completions; policy and reference on mismatched pairs, unless z0 is fixed |
/// | [`BcoLoss`](crate::loss::BcoLoss) | completions | reference on completions |
/// | every [`PreferenceLoss`](crate::loss::PreferenceLoss) | chosen, rejected | reference on both, where the loss has one |
/// | [`TokenLevel`](crate::loss::TokenLevel) | as the loss inside | as the loss inside, token by token |
/// | [`Wpo`] | as the loss inside | and the policy's logits of chosen and rejected |
/// | [`RewardLoss`](crate::loss::RewardLoss) | chosen, rejected | |
/// | [`SftLoss`](crate::loss::SftLoss), [`SmoothedSft`] | completions | |
///
/// Some objectives carry something from step to step: a running mean, a moving β. Evaluating never
/// changes it; [`observe`](Self::observe) does, after a step. A second run with the same object
/// goes on from there: build a new one for a new run.
///
/// # Example
///
/// One method makes an objective; the others say more about it. Here the mean log-probability of
/// completions under a reference that is not looked at:
///
/// ```
/// use burn::{module::Module, tensor::{Device, Tensor}};
/// use burn_kto::prelude::*;
///
/// /// Every token has probability 1/4.
/// #[derive(Module, Debug)]
/// struct Uniform {
///     choices: usize,
/// }
///
/// impl CausalLm for Uniform {
///     fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2> {
///         let mask = sequences.target_mask();
///         let all = Tensor::full(mask.dims(), -(self.choices as f64).ln(), &mask.device());
///         all.mask_fill(mask.bool_not(), 0.0)
///     }
/// }
///
/// struct Surprise;
///
/// impl<M: CausalLm, R> Objective<M, R> for Surprise {
///     type Batch = Sequences;
///     type Output = Tensor<1>;
///
///     fn evaluate(&self, policy: &M, _reference: &R, batch: Sequences) -> Tensor<1> {
///         policy.log_probs(&batch).mean().neg()
///     }
/// }
///
/// let batch = Sequences::padded([(&[1_u32][..], &[2, 3][..])], 0, &Device::flex());
/// let loss = Surprise.evaluate(&Uniform { choices: 4 }, &ReferenceFree, batch);
/// assert!((loss.into_scalar::<f32>() - 2.0 * 4.0_f32.ln()).abs() < 1e-6);
/// ```
///
/// [`Trainer::fit`](crate::train::Trainer::fit) also asks that the output is a
/// [`LossOutput`](crate::train::LossOutput), which says what the loss is and what to report.
///
/// # Panics
///
/// The losses panic where tensors of a batch do not agree in shape, as Burn does.
pub trait Objective<M, R> {
    /// What one pass works on.
    type Batch;
    /// What comes out.
    type Output;

    /// The loss of a batch, differentiable in the policy only.
    fn evaluate(&self, policy: &M, reference: &R, batch: Self::Batch) -> Self::Output;

    /// Whether a batch can be evaluated with these models: [`Trainer`](crate::train::Trainer) asks
    /// before it does, so that what cannot be is an error and no panic. Yes by default.
    ///
    /// # Errors
    ///
    /// Where tokens are none of the policy's, sequences are too long for it, or the loss needs what
    /// batch or reference do not have.
    fn check(&self, policy: &M, reference: &R, batch: &Self::Batch) -> Result<(), Error> {
        let _ = (policy, reference, batch);
        Ok(())
    }

    /// What policy and reference say of a batch of a few rows: by it a checkpoint knows the models
    /// that its run began with. Empty by default, which says nothing.
    fn fingerprint(&self, policy: &M, reference: &R, batch: &Self::Batch) -> Fingerprint {
        let _ = (policy, reference, batch);
        Fingerprint::default()
    }

    /// Called once an optimizer step with all of its micro-batches, before any of them is
    /// evaluated.
    ///
    /// Estimates what is taken over the whole step. Does nothing by default.
    fn prepare(&self, policy: &M, reference: &R, window: &mut [Self::Batch]) {
        let _ = (policy, reference, window);
    }

    /// What a batch counts in the mean over an optimizer step: its examples, or its scored tokens.
    /// 1 by default.
    fn weight(&self, batch: &Self::Batch) -> f64 {
        let _ = batch;
        1.0
    }

    /// Tokens that the policy reads with a gradient, to report the speed. 0 by default.
    fn tokens(&self, batch: &Self::Batch) -> usize {
        let _ = batch;
        0
    }

    /// What is known of a batch before it is evaluated, to be reported as means: name, sum and
    /// count. Nothing by default.
    fn facts(&self, batch: &Self::Batch) -> Vec<(&'static str, f64, f64)> {
        let _ = batch;
        Vec::new()
    }

    /// Called after each optimizer step of training with what it reports. Does nothing by default.
    fn observe(&mut self, metrics: &Metrics) {
        let _ = metrics;
    }

    /// What it works with at the moment, to be reported beside the metrics: a moving β, say.
    /// Nothing by default.
    fn settings(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// Whether the rewards that it reports are relative to the reference: 0 as long as the policy
    /// is the reference. False by default, which says nothing.
    fn relative_rewards(&self) -> bool {
        false
    }

    /// The name of the loss and its settings: a run is continued with the same only. What moves
    /// while it trains may be part of it as long as [`restore`](Self::restore) brings it back: the
    /// trainer asks with the state restored that the run began with. Empty by default, which says
    /// nothing.
    fn identity(&self) -> String {
        String::new()
    }

    /// The state that it carries from step to step, for a checkpoint; null by default.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Goes on from such a state.
    ///
    /// # Errors
    ///
    /// [`Error::State`] if the state is that of another objective.
    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        state::restored(state)
    }
}
