//! Direct Preference Optimization and its family.

mod divergence;
mod variant;

pub use divergence::FDivergence;
pub use variant::DpoVariant;

use super::output::{Pair, PreferenceOutput};
use super::preference::{PreferenceInput, PreferenceLoss};
use crate::error::Error;
use crate::math::smoothed;
use burn::config::Config;
use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, relu, sigmoid};
use divergence::{MAX_EXPONENT, MAX_EXPONENT_SQUARED};

/// Configuration of [`DpoLoss`].
#[derive(Config, Debug)]
pub struct DpoLossConfig {
    /// Strength of the pull to the reference. Positive.
    #[config(default = 0.1)]
    pub beta: f64,
    /// Which loss.
    #[config(default = "DpoVariant::Sigmoid { label_smoothing: 0.0 }")]
    pub variant: DpoVariant,
    /// Which divergence from the reference. [`DpoVariant::Aot`], [`DpoVariant::AotUnpaired`] and
    /// [`DpoVariant::ApoZero`] work on plain log-ratios and accept reverse KL only.
    #[config(default = "FDivergence::ReverseKl")]
    pub f_divergence: FDivergence,
    /// DPOP's λ, with any variant but [`DpoVariant::ApoDown`] and [`DpoVariant::NcaPair`], which
    /// push the chosen down as well: where the chosen completion has become less likely than under
    /// the reference, its log-ratio c counts (1 + λ) times, so that it cannot be paid with. Not
    /// negative; 0 is off, the paper uses 5 to 500 (Smaug, arXiv:2402.13228, Eq. 3; others add the
    /// penalty outside of the logarithm instead).
    #[config(default = 0.0)]
    pub chosen_penalty: f64,
}

impl DpoLossConfig {
    /// Checks the ranges and that variant and divergence go together.
    pub fn validate(&self) -> Result<(), Error> {
        crate::loss::checks::check_positive("beta", self.beta)?;
        crate::loss::checks::check_weight("chosen_penalty", self.chosen_penalty)?;
        match self.variant {
            DpoVariant::ExoPair { label_smoothing: e } => {
                let reason = "must be in (0, 0.5)";
                Error::check(e > 0.0 && e < 0.5, "label_smoothing", reason, e)?;
            }
            DpoVariant::Sigmoid { label_smoothing: e }
            | DpoVariant::Robust { label_smoothing: e }
            | DpoVariant::Aot { label_smoothing: e }
            | DpoVariant::AotUnpaired { label_smoothing: e } => {
                let reason = "must be in [0, 0.5)";
                Error::check((0.0..0.5).contains(&e), "label_smoothing", reason, e)?;
            }
            DpoVariant::DiscoPop { temperature: t } => {
                Error::check(t > 0.0 && t <= 1.0, "temperature", "must be in (0, 1]", t)?;
            }
            _ => {}
        }
        if let FDivergence::AlphaDivergence { alpha } = self.f_divergence {
            Error::check(alpha.is_finite(), "alpha", "must be finite", alpha)?;
        }
        let pushes = matches!(self.variant, DpoVariant::ApoDown | DpoVariant::NcaPair);
        let ok = !pushes || self.chosen_penalty == 0.0;
        let reason = "must be 0 with ApoDown and NcaPair";
        Error::check(ok, "chosen_penalty", reason, self.chosen_penalty)?;
        let plain = matches!(
            self.variant,
            DpoVariant::Aot { .. } | DpoVariant::AotUnpaired { .. } | DpoVariant::ApoZero
        );
        let ok = !plain || self.f_divergence == FDivergence::ReverseKl;
        let reason = "must be ReverseKl with Aot, AotUnpaired and ApoZero";
        let got = format!("{:?}", self.f_divergence);
        Error::check(ok, "f_divergence", reason, got)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> DpoLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        DpoLoss {
            config: self.clone(),
        }
    }
}

/// DPO: learns which of two completions is better, without a reward model.
///
/// ```text
/// l = −ln σ(β·[(log π(y_w|x) − log π_ref(y_w|x)) − (log π(y_l|x) − log π_ref(y_l|x))])
/// ```
///
/// and the rest of the family: see [`DpoVariant`].
///
/// # Example
///
/// By hand, β = 0.1, log-ratios 2 and −1: −ln σ(0.3) = 0.554355.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let tensor = |value: f32| Tensor::<1>::from_data([value], &device);
/// let dpo = DpoLossConfig::new().with_beta(0.1).init();
/// let policy = Pair::new(tensor(-8.0), tensor(-11.0));
/// let reference = Pair::new(tensor(-10.0), tensor(-10.0));
/// let out = dpo.forward(policy, reference);
/// assert!((out.loss.into_scalar::<f32>() - 0.554355).abs() < 1e-6);
/// ```
///
/// # References
///
/// Rafailov et al., *Direct Preference Optimization*, arXiv:2305.18290, Eq. 7.
#[derive(Clone, Debug)]
pub struct DpoLoss {
    config: DpoLossConfig,
}

impl DpoLoss {
    /// With every completion of length 1, which only [`DpoVariant::Ipo`] and
    /// [`DpoVariant::SigmoidNorm`] notice.
    ///
    /// # Shapes
    ///
    /// - `policy`, `reference`: `[pairs]`, summed log-probabilities of the completions
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or there is no pair.
    pub fn forward(&self, policy: Pair, reference: Pair) -> PreferenceOutput {
        let one = Pair::new(policy.chosen.ones_like(), policy.rejected.ones_like());
        self.compute(PreferenceInput::new(policy, reference, one))
    }

    /// Does what [`forward`](Self::forward) does, with the number of scored tokens of each
    /// completion, `[pairs]`; less than 1 counts as 1.
    ///
    /// # Panics
    ///
    /// Whatever panics in [`forward`](Self::forward).
    pub fn forward_with_lengths(
        &self,
        policy: Pair,
        reference: Pair,
        lengths: Pair,
    ) -> PreferenceOutput {
        self.compute(PreferenceInput::new(policy, reference, lengths))
    }

    /// What it was built from.
    pub fn config(&self) -> &DpoLossConfig {
        &self.config
    }

    /// The same loss with another β, which has to be positive and finite.
    pub(crate) fn with_beta(&self, beta: f64) -> Self {
        let config = self.config.clone().with_beta(beta);
        Self { config }
    }

    /// Losses of [checked](PreferenceInput::checked) input, each pair's, before weights.
    pub(super) fn losses(&self, input: &PreferenceInput) -> Tensor<1> {
        assert!(
            !self.config.variant.sorts() || input.weights.is_none(),
            "Aot and AotUnpaired sort a batch: its pairs cannot have weights"
        );
        let beta = self.config.beta;
        let (policy, reference) = (self.penalised(input), &input.reference);
        let c = policy.chosen.clone() - reference.chosen.clone();
        let d = policy.rejected.clone() - reference.rejected.clone();
        let max_exponent = match self.config.variant {
            DpoVariant::Ipo | DpoVariant::SppoHard => MAX_EXPONENT_SQUARED,
            _ => MAX_EXPONENT,
        };
        let score = |ratio: Tensor<1>| self.config.f_divergence.score(ratio, max_exponent);
        let (score_c, score_d) = (score(c.clone()), score(d.clone()));
        let delta = score_c.clone() - score_d.clone();
        let z = delta.clone() * beta;
        let mean_delta = || {
            let inverse = |lengths: &Tensor<1>| lengths.clone().recip();
            let chosen = score_c.clone() * inverse(&input.lengths.chosen);
            chosen - score_d.clone() * inverse(&input.lengths.rejected)
        };
        match self.config.variant {
            DpoVariant::Sigmoid { label_smoothing } => smoothed(z, label_smoothing),
            DpoVariant::Hinge => relu(z.neg() + 1.0),
            DpoVariant::Ipo => square(mean_delta() - 0.5 / beta),
            DpoVariant::ExoPair { label_smoothing: e } => {
                let up = sigmoid(z.clone()) * (log_sigmoid(z.clone()) - (1.0 - e).ln());
                up + sigmoid(z.clone().neg()) * (log_sigmoid(z.neg()) - e.ln())
            }
            DpoVariant::NcaPair => {
                let (c, d) = (score_c * beta, score_d * beta);
                let noise = log_sigmoid(c.clone().neg()) + log_sigmoid(d.neg());
                (log_sigmoid(c) + noise * 0.5).neg()
            }
            DpoVariant::Robust { label_smoothing: e } => {
                let flipped = log_sigmoid(z.clone().neg()) * e;
                (flipped - log_sigmoid(z) * (1.0 - e)) * (1.0 - 2.0 * e).recip()
            }
            DpoVariant::BcoPair => {
                (log_sigmoid(score_c * beta) + log_sigmoid(score_d * -beta)).neg()
            }
            DpoVariant::SppoHard => square(score_c - 0.5 / beta) + square(score_d + 0.5 / beta),
            DpoVariant::Aot { label_smoothing } => {
                let margins = |pair: &Pair| sort(pair.chosen.clone() - pair.rejected.clone());
                smoothed(
                    (margins(&policy) - margins(reference)) * beta,
                    label_smoothing,
                )
            }
            DpoVariant::AotUnpaired { label_smoothing } => {
                smoothed((sort(c) - sort(d)) * beta, label_smoothing)
            }
            DpoVariant::ApoZero => sigmoid(c * -beta) + sigmoid(d * beta),
            DpoVariant::ApoDown => sigmoid(c * beta) + sigmoid(z.neg()),
            DpoVariant::DiscoPop { temperature } => {
                let tempered = z.clone() * temperature.recip();
                let logistic = log_sigmoid(z.clone()).neg() * sigmoid(tempered.clone().neg());
                // e^(−z)·σ(z/τ) in one exponent: apart, they are ∞·0 where z is very negative.
                logistic + (log_sigmoid(tempered) - z).exp()
            }
            DpoVariant::SigmoidNorm => smoothed(mean_delta() * beta, 0.0),
        }
    }

    /// The policy, its chosen completions the less likely the further they are below the reference.
    fn penalised(&self, input: &PreferenceInput) -> Pair {
        let Pair { chosen, rejected } = input.policy.clone();
        if self.config.chosen_penalty == 0.0 {
            return Pair { chosen, rejected };
        }
        let below = relu(input.reference.chosen.clone() - chosen.clone());
        let chosen = chosen - below * self.config.chosen_penalty;
        Pair { chosen, rejected }
    }
}

impl PreferenceLoss for DpoLoss {
    /// # Panics
    ///
    /// Also where pairs have weights and the variant sorts them: then no loss belongs to one pair.
    fn compute(&self, input: PreferenceInput) -> PreferenceOutput {
        let input = input.checked();
        let losses = self.losses(&input);
        input.output(losses, self.config.beta)
    }
}

fn square(tensor: Tensor<1>) -> Tensor<1> {
    tensor.clone() * tensor
}

/// Ascending; the gradient goes back to where each value came from.
fn sort(values: Tensor<1>) -> Tensor<1> {
    let order = values.clone().without_autodiff().argsort(0);
    values.gather(0, order)
}
