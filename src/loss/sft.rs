//! Supervised fine-tuning.

use super::output::SftOutput;
use crate::error::Error;
use crate::logprob::{average_log_probs, sequence_log_probs};
use crate::math::upcast;
use burn::config::Config;
use burn::tensor::{Bool, Tensor};

/// Configuration of [`SftLoss`].
#[derive(Config, Debug)]
pub struct SftLossConfig {}

impl SftLossConfig {
    /// There is nothing to get wrong.
    pub fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Builds the loss.
    pub fn init(&self) -> SftLoss {
        SftLoss
    }
}

/// Negative log-likelihood of demonstrations, a mean over tokens.
///
/// ```text
/// loss = −Σ log π(token) / number of scored tokens (at least 1)
/// ```
///
/// # Example
///
/// ```
/// use burn::tensor::{Bool, Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let tokens = Tensor::<2>::from_data([[-1.0, -2.0], [-6.0, -9.0]], &device);
/// let mask = Tensor::<2, Bool>::from_data([[true, true], [true, false]], &device);
/// let out = SftLossConfig::new().init().forward(tokens, mask);
/// assert_eq!(out.loss.into_scalar::<f32>(), 3.0); // 9 / 3: a mean over tokens, not over sequences
/// assert_eq!(out.num_tokens.into_scalar::<i64>(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct SftLoss;

impl SftLoss {
    /// # Shapes
    ///
    /// - `token_log_probs`, `mask`: `[batch, seq]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, token_log_probs: Tensor<2>, mask: Tensor<2, Bool>) -> SftOutput {
        let token_log_probs = upcast(token_log_probs);
        let mask = mask.without_autodiff();
        let num_tokens = mask.clone().int().sum();
        let inverse = num_tokens.clone().clamp_min(1).float();
        let inverse = inverse.cast(token_log_probs.dtype()).recip();
        let losses = average_log_probs(token_log_probs.clone(), mask.clone()).neg();
        let total = sequence_log_probs(token_log_probs, mask).sum();
        SftOutput {
            loss: total.neg() * inverse,
            losses: losses.without_autodiff(),
            num_tokens,
        }
    }
}
