//! Simple Preference Optimization.

use super::output::{Pair, PreferenceOutput};
use super::preference::{PreferenceInput, PreferenceLoss};
use crate::error::Error;
use crate::math::smoothed;
use burn::config::Config;

/// The margin that SimPO asks for, in either of the two conventions in use.
#[derive(Config, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // fields are said in their variant
pub enum SimpoMargin {
    /// γ itself, as in the paper and in TRL.
    Gamma { gamma: f64 },
    /// γ/β, as in the paper's table of settings and in HALOs.
    GammaBetaRatio { ratio: f64 },
}

impl SimpoMargin {
    /// γ.
    fn gamma(self, beta: f64) -> f64 {
        match self {
            Self::Gamma { gamma } => gamma,
            Self::GammaBetaRatio { ratio } => ratio * beta,
        }
    }
}

/// Configuration of [`SimpoLoss`].
#[derive(Config, Debug)]
pub struct SimpoLossConfig {
    /// Scale of the reward. Positive; 2 to 10 in the paper.
    #[config(default = 2.0)]
    pub beta: f64,
    /// How much better the chosen should be. Finite.
    #[config(default = "SimpoMargin::GammaBetaRatio { ratio: 0.5 }")]
    pub margin: SimpoMargin,
    /// The labels are taken to be wrong with this probability, in \[0, ½).
    #[config(default = 0.0)]
    pub label_smoothing: f64,
    /// Weight of the negative log-likelihood of the chosen (CPO-SimPO). Not negative.
    #[config(default = 0.0)]
    pub sft_weight: f64,
}

impl SimpoLossConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        crate::loss::checks::check_positive("beta", self.beta)?;
        let gamma = self.margin.gamma(self.beta);
        Error::check(gamma.is_finite(), "margin", "must be finite", gamma)?;
        let e = self.label_smoothing;
        let reason = "must be in [0, 0.5)";
        Error::check((0.0..0.5).contains(&e), "label_smoothing", reason, e)?;
        crate::loss::checks::check_weight("sft_weight", self.sft_weight)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> SimpoLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        SimpoLoss {
            config: self.clone(),
        }
    }
}

/// SimPO: pairs without a reference model; the reward is the mean log-probability of a token.
///
/// ```text
/// l = −(1−ε)·ln σ(z) − ε·ln σ(−z)        z = β·(log π(y_w|x)/|y_w| − log π(y_l|x)/|y_l|) − γ
/// ```
///
/// # Example
///
/// By hand, β = 2, γ = 1, means −1 and −2: −ln σ(2·1 − 1) = 0.313262.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let tensor = |value: f32| Tensor::<1>::from_data([value], &Device::flex());
/// let simpo = SimpoLossConfig::new().with_margin(SimpoMargin::Gamma { gamma: 1.0 }).init();
/// let policy = Pair::new(tensor(-4.0), tensor(-6.0));
/// let out = simpo.forward(policy, Pair::new(tensor(4.0), tensor(3.0)));
/// assert!((out.loss.into_scalar::<f32>() - 0.313262).abs() < 1e-6);
/// ```
///
/// # References
///
/// Meng et al., *SimPO: Simple Preference Optimization with a Reference-Free Reward*,
/// arXiv:2405.14734, Eq. 6.
#[derive(Clone, Debug)]
pub struct SimpoLoss {
    config: SimpoLossConfig,
}

impl SimpoLoss {
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
    pub fn config(&self) -> &SimpoLossConfig {
        &self.config
    }
}

impl PreferenceLoss for SimpoLoss {
    const REFERENCE: bool = false;

    /// Rewards are β times the mean log-probability of a token.
    fn compute(&self, input: PreferenceInput) -> PreferenceOutput {
        let input = input.checked();
        let SimpoLossConfig { beta, margin, .. } = self.config;
        let means = input.averages();
        let rewards = Pair::new(means.chosen * beta, means.rejected * beta);
        let z = rewards.chosen.clone() - rewards.rejected.clone() - margin.gamma(beta);
        let losses = smoothed(z, self.config.label_smoothing);
        let losses = input.with_sft(losses, self.config.sft_weight);
        input.output_with(losses, rewards)
    }
}
