//! Losses on pairs.

use super::Objective;
use crate::data::PreferenceBatch;
use crate::loss::{Pair, PreferenceInput, PreferenceLoss, PreferenceOutput, TokenLevel, Tokens};
use crate::model::CausalLm;
use crate::reference::{Reference, TokenReference};
use crate::sequence::Sequences;
use burn::tensor::Tensor;

impl<M: CausalLm, R: Reference<M>, L: PreferenceLoss> Objective<M, R> for L {
    type Batch = PreferenceBatch;
    type Output = PreferenceOutput;

    fn evaluate(&self, policy: &M, reference: &R, batch: PreferenceBatch) -> PreferenceOutput {
        self.compute(input(L::REFERENCE, policy, reference, batch))
    }

    fn prepare(&self, _policy: &M, _reference: &R, window: &mut [PreferenceBatch]) {
        share_length(window);
    }

    fn weight(&self, batch: &PreferenceBatch) -> f64 {
        batch.chosen.dims()[0] as f64
    }

    fn tokens(&self, batch: &PreferenceBatch) -> usize {
        batch.chosen.num_tokens() + batch.rejected.num_tokens()
    }
}

impl<M: CausalLm, R: TokenReference<M>, L: PreferenceLoss> Objective<M, R> for TokenLevel<L> {
    type Batch = PreferenceBatch;
    type Output = PreferenceOutput;

    fn evaluate(&self, policy: &M, reference: &R, batch: PreferenceBatch) -> PreferenceOutput {
        let tokens = |sequences: &Sequences| {
            Tokens::new(
                policy.token_log_probs(sequences),
                reference.token_log_probs(policy, sequences),
                sequences.target_mask(),
            )
        };
        let input = self.input(tokens(&batch.chosen), tokens(&batch.rejected));
        let input = input.with_weights(batch.weights);
        self.loss()
            .compute(input.with_mean_length(batch.mean_length))
    }

    fn prepare(&self, _policy: &M, _reference: &R, window: &mut [PreferenceBatch]) {
        share_length(window);
    }

    fn weight(&self, batch: &PreferenceBatch) -> f64 {
        batch.chosen.dims()[0] as f64
    }

    fn tokens(&self, batch: &PreferenceBatch) -> usize {
        batch.chosen.num_tokens() + batch.rejected.num_tokens()
    }
}

/// The passes of a loss on pairs, the reference's only where it is looked at.
pub(super) fn input<M: CausalLm, R: Reference<M>>(
    with_reference: bool,
    policy: &M,
    reference: &R,
    batch: PreferenceBatch,
) -> PreferenceInput {
    let PreferenceBatch {
        chosen,
        rejected,
        weights,
        mean_length,
        ..
    } = batch;
    let of_policy = Pair::new(policy.log_probs(&chosen), policy.log_probs(&rejected));
    let lengths = Pair::new(lengths(&chosen), lengths(&rejected));
    let input = if with_reference {
        let of_reference = Pair::new(
            reference.log_probs(policy, &chosen),
            reference.log_probs(policy, &rejected),
        );
        PreferenceInput::new(of_policy, of_reference, lengths)
    } else {
        PreferenceInput::without_reference(of_policy, lengths)
    };
    input.with_weights(weights).with_mean_length(mean_length)
}

/// Tells every micro-batch how long the chosen completions of the step are on average, so that the SFT parts of a loss add up to a mean over
/// all of its tokens.
pub(super) fn share_length(window: &mut [PreferenceBatch]) {
    if window.len() < 2 {
        return;
    }
    let scored: usize = window.iter().map(|batch| batch.chosen.num_scored()).sum();
    let pairs: usize = window.iter().map(|batch| batch.chosen.dims()[0]).sum();
    for batch in window {
        batch.mean_length = Some(scored as f64 / pairs as f64);
    }
}

/// Scored tokens of each row, `[batch]`.
fn lengths(sequences: &Sequences) -> Tensor<1> {
    let mask = sequences.target_mask().without_autodiff();
    mask.float().sum_dim(1).squeeze_dim::<1>(1)
}
