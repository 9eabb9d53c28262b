//! Weighted Preference Optimization.

use super::Objective;
use super::forward::forward_objective;
use crate::data::PreferenceBatch;
use crate::logprob::{log_collisions, token_log_probs};
use crate::loss::wpo_weights;
use crate::model::Logits;
use crate::sequence::Sequences;

/// A loss on pairs, each weighted by how likely the policy itself would write both completions:
/// off-policy pairs count less.
///
/// It goes around any objective on pairs that does not sort its batch:
/// `Wpo(DpoLossConfig::new().init())`. It needs the policy's logits, in one more pass without a
/// gradient. The weights multiply those that the batch has.
///
/// # References
///
/// Zhou et al., *WPO*, arXiv:2406.11827; the weight is [`wpo_weights`].
#[derive(Clone, Debug)]
pub struct Wpo<L>(pub L);

impl<M: Logits, R, L: Objective<M, R, Batch = PreferenceBatch>> Objective<M, R> for Wpo<L> {
    type Batch = PreferenceBatch;
    type Output = L::Output;

    fn evaluate(&self, policy: &M, reference: &R, mut batch: PreferenceBatch) -> L::Output {
        let frozen = policy.valid();
        let side = |sequences: &Sequences| {
            let sequences = sequences.without_autodiff();
            let logits = frozen.logits(&sequences);
            let tokens = token_log_probs(logits.clone(), sequences.targets());
            (tokens, log_collisions(logits), sequences.target_mask())
        };
        let weights = wpo_weights(side(&batch.chosen), side(&batch.rejected));
        batch.weights = Some(match batch.weights.take() {
            Some(given) => given.cast(weights.dtype()) * weights,
            None => weights,
        });
        self.0.evaluate(policy, reference, batch)
    }

    fn identity(&self) -> String {
        format!("Wpo({})", self.0.identity())
    }

    forward_objective! { this => (&this.0, &mut this.0), except evaluate identity }
}
