//! Losses on pairs.

use super::binary::UNBOUNDED;
use super::fingerprint::check_models;
use super::forward::forward_objective;
use super::{Fingerprint, Objective};
use crate::data::PreferenceBatch;
use crate::error::Error;
use crate::loss::{Pair, PreferenceInput, PreferenceLoss, PreferenceOutput, TokenLevel, Tokens};
use crate::model::CausalLm;
use crate::reference::{Reference, TokenReference};
use crate::sequence::Sequences;
use burn::tensor::{FloatDType, Tensor};

impl<M: CausalLm, R: Reference<M>, L: PreferenceLoss> Objective<M, R> for L {
    type Batch = PreferenceBatch;
    type Output = PreferenceOutput;

    fn evaluate(&self, policy: &M, reference: &R, batch: PreferenceBatch) -> PreferenceOutput {
        self.compute(input(L::REFERENCE, policy, reference, batch))
    }

    fn check(&self, policy: &M, reference: &R, batch: &PreferenceBatch) -> Result<(), Error> {
        check_pair(L::REFERENCE, policy, reference, batch)
    }

    fn fingerprint(&self, policy: &M, reference: &R, batch: &PreferenceBatch) -> Fingerprint {
        Fingerprint::of(policy, L::REFERENCE.then_some(reference), &batch.chosen)
    }

    fn prepare(&self, _policy: &M, _reference: &R, window: &mut [PreferenceBatch]) {
        share_length(window);
    }

    fn weight(&self, batch: &PreferenceBatch) -> f64 {
        batch.pairs() as f64
    }

    fn tokens(&self, batch: &PreferenceBatch) -> usize {
        batch.num_tokens()
    }

    fn relative_rewards(&self) -> bool {
        L::REFERENCE
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }
}

impl<M: CausalLm, R: TokenReference<M>, L: PreferenceLoss> Objective<M, R> for TokenLevel<L> {
    type Batch = PreferenceBatch;
    type Output = PreferenceOutput;

    fn evaluate(&self, policy: &M, reference: &R, batch: PreferenceBatch) -> PreferenceOutput {
        assert!(!R::FREE || !self.is_bounded(), "{UNBOUNDED}");
        let tokens = |sequences: &Sequences| {
            let of_policy = policy.token_log_probs(sequences);
            // Bounds are on log-ratios, so they need a reference even where the loss does not.
            let of_reference = if L::REFERENCE || self.is_bounded() {
                reference.token_log_probs(policy, sequences)
            } else {
                of_policy.zeros_like().without_autodiff()
            };
            Tokens::new(of_policy, of_reference, sequences.target_mask())
        };
        let input = self.input(tokens(&batch.chosen), tokens(&batch.rejected));
        let input = input.with_weights(batch.weights);
        self.loss()
            .compute(input.with_mean_length(batch.mean_length))
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }

    fn check(&self, policy: &M, reference: &R, batch: &PreferenceBatch) -> Result<(), Error> {
        if R::FREE && self.is_bounded() {
            return Err(Error::Usage {
                message: UNBOUNDED.into(),
            });
        }
        let with_reference = L::REFERENCE || self.is_bounded();
        check_pair(with_reference, policy, reference, batch)
    }

    forward_objective! { this => (this.loss(), this.loss_mut()), except evaluate check identity }
}

/// Whether both sides can be read, by the reference only where it is looked at.
pub(super) fn check_pair<M: CausalLm, R: Reference<M>>(
    with_reference: bool,
    policy: &M,
    reference: &R,
    batch: &PreferenceBatch,
) -> Result<(), Error> {
    let reference = with_reference.then_some(reference);
    check_models(policy, reference, &batch.chosen)?;
    check_models(policy, reference, &batch.rejected)
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

/// Tells every micro-batch how long the chosen completions of the step are on average, so that the
/// SFT parts of a loss add up to a mean over all of its tokens.
pub(super) fn share_length(window: &mut [PreferenceBatch]) {
    if window.len() < 2 {
        return;
    }
    let rows: Vec<usize> = window
        .iter()
        .flat_map(|batch| scored(&batch.chosen))
        .collect();
    // A row without a scored token counts 1, as in a batch by itself.
    let scored: usize = rows.iter().map(|&length| length.max(1)).sum();
    let pairs = rows.len();
    for batch in window {
        batch.mean_length = Some(scored as f64 / pairs as f64);
    }
}

/// Scored tokens of each row. Reads the mask back from the device.
fn scored(sequences: &Sequences) -> Vec<usize> {
    let mask = sequences.target_mask();
    let [_, width] = mask.dims();
    let mask: Vec<bool> = mask.into_data().iter::<bool>().collect();
    let rows = mask.chunks(width.max(1));
    rows.map(|row| row.iter().filter(|scored| **scored).count())
        .collect()
}

/// Scored tokens of each row, `[batch]`; in f32, which the device's default float may not be.
fn lengths(sequences: &Sequences) -> Tensor<1> {
    let mask = sequences.target_mask().without_autodiff();
    let lengths = mask.int().sum_dim(1).squeeze_dim::<1>(1);
    lengths.cast(FloatDType::F32)
}
