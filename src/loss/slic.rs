//! Sequence Likelihood Calibration.

use super::output::{Pair, PreferenceOutput};
use super::preference::{PreferenceInput, PreferenceLoss};
use crate::error::Error;
use burn::config::Config;
use burn::tensor::activation::relu;

/// Configuration of [`SlicLoss`].
#[derive(Config, Debug)]
pub struct SlicLossConfig {
    /// The margin between the summed log-probabilities. Positive; 1 in the paper.
    #[config(default = 1.0)]
    pub margin: f64,
    /// Weight of the negative log-likelihood of the chosen, a mean over tokens. Not negative.
    #[config(default = 0.1)]
    pub sft_weight: f64,
}

impl SlicLossConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        crate::loss::checks::check_positive("margin", self.margin)?;
        crate::loss::checks::check_weight("sft_weight", self.sft_weight)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> SlicLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        SlicLoss {
            config: self.clone(),
        }
    }
}

/// SLiC-HF: a hinge between log-probabilities, held in place by the likelihood of the chosen; no
/// reference model.
///
/// ```text
/// l = max(0, δ − log π(y_w|x) + log π(y_l|x)) − w·log π(y_w|x) / T
/// ```
///
/// with T the mean number of scored tokens of a chosen completion, so that the mean over pairs is a
/// mean over tokens.
///
/// The paper regularises with the likelihood of the SFT target; here that is the chosen completion,
/// as in HALOs.
///
/// # Example
///
/// By hand, δ = 1, sums −2.5 and −3 over 5 tokens: 1 + 2.5 − 3 + 0.1·2.5/5 = 0.55.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let tensor = |value: f32| Tensor::<1>::from_data([value], &Device::flex());
/// let policy = Pair::new(tensor(-2.5), tensor(-3.0));
/// let out = SlicLossConfig::new().init().forward(policy, Pair::new(tensor(5.0), tensor(5.0)));
/// assert!((out.loss.into_scalar::<f32>() - 0.55).abs() < 1e-6);
/// ```
///
/// # References
///
/// Zhao et al., *SLiC-HF: Sequence Likelihood Calibration with Human Feedback*, arXiv:2305.10425,
/// Eq. 1.
#[derive(Clone, Debug)]
pub struct SlicLoss {
    config: SlicLossConfig,
}

impl SlicLoss {
    /// # Shapes
    ///
    /// - `policy`: `[pairs]`, summed log-probabilities of the completions
    /// - `lengths`: `[pairs]`, their scored tokens; less than 1 counts as 1
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or there is no pair.
    pub fn forward(&self, policy: Pair, lengths: Pair) -> PreferenceOutput {
        self.compute(PreferenceInput::without_reference(policy, lengths))
    }

    /// What it was built from.
    pub fn config(&self) -> &SlicLossConfig {
        &self.config
    }
}

impl PreferenceLoss for SlicLoss {
    const REFERENCE: bool = false;

    /// Rewards are log-probabilities: there is no β.
    fn compute(&self, input: PreferenceInput) -> PreferenceOutput {
        let input = input.checked();
        let Pair { chosen, rejected } = input.policy.clone();
        let losses = relu(rejected.clone() - chosen.clone() + self.config.margin);
        let losses = input.with_sft(losses, self.config.sft_weight);
        input.output_with(losses, Pair { chosen, rejected })
    }
}
