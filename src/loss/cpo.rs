//! Contrastive Preference Optimization.

use super::output::{Pair, PreferenceOutput};
use super::preference::{PreferenceInput, PreferenceLoss};
use crate::error::Error;
use crate::math::expm1;
use crate::math::smoothed;
use burn::config::Config;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Which loss of the family.
///
/// With w and l the summed log-probabilities of the chosen and the rejected completion, w̄ and l̄
/// their means over tokens:
///
/// | variant | loss of a pair | paper |
/// |---|---|---|
/// | `Sigmoid` | −(1−ε)·lnσ(β(w − l)) − ε·lnσ(−β(w − l)) | CPO arXiv:2401.08417 |
/// | `Hinge` | max(0, 1 − β(w − l)) | |
/// | `Ipo` | (w̄ − l̄ − 1/(2β))² | arXiv:2310.12036, without its reference |
/// | `AlphaPo` | −lnσ(β(r(w̄) − r(l̄)) − γ), r(p) = (1 − e^(−αp))/α | AlphaPO arXiv:2501.03884 |
#[derive(Config, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the table above says it once
pub enum CpoVariant {
    /// The original; ε in \[0, ½).
    Sigmoid { label_smoothing: f64 },
    /// A margin of 1.
    Hinge,
    /// A squared distance to a margin, on means over tokens.
    Ipo,
    /// SimPO with a bent reward: SimPO itself as α goes to 0. α is finite and not 0.
    AlphaPo { alpha: f64, gamma: f64 },
}

/// Configuration of [`CpoLoss`].
#[derive(Config, Debug)]
pub struct CpoLossConfig {
    /// Scale of the margin. Positive.
    #[config(default = 0.1)]
    pub beta: f64,
    /// Which loss.
    #[config(default = "CpoVariant::Sigmoid { label_smoothing: 0.0 }")]
    pub variant: CpoVariant,
    /// Weight of the negative log-likelihood of the chosen, a mean over tokens. Not negative; 1 in
    /// the paper.
    #[config(default = 1.0)]
    pub sft_weight: f64,
}

impl CpoLossConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        crate::loss::checks::check_positive("beta", self.beta)?;
        match self.variant {
            CpoVariant::Sigmoid { label_smoothing: e } => {
                let reason = "must be in [0, 0.5)";
                Error::check((0.0..0.5).contains(&e), "label_smoothing", reason, e)?;
            }
            CpoVariant::AlphaPo { alpha, gamma } => {
                let ok = alpha.is_finite() && alpha != 0.0;
                Error::check(ok, "alpha", "must be finite and not 0", alpha)?;
                Error::check(gamma.is_finite(), "gamma", "must be finite", gamma)?;
            }
            CpoVariant::Hinge | CpoVariant::Ipo => {}
        }
        crate::loss::checks::check_weight("sft_weight", self.sft_weight)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> CpoLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        CpoLoss {
            config: self.clone(),
        }
    }
}

/// CPO: DPO against a uniform reference, held in place by the likelihood of the chosen.
///
/// ```text
/// l = −ln σ(β·(log π(y_w|x) − log π(y_l|x))) − w·log π(y_w|x) / T
/// ```
///
/// with T the mean number of scored tokens of a chosen completion, so that the mean over pairs is a
/// mean over tokens.
///
/// and the rest of the family: see [`CpoVariant`].
///
/// # Example
///
/// By hand, β = 0.1, sums −2 and −5 over 2 tokens each: −ln σ(0.3) + 2/2 = 1.554355.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let tensor = |value: f32| Tensor::<1>::from_data([value], &Device::flex());
/// let policy = Pair::new(tensor(-2.0), tensor(-5.0));
/// let out = CpoLossConfig::new().init().forward(policy, Pair::new(tensor(2.0), tensor(2.0)));
/// assert!((out.loss.into_scalar::<f32>() - 1.554355).abs() < 1e-6);
/// ```
///
/// # References
///
/// Xu et al., *Contrastive Preference Optimization*, arXiv:2401.08417, Eq. 5.
#[derive(Clone, Debug)]
pub struct CpoLoss {
    config: CpoLossConfig,
}

impl CpoLoss {
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
    pub fn config(&self) -> &CpoLossConfig {
        &self.config
    }
}

impl PreferenceLoss for CpoLoss {
    const REFERENCE: bool = false;

    /// Rewards are β times what the variant compares.
    fn compute(&self, input: PreferenceInput) -> PreferenceOutput {
        let input = input.checked();
        let beta = self.config.beta;
        let scores = match self.config.variant {
            CpoVariant::Sigmoid { .. } | CpoVariant::Hinge => input.policy.clone(),
            CpoVariant::Ipo => input.averages(),
            CpoVariant::AlphaPo { alpha, .. } => {
                let means = input.averages();
                Pair::new(bent(means.chosen, alpha), bent(means.rejected, alpha))
            }
        };
        let delta = scores.chosen.clone() - scores.rejected.clone();
        let losses = match self.config.variant {
            CpoVariant::Sigmoid { label_smoothing } => smoothed(delta * beta, label_smoothing),
            CpoVariant::Hinge => relu(delta * -beta + 1.0),
            CpoVariant::Ipo => {
                let off = delta - 0.5 / beta;
                off.clone() * off
            }
            CpoVariant::AlphaPo { gamma, .. } => smoothed(delta * beta - gamma, 0.0),
        };
        let losses = input.with_sft(losses, self.config.sft_weight);
        let rewards = Pair::new(scores.chosen * beta, scores.rejected * beta);
        input.output_with(losses, rewards)
    }
}

/// (1 − e^(−αp))/α; the exponent is cut at 80, far from overflow in f32.
fn bent(mean: Tensor<1>, alpha: f64) -> Tensor<1> {
    let power = (mean * -alpha).clamp_max(80.0);
    expm1(power) * -alpha.recip()
}
