//! Odds Ratio Preference Optimization.

use super::output::{Pair, PreferenceOutput};
use super::preference::{PreferenceInput, PreferenceLoss};
use crate::error::Error;
use crate::math::smoothed;
use burn::config::Config;
use burn::tensor::Tensor;

/// Configuration of [`OrpoLoss`].
#[derive(Config, Debug)]
pub struct OrpoLossConfig {
    /// Weight of the odds ratio; λ in the paper. Positive.
    #[config(default = 0.1)]
    pub beta: f64,
    /// Weight of the negative log-likelihood of the chosen, a mean over tokens. Not negative; 1 in
    /// the paper.
    #[config(default = 1.0)]
    pub sft_weight: f64,
}

impl OrpoLossConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        crate::loss::checks::check_positive("beta", self.beta)?;
        crate::loss::checks::check_weight("sft_weight", self.sft_weight)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> OrpoLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        OrpoLoss {
            config: self.clone(),
        }
    }
}

/// ORPO: SFT and preference in one, without a reference model.
///
/// ```text
/// l = −w·log π(y_w|x) / T − β·ln σ(odds(w̄) − odds(l̄))        odds(p) = p − ln(1 − e^p)
/// ```
///
/// with T the mean number of scored tokens of a chosen completion, so that the mean over pairs is a
/// mean over tokens.
///
/// with w̄ and l̄ the mean log-probabilities of a token. The likelihood is of the completion, given
/// the prompt, as in the paper; TRL counts the prompt's tokens as well.
///
/// # Example
///
/// By hand, e^w̄ = ½ and e^l̄ = ¼, one token each: odds 0 and −ln 3, so ln 2 − 0.1·ln σ(ln 3) =
/// 0.721915.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let tensor = |value: f32| Tensor::<1>::from_data([value], &Device::flex());
/// let policy = Pair::new(tensor(0.5_f32.ln()), tensor(0.25_f32.ln()));
/// let out = OrpoLossConfig::new().init().forward(policy, Pair::new(tensor(1.0), tensor(1.0)));
/// assert!((out.loss.into_scalar::<f32>() - 0.721915).abs() < 1e-6);
/// ```
///
/// # References
///
/// Hong et al., *ORPO: Monolithic Preference Optimization without Reference Model*,
/// arXiv:2403.07691, Eq. 6 and 7.
#[derive(Clone, Debug)]
pub struct OrpoLoss {
    config: OrpoLossConfig,
}

impl OrpoLoss {
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
    pub fn config(&self) -> &OrpoLossConfig {
        &self.config
    }
}

impl PreferenceLoss for OrpoLoss {
    const REFERENCE: bool = false;

    /// Rewards are β times the mean log-probability of a token.
    fn compute(&self, input: PreferenceInput) -> PreferenceOutput {
        let input = input.checked();
        let beta = self.config.beta;
        let Pair { chosen, rejected } = input.averages();
        let ratio = log_odds(chosen.clone()) - log_odds(rejected.clone());
        let losses = smoothed(ratio, 0.0) * beta;
        let losses = input.with_sft(losses, self.config.sft_weight);
        input.output_with(losses, Pair::new(chosen * beta, rejected * beta))
    }
}

/// p − ln(1 − e^p) for p ≤ 0.
///
/// `1 − e^p` has no digits left near p = 0 and `ln` none near p = −∞, so each form serves on its
/// side of −ln 2. The odds of a certainty are infinite: p is cut just below 0.
fn log_odds(p: Tensor<1>) -> Tensor<1> {
    let p = p.clamp_max(-1e-7);
    let near = p.clone().greater_elem(-std::f64::consts::LN_2);
    // tanh keeps its digits at 0: 1 − e^p = −2t/(1 − t), t = tanh(p/2). Each form gets harmless
    // values on the other's side, lest a gradient there become 0·∞.
    let t = (p.clone().clamp_min(-std::f64::consts::LN_2) * 0.5).tanh();
    let of_near = (t.clone() * -2.0).log() - t.neg().log1p();
    let of_far = p
        .clone()
        .clamp_max(-std::f64::consts::LN_2)
        .exp()
        .neg()
        .log1p();
    p - of_far.mask_where(near, of_near)
}
