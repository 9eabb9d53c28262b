//! Supervised fine-tuning.

use super::output::SftOutput;
use crate::error::Error;
use crate::logprob::{average_log_probs, sequence_log_probs};
use crate::math::{constant_like, upcast};
use burn::config::Config;
use burn::tensor::{Bool, FloatDType, Tensor, assert_shape};

/// What a token costs.
///
/// | variant | cost of a token | paper |
/// |---|---|---|
/// | `Nll` | −(1−ε)·ln p − ε·mean_v ln p(v) | label smoothing: arXiv:1512.00567 |
/// | `Dft` | −p·ln p, p without a gradient | DFT arXiv:2508.05629 |
///
/// with p the probability of the target and v over the vocabulary.
#[derive(Config, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the table above says it once
pub enum SftVariant {
    /// Negative log-likelihood; ε in \[0, 1), for [`SftLoss::forward_smoothed`] if not 0.
    Nll { label_smoothing: f64 },
    /// Dynamic fine-tuning: tokens that the model finds unlikely pull less, for better
    /// generalisation.
    Dft,
}

/// Configuration of [`SftLoss`].
#[derive(Config, Debug)]
pub struct SftLossConfig {
    /// What a token costs.
    #[config(default = "SftVariant::Nll { label_smoothing: 0.0 }")]
    pub variant: SftVariant,
}

impl SftLossConfig {
    /// Checks the range.
    pub fn validate(&self) -> Result<(), Error> {
        match self.variant {
            SftVariant::Nll { label_smoothing: e } => {
                let reason = "must be in [0, 1)";
                Error::check((0.0..1.0).contains(&e), "label_smoothing", reason, e)
            }
            SftVariant::Dft => Ok(()),
        }
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> SftLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        SftLoss {
            config: self.clone(),
        }
    }
}

/// Negative log-likelihood of demonstrations, a mean over tokens.
///
/// ```text
/// loss = −Σ log π(token) / number of scored tokens (at least 1)
/// ```
///
/// and what else a token can cost: see [`SftVariant`].
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
pub struct SftLoss {
    config: SftLossConfig,
}

impl SftLoss {
    /// # Shapes
    ///
    /// - `token_log_probs`, `mask`: `[batch, seq]`
    ///
    /// # Panics
    ///
    /// If the shapes differ, or labels are to be smoothed: that needs
    /// [`forward_smoothed`](Self::forward_smoothed).
    pub fn forward(&self, token_log_probs: Tensor<2>, mask: Tensor<2, Bool>) -> SftOutput {
        self.run(token_log_probs, None, mask, None)
    }

    /// Does what [`forward`](Self::forward) does, the sum divided by `num_tokens`: those of a whole
    /// optimizer step, say, so that the gradients of its micro-batches add up to that of one mean
    /// (`num_items_in_batch` elsewhere).
    ///
    /// # Panics
    ///
    /// Whatever panics in [`forward`](Self::forward), and if `num_tokens` is negative or not
    /// finite; less than 1 counts as 1.
    pub fn forward_over(
        &self,
        token_log_probs: Tensor<2>,
        mask: Tensor<2, Bool>,
        num_tokens: f64,
    ) -> SftOutput {
        self.run(token_log_probs, None, mask, Some(num_tokens))
    }

    /// With smoothed labels: `uniform_log_probs` is the mean log-probability of the vocabulary at
    /// each position, from [`uniform_log_probs`](crate::logprob::uniform_log_probs).
    ///
    /// # Shapes
    ///
    /// - `token_log_probs`, `uniform_log_probs`, `mask`: `[batch, seq]`
    ///
    /// # Panics
    ///
    /// If the shapes differ, or the loss is DFT, which has no labels to smooth.
    pub fn forward_smoothed(
        &self,
        token_log_probs: Tensor<2>,
        uniform_log_probs: Tensor<2>,
        mask: Tensor<2, Bool>,
    ) -> SftOutput {
        self.run(token_log_probs, Some(uniform_log_probs), mask, None)
    }

    /// [`forward_smoothed`](Self::forward_smoothed), the sum divided by `num_tokens`.
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward_smoothed_over(
        &self,
        token_log_probs: Tensor<2>,
        uniform_log_probs: Tensor<2>,
        mask: Tensor<2, Bool>,
        num_tokens: f64,
    ) -> SftOutput {
        self.run(
            token_log_probs,
            Some(uniform_log_probs),
            mask,
            Some(num_tokens),
        )
    }

    /// What it was built from.
    pub fn config(&self) -> &SftLossConfig {
        &self.config
    }

    fn run(
        &self,
        token_log_probs: Tensor<2>,
        uniform: Option<Tensor<2>>,
        mask: Tensor<2, Bool>,
        over: Option<f64>,
    ) -> SftOutput {
        let [batch, seq] = token_log_probs.dims();
        assert_shape!(mask, [batch, seq]);
        let token_log_probs = upcast(token_log_probs);
        let token_dtype = token_log_probs.dtype();
        let mask = mask.without_autodiff();
        // What is masked may be anything, and must not meet a product: 0·∞ would be NaN.
        let masked = |tokens: Tensor<2>| tokens.mask_fill(mask.clone().bool_not(), 0.0);
        let scores = match (self.config.variant, uniform) {
            (SftVariant::Dft, Some(_)) => {
                panic!("DFT has no smoothed labels: call forward")
            }
            (SftVariant::Dft, None) => {
                let tokens = masked(token_log_probs);
                constant_like(tokens.clone(), &tokens).exp() * tokens
            }
            (SftVariant::Nll { label_smoothing: e }, Some(uniform)) => {
                assert_shape!(uniform, [batch, seq]);
                masked(token_log_probs) * (1.0 - e) + masked(upcast(uniform).cast(token_dtype)) * e
            }
            (SftVariant::Nll { label_smoothing: e }, None) => {
                assert!(
                    e == 0.0,
                    "smoothed labels need the whole vocabulary: call forward_smoothed, or train with SmoothedSft"
                );
                token_log_probs
            }
        };
        let num_tokens = mask.clone().int().sum();
        let losses = average_log_probs(scores.clone(), mask.clone()).neg();
        let total = sequence_log_probs(scores, mask).sum().neg();
        assert!(
            over.is_none_or(|number| number >= 0.0 && number.is_finite()),
            "a number of tokens must be finite and not negative, got {over:?}"
        );
        let loss = match over {
            Some(number) => total * number.max(1.0).recip(),
            None => {
                // Not through the device's default float, which may be too short for a count.
                let number = num_tokens.clone().clamp_min(1);
                let number = number.cast(FloatDType::from(total.dtype()));
                total * number.recip()
            }
        };
        SftOutput {
            loss,
            losses: losses.without_autodiff(),
            num_tokens,
        }
    }
}
