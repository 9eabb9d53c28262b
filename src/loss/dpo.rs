//! Direct Preference Optimization and its family.

use super::output::{Pair, PreferenceOutput};
use crate::error::Error;
use crate::math::{constant_like, mean, upcast};
use burn::config::Config;
use burn::tensor::activation::{log_sigmoid, relu, sigmoid};
use burn::tensor::{Tensor, assert_shape};

/// Which loss of the family.
///
/// With c and d the log-ratios log π − log π_ref of the chosen and the rejected completion, s the [`FDivergence`]'s score, Δ = s(c) − s(d),
/// z = βΔ, |w| and |l| the completions' lengths:
///
/// | variant | loss of a pair | at c = d = 0, β = 0.1 | paper |
/// |---|---|---|---|
/// | `Sigmoid` | −(1−ε)·lnσ(z) − ε·lnσ(−z) | ln 2 | DPO arXiv:2305.18290; ε > 0: cDPO |
/// | `Hinge` | max(0, 1 − z) | 1 | SLiC arXiv:2305.10425, RSO arXiv:2309.06657 |
/// | `Ipo` | (s(c)/\|w\| − s(d)/\|l\| − 1/(2β))² | 25 | arXiv:2310.12036 |
/// | `ExoPair` | σ(z)(lnσ(z) − ln(1−ε)) + σ(−z)(lnσ(−z) − ln ε) | 2.761 (ε = 1e-3) | arXiv:2402.00856 |
/// | `NcaPair` | −lnσ(βs(c)) − ½lnσ(−βs(c)) − ½lnσ(−βs(d)) | 2 ln 2 | arXiv:2402.05369 |
/// | `Robust` | (−(1−ε)·lnσ(z) + ε·lnσ(−z)) / (1−2ε) | ln 2 | arXiv:2403.00409 |
/// | `BcoPair` | −lnσ(βs(c)) − lnσ(−βs(d)) | 2 ln 2 | arXiv:2404.04656, without its shift |
/// | `SppoHard` | (s(c) − 1/(2β))² + (s(d) + 1/(2β))² | 50 | arXiv:2405.00675 |
/// | `Aot` | of δ = sort(log π_w − log π_l) − sort(ref_w − ref_l): −(1−ε)·lnσ(βδ) − ε·lnσ(−βδ) | ln 2 | arXiv:2406.05882 |
/// | `AotUnpaired` | the same of δ = sort(c) − sort(d) | ln 2 | arXiv:2406.05882 |
/// | `ApoZero` | σ(−βc) + σ(βd) | 1 | arXiv:2408.06266 |
/// | `ApoDown` | σ(βc) + σ(−z) | 1 | arXiv:2408.06266 |
/// | `DiscoPop` | −lnσ(z)·σ(−z/τ) + e^(−z)·σ(z/τ) | 0.847 (τ = 0.05) | arXiv:2406.08414 |
/// | `SigmoidNorm` | −lnσ(β(s(c)/\|w\| − s(d)/\|l\|)) | ln 2 | Tülu 3, arXiv:2411.15124 |
#[derive(Config, Debug, PartialEq)]
#[allow(missing_docs)] // the table above says it once
pub enum DpoVariant {
    /// The original; with ε in \[0, ½) the labels are taken to be wrong with probability ε (cDPO).
    Sigmoid { label_smoothing: f64 },
    /// A margin of 1.
    Hinge,
    /// A squared distance to a margin; means over tokens.
    Ipo,
    /// Reverse KL to the smoothed preference; ε in (0, ½).
    ExoPair { label_smoothing: f64 },
    /// Noise contrastive: keeps the chosen likelihood from falling.
    NcaPair,
    /// Unbiased under labels that are wrong with probability ε in \[0, ½).
    Robust { label_smoothing: f64 },
    /// Binary classifier on each side.
    BcoPair,
    /// Self-play with hard win rates.
    SppoHard,
    /// Optimal transport between sorted margins of a batch; ε in \[0, ½).
    Aot { label_smoothing: f64 },
    /// The same between sorted log-ratios, so pairs need not belong together.
    AotUnpaired { label_smoothing: f64 },
    /// Chosen up, rejected down: when the chosen are better than the model.
    ApoZero,
    /// Both down, the rejected more: when the model is better than the chosen.
    ApoDown,
    /// A blend found by search; τ in (0, 1].
    DiscoPop { temperature: f64 },
    /// The original on means over tokens.
    SigmoidNorm,
}

/// How a log-ratio r becomes a score s(r) (f-DPO, arXiv:2309.16240).
///
/// The constants cancel in differences, but not where lengths divide.
#[derive(Config, Debug, PartialEq)]
#[allow(missing_docs)] // fields are said in their variant
pub enum FDivergence {
    /// s = r.
    ReverseKl,
    /// s = 1 − e^(−r).
    ForwardKl,
    /// s = ln 2 + lnσ(r).
    JsDivergence,
    /// s = (e^((α−1)r) − 1) / (α−1); reverse KL at α = 1. α is finite.
    AlphaDivergence { alpha: f64 },
}

/// Exponents are cut here: e^80 is far from overflow in f32, and no useful score lies beyond.
const MAX_EXPONENT: f64 = 80.0;
/// And here where the score is squared.
const MAX_EXPONENT_SQUARED: f64 = 40.0;

impl FDivergence {
    /// With exponents of at most `max_exponent`.
    fn score(&self, log_ratio: Tensor<1>, max_exponent: f64) -> Tensor<1> {
        match *self {
            Self::ReverseKl => log_ratio,
            Self::ForwardKl => log_ratio.neg().clamp_max(max_exponent).exp().neg() + 1.0,
            Self::JsDivergence => log_sigmoid(log_ratio) + std::f64::consts::LN_2,
            Self::AlphaDivergence { alpha } if (alpha - 1.0).abs() < 1e-12 => log_ratio,
            Self::AlphaDivergence { alpha } => {
                let power = (log_ratio * (alpha - 1.0)).clamp_max(max_exponent);
                (power.exp() - 1.0) * (alpha - 1.0).recip()
            }
        }
    }
}

/// Configuration of [`DpoLoss`].
#[derive(Config, Debug)]
pub struct DpoLossConfig {
    /// Strength of the pull to the reference. Positive.
    #[config(default = 0.1)]
    pub beta: f64,
    /// Which loss.
    #[config(default = "DpoVariant::Sigmoid { label_smoothing: 0.0 }")]
    pub variant: DpoVariant,
    /// Which divergence from the reference. [`DpoVariant::Aot`], [`DpoVariant::AotUnpaired`] and [`DpoVariant::ApoZero`] work on plain
    /// log-ratios and accept reverse KL only.
    #[config(default = "FDivergence::ReverseKl")]
    pub f_divergence: FDivergence,
}

impl DpoLossConfig {
    /// Checks the ranges and that variant and divergence go together.
    pub fn validate(&self) -> Result<(), Error> {
        let ok = self.beta > 0.0 && self.beta.is_finite();
        Error::check(ok, "beta", "must be positive and finite", self.beta)?;
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
    /// With every completion of length 1, which only [`DpoVariant::Ipo`] and [`DpoVariant::SigmoidNorm`] notice.
    ///
    /// # Shapes
    ///
    /// - `policy`, `reference`: `[pairs]`, summed log-probabilities of the completions
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or there is no pair.
    pub fn forward(&self, policy: Pair, reference: Pair) -> PreferenceOutput {
        self.run(policy, reference, None)
    }

    /// As [`forward`](Self::forward), with the number of scored tokens of each completion, `[pairs]`; less than 1 counts as 1.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_with_lengths(
        &self,
        policy: Pair,
        reference: Pair,
        lengths: Pair,
    ) -> PreferenceOutput {
        self.run(policy, reference, Some(lengths))
    }

    /// What it was built from.
    pub fn config(&self) -> &DpoLossConfig {
        &self.config
    }

    fn run(&self, policy: Pair, reference: Pair, lengths: Option<Pair>) -> PreferenceOutput {
        let [pairs] = policy.chosen.dims();
        assert_shape!(policy.rejected, [pairs]);
        assert_shape!(reference.chosen, [pairs]);
        assert_shape!(reference.rejected, [pairs]);
        assert!(pairs > 0, "a batch needs at least one pair, got none");
        let policy = Pair::new(upcast(policy.chosen), upcast(policy.rejected));
        let reference = Pair::new(
            constant_like(reference.chosen, &policy.chosen),
            constant_like(reference.rejected, &policy.chosen),
        );
        let ratios = Pair::new(
            policy.chosen.clone() - reference.chosen.clone(),
            policy.rejected.clone() - reference.rejected.clone(),
        );
        let lengths = lengths.map(|lengths| {
            assert_shape!(lengths.chosen, [pairs]);
            assert_shape!(lengths.rejected, [pairs]);
            let inverse = |l: Tensor<1>| constant_like(l, &policy.chosen).clamp_min(1.0).recip();
            Pair::new(inverse(lengths.chosen), inverse(lengths.rejected))
        });
        let losses = self.losses(&policy, &reference, ratios.clone(), lengths);
        let beta = self.config.beta;
        PreferenceOutput {
            loss: mean(losses.clone()),
            losses: losses.without_autodiff(),
            chosen_rewards: ratios.chosen.without_autodiff() * beta,
            rejected_rewards: ratios.rejected.without_autodiff() * beta,
            chosen_log_probs: policy.chosen.without_autodiff(),
            rejected_log_probs: policy.rejected.without_autodiff(),
        }
    }

    /// `ratios` are policy minus reference, `inverse_lengths` 1/|w| and 1/|l|.
    fn losses(
        &self,
        policy: &Pair,
        reference: &Pair,
        ratios: Pair,
        inverse_lengths: Option<Pair>,
    ) -> Tensor<1> {
        let beta = self.config.beta;
        let max_exponent = match self.config.variant {
            DpoVariant::Ipo | DpoVariant::SppoHard => MAX_EXPONENT_SQUARED,
            _ => MAX_EXPONENT,
        };
        let score = |ratio: Tensor<1>| self.config.f_divergence.score(ratio, max_exponent);
        let (c, d) = (ratios.chosen, ratios.rejected);
        let (score_c, score_d) = (score(c.clone()), score(d.clone()));
        let delta = score_c.clone() - score_d.clone();
        let z = delta.clone() * beta;
        let mean_delta = || match inverse_lengths {
            Some(inverse) => score_c.clone() * inverse.chosen - score_d.clone() * inverse.rejected,
            None => delta.clone(),
        };
        match self.config.variant {
            DpoVariant::Sigmoid { label_smoothing } => self.smoothed(delta, label_smoothing),
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
                self.smoothed(margins(policy) - margins(reference), label_smoothing)
            }
            DpoVariant::AotUnpaired { label_smoothing } => {
                self.smoothed(sort(c) - sort(d), label_smoothing)
            }
            DpoVariant::ApoZero => sigmoid(c * -beta) + sigmoid(d * beta),
            DpoVariant::ApoDown => sigmoid(c * beta) + sigmoid(z.neg()),
            DpoVariant::DiscoPop { temperature } => {
                let tempered = z.clone() * temperature.recip();
                let logistic = log_sigmoid(z.clone()).neg() * sigmoid(tempered.clone().neg());
                // e^(−z)·σ(z/τ) in one exponent: apart, they are ∞·0 where z is very negative.
                logistic + (log_sigmoid(tempered) - z).exp()
            }
            DpoVariant::SigmoidNorm => self.smoothed(mean_delta(), 0.0),
        }
    }

    /// −(1−ε)·lnσ(βδ) − ε·lnσ(−βδ)
    fn smoothed(&self, delta: Tensor<1>, label_smoothing: f64) -> Tensor<1> {
        let z = delta * self.config.beta;
        if label_smoothing == 0.0 {
            return log_sigmoid(z).neg();
        }
        let right = log_sigmoid(z.clone()) * (label_smoothing - 1.0);
        right - log_sigmoid(z.neg()) * label_smoothing
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
