//! A loss together with the passes through the models that it needs.

mod beta_dpo;
mod binary;
mod preference;
mod reward;
mod sft;
mod wpo;

pub use beta_dpo::{BetaDpo, BetaDpoConfig};
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
pub trait Objective<M, R> {
    /// What one pass works on.
    type Batch;
    /// What comes out.
    type Output;

    /// The loss of a batch, differentiable in the policy only.
    fn evaluate(&self, policy: &M, reference: &R, batch: Self::Batch) -> Self::Output;

    /// Called once an optimizer step with all of its micro-batches, before any of them is
    /// evaluated.
    ///
    /// For what is estimated over the whole step. Does nothing by default.
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

    /// Which loss it is and how it is set, before training: a run is continued with the same only.
    /// Empty by default, which says nothing.
    fn identity(&self) -> String {
        String::new()
    }

    /// What it carries from step to step, for a checkpoint; null by default.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Goes on from such a state.
    ///
    /// # Errors
    ///
    /// If the state is that of another objective.
    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        restored(state)
    }
}

/// A state read back; null for an objective without one.
pub(in crate::train) fn restored<S: serde::de::DeserializeOwned>(
    state: &Value,
) -> Result<S, Error> {
    S::deserialize(state).map_err(|error| Error::Dataset {
        message: format!("the state {state} is that of another objective: {error}"),
    })
}

/// As JSON.
pub(super) fn saved(state: impl serde::Serialize) -> Value {
    // Numbers and options of them always have a JSON form.
    serde_json::to_value(state).unwrap_or(Value::Null)
}
