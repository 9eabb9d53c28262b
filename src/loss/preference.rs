//! What all losses on pairs share.

use super::output::{Pair, PreferenceOutput};
use crate::math::{constant_like, mean, upcast};
use burn::tensor::{Tensor, assert_shape};
use std::fmt::Debug;

/// A loss on pairs of completions, from their log-probabilities alone.
///
/// Whatever implements it is an [`Objective`](crate::train::Objective), and takes the modifiers
/// [`TokenLevel`](super::TokenLevel) and [`Wpo`](crate::train::Wpo).
pub trait PreferenceLoss: Debug {
    /// Whether it looks at a reference model; where it does not, none is run.
    const REFERENCE: bool = true;

    /// The loss, with a gradient in the policy's log-probabilities only.
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or there is no pair.
    fn compute(&self, input: PreferenceInput) -> PreferenceOutput;
}

/// What a loss on pairs is computed from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PreferenceInput {
    /// log π, summed over the completion.
    pub policy: Pair,
    /// log π_ref, summed over the completion; anything where the loss has no reference.
    pub reference: Pair,
    /// Number of scored tokens.
    pub lengths: Pair,
    /// What each pair's loss is multiplied with, its SFT part too, `[pairs]`; 1 where there is
    /// none.
    pub weights: Option<Tensor<1>>,
    /// Scored tokens of a chosen completion, on average over the optimizer step, where the SFT part
    /// of a loss is to be a mean over the tokens of all of its micro-batches; that of these pairs
    /// where there is none.
    pub mean_length: Option<f64>,
    /// log π as it is, where `policy` is not a plain sum over tokens: for the SFT part of a loss,
    /// and to be reported.
    pub plain: Option<Pair>,
}

impl PreferenceInput {
    /// Without weights.
    pub fn new(policy: Pair, reference: Pair, lengths: Pair) -> Self {
        Self {
            policy,
            reference,
            lengths,
            weights: None,
            mean_length: None,
            plain: None,
        }
    }

    /// For a loss that does not look at the reference.
    pub fn without_reference(policy: Pair, lengths: Pair) -> Self {
        let zeros = |tensor: &Tensor<1>| tensor.zeros_like().without_autodiff();
        let reference = Pair::new(zeros(&policy.chosen), zeros(&policy.rejected));
        Self::new(policy, reference, lengths)
    }

    /// With a weight for each pair.
    pub fn with_weights(mut self, weights: Option<Tensor<1>>) -> Self {
        self.weights = weights;
        self
    }

    /// With the mean length of the chosen over more than these pairs.
    ///
    /// # Panics
    ///
    /// If it is not positive and finite.
    pub fn with_mean_length(mut self, mean_length: Option<f64>) -> Self {
        let length = mean_length.unwrap_or(1.0);
        assert!(
            length > 0.0 && length.is_finite(),
            "a mean length must be positive and finite, got {length}"
        );
        self.mean_length = mean_length;
        self
    }

    /// The same with shapes that agree, in one dtype, f32 at least; only the policy on the graph;
    /// lengths at least 1.
    pub(crate) fn checked(self) -> Self {
        let [pairs] = self.policy.chosen.dims();
        assert!(pairs > 0, "a batch needs at least one pair, got none");
        for tensor in [
            &self.policy.rejected,
            &self.reference.chosen,
            &self.reference.rejected,
            &self.lengths.chosen,
            &self.lengths.rejected,
        ] {
            assert_shape!(tensor, [pairs]);
        }
        let like = upcast(self.policy.chosen);
        let constant = |tensor| constant_like(tensor, &like);
        let pair = |pair: Pair| Pair::new(constant(pair.chosen), constant(pair.rejected));
        let lengths = pair(self.lengths);
        let policy = |pair: Pair| {
            assert_shape!(pair.chosen, [pairs]);
            assert_shape!(pair.rejected, [pairs]);
            // Casting keeps the gradient.
            let cast = |tensor: Tensor<1>| upcast(tensor).cast(like.dtype());
            Pair::new(cast(pair.chosen), cast(pair.rejected))
        };
        Self {
            plain: self.plain.map(policy),
            reference: pair(self.reference),
            lengths: Pair::new(
                lengths.chosen.clamp_min(1.0),
                lengths.rejected.clamp_min(1.0),
            ),
            weights: self.weights.map(|weights| {
                assert_shape!(weights, [pairs]);
                constant(weights)
            }),
            mean_length: self.mean_length,
            policy: Pair::new(
                like.clone(),
                upcast(self.policy.rejected).cast(like.dtype()),
            ),
        }
    }

    /// Mean log-probability of a token.
    pub(super) fn averages(&self) -> Pair {
        let Pair { chosen, rejected } = self.policy.clone();
        Pair::new(
            chosen * self.lengths.chosen.clone().recip(),
            rejected * self.lengths.rejected.clone().recip(),
        )
    }

    /// log π of the chosen as it is.
    fn plain(&self) -> Pair {
        self.plain.clone().unwrap_or_else(|| self.policy.clone())
    }

    /// `losses` plus the negative log-likelihood of the chosen times `weight`; their mean is a mean
    /// over tokens.
    pub(super) fn with_sft(&self, losses: Tensor<1>, weight: f64) -> Tensor<1> {
        if weight == 0.0 {
            return losses;
        }
        let chosen = self.plain().chosen * -weight;
        losses
            + match self.mean_length {
                Some(length) => chosen * (1.0 / length.max(1.0)),
                None => chosen * mean(self.lengths.chosen.clone()).recip(),
            }
    }

    /// The output of these losses, with log-ratios to the reference as rewards.
    pub(super) fn output(self, losses: Tensor<1>, beta: f64) -> PreferenceOutput {
        let rewards = Pair::new(
            (self.policy.chosen.clone() - self.reference.chosen.clone()) * beta,
            (self.policy.rejected.clone() - self.reference.rejected.clone()) * beta,
        );
        self.output_with(losses, rewards)
    }

    /// The output of these losses and rewards.
    pub(super) fn output_with(self, losses: Tensor<1>, rewards: Pair) -> PreferenceOutput {
        let plain = self.plain();
        let losses = match self.weights {
            Some(weights) => losses * weights,
            None => losses,
        };
        PreferenceOutput {
            loss: mean(losses.clone()),
            losses: losses.without_autodiff(),
            chosen_rewards: rewards.chosen.without_autodiff(),
            rejected_rewards: rewards.rejected.without_autodiff(),
            chosen_log_probs: plain.chosen.without_autodiff(),
            rejected_log_probs: plain.rejected.without_autodiff(),
        }
    }
}
