//! Losses on demonstrations.

use super::fingerprint::check_models;
use super::forward::forward_objective;
use super::{Fingerprint, Objective};
use crate::error::Error;
use crate::logprob::{token_log_probs, uniform_log_probs};
use crate::loss::{SftLoss, SftOutput};
use crate::model::{CausalLm, Logits};
use crate::reference::ReferenceFree;
use crate::sequence::Sequences;

impl<M: CausalLm, R> Objective<M, R> for SftLoss {
    type Batch = Sequences;
    type Output = SftOutput;

    /// The reference is not looked at.
    ///
    /// # Panics
    ///
    /// If labels are to be smoothed: that is for [`SmoothedSft`].
    fn evaluate(&self, policy: &M, _reference: &R, batch: Sequences) -> SftOutput {
        self.forward(policy.token_log_probs(&batch), batch.target_mask())
    }

    fn check(&self, policy: &M, _reference: &R, batch: &Sequences) -> Result<(), Error> {
        check_models(policy, None::<&ReferenceFree>, batch)
    }

    fn fingerprint(&self, policy: &M, _reference: &R, batch: &Sequences) -> Fingerprint {
        Fingerprint::of(policy, None::<&ReferenceFree>, batch)
    }

    fn weight(&self, batch: &Sequences) -> f64 {
        batch.num_scored() as f64
    }

    fn tokens(&self, batch: &Sequences) -> usize {
        batch.num_tokens()
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }
}

/// [`SftLoss`] with smoothed labels, for models that give their logits.
#[derive(Clone, Debug)]
pub struct SmoothedSft(pub SftLoss);

impl<M: Logits, R> Objective<M, R> for SmoothedSft {
    type Batch = Sequences;
    type Output = SftOutput;

    /// The reference is not looked at.
    fn evaluate(&self, policy: &M, _reference: &R, batch: Sequences) -> SftOutput {
        let logits = policy.logits(&batch);
        let tokens = token_log_probs(logits.clone(), batch.targets());
        let uniform = uniform_log_probs(logits);
        self.0
            .forward_smoothed(tokens, uniform, batch.target_mask())
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }

    forward_objective! { this => (&this.0, &mut this.0), except evaluate identity }
}
