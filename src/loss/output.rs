//! What losses return: one shape for each kind of data, whatever the loss.

use crate::kl::Mismatched;
use burn::tensor::{Bool, Int, Tensor, assert_shape};

/// What a loss on single completions gives, each with a thumb up or down.
///
/// Only `loss` carries a gradient.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BinaryOutput {
    /// Mean over the batch, `[1]`.
    pub loss: Tensor<1>,
    /// Each example's, `[batch]`.
    pub losses: Tensor<1>,
    /// β·(log π − log π_ref), `[batch]`. Always with β.
    pub rewards: Tensor<1>,
    /// True where thumbs are up, `[batch]`.
    pub desirable: Tensor<1, Bool>,
    /// The reference point z0 that was used, `[1]`.
    pub kl: Tensor<1>,
    /// β·(log π − log π_ref − z0), `[batch]`: positive where the model is inclined to the
    /// completion.
    pub margins: Tensor<1>,
    /// log π, summed over the completion, `[batch]`.
    pub log_probs: Tensor<1>,
    /// What z0 was estimated from, where it was estimated for this batch.
    pub mismatched: Option<Mismatched>,
}

/// What a loss on pairs of completions gives.
///
/// Only `loss` carries a gradient.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PreferenceOutput {
    /// Mean over the pairs, `[1]`.
    pub loss: Tensor<1>,
    /// Each pair's, `[pairs]`.
    pub losses: Tensor<1>,
    /// β·(log π − log π_ref) of the chosen, `[pairs]`.
    pub chosen_rewards: Tensor<1>,
    /// β·(log π − log π_ref) of the rejected, `[pairs]`.
    pub rejected_rewards: Tensor<1>,
    /// log π of the chosen, `[pairs]`.
    pub chosen_log_probs: Tensor<1>,
    /// log π of the rejected, `[pairs]`.
    pub rejected_log_probs: Tensor<1>,
}

/// What a loss on rewards gives.
///
/// Only `loss` carries a gradient.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RewardOutput {
    /// Mean over the pairs, `[1]`.
    pub loss: Tensor<1>,
    /// Each pair's, `[pairs]`.
    pub losses: Tensor<1>,
    /// Rewards of the chosen, `[pairs]`.
    pub chosen_rewards: Tensor<1>,
    /// Rewards of the rejected, `[pairs]`.
    pub rejected_rewards: Tensor<1>,
}

/// What a loss on demonstrations gives.
///
/// Only `loss` carries a gradient.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SftOutput {
    /// Mean over all scored tokens of the batch, `[1]`.
    pub loss: Tensor<1>,
    /// Each sequence's mean over its own tokens, `[batch]`; 0 where nothing is scored.
    pub losses: Tensor<1>,
    /// Scored tokens in the batch, `[1]`.
    pub num_tokens: Tensor<1, Int>,
}

/// The same quantity for the chosen and the rejected completions, `[pairs]` each.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The quantity of the chosen, `[pairs]`.
    pub chosen: Tensor<1>,
    /// The quantity of the rejected, `[pairs]`.
    pub rejected: Tensor<1>,
}

impl Pair {
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn new(chosen: Tensor<1>, rejected: Tensor<1>) -> Self {
        let [pairs] = chosen.dims();
        assert_shape!(rejected, [pairs]);
        Self { chosen, rejected }
    }

    /// Splits `[2·pairs]` values, the first half chosen, the second rejected: one forward pass can
    /// serve both.
    ///
    /// # Panics
    ///
    /// If the number is odd.
    pub fn split(values: Tensor<1>) -> Self {
        let [both] = values.dims();
        assert!(
            both % 2 == 0,
            "chosen and rejected come in equal numbers, got {both} values"
        );
        Self {
            chosen: values.clone().narrow(0, 0, both / 2),
            rejected: values.narrow(0, both / 2, both / 2),
        }
    }
}
