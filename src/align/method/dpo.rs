//! DPO, its family, and sums of it.

use super::control::{BetaTarget, controllers, followed};
use super::names::Divergence;
use crate::align::refusal::{refused, spelled, unused};
use crate::error::Error;
use crate::loss::{
    DpoLossConfig, DpoVariant, Humanline, MixedLossConfig, TokenLevelConfig, WeightedDpo,
};
use crate::train::BetaDpoConfig;
use serde::{Deserialize, Serialize};

/// Which [`DpoVariant`]; its number stands beside it, as `label_smoothing` or `temperature`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // those of DpoVariant
pub enum Variant {
    #[default]
    Sigmoid,
    Hinge,
    Ipo,
    ExoPair,
    NcaPair,
    Robust,
    BcoPair,
    SppoHard,
    Aot,
    AotUnpaired,
    ApoZero,
    ApoDown,
    DiscoPop,
    SigmoidNorm,
}

impl Variant {
    /// With its number: ε is 0 where none is given (1e-3 for EXO, which needs one), τ 0.05.
    fn with(self, smoothing: Option<f64>, tau: Option<f64>) -> Result<DpoVariant, Error> {
        let smooth = matches!(
            self,
            Self::Sigmoid | Self::ExoPair | Self::Robust | Self::Aot | Self::AotUnpaired
        );
        if !smooth {
            let of = "variant sigmoid, exo-pair, robust, aot and aot-unpaired";
            unused(smoothing, "method.label_smoothing", of, &spelled(&self))?;
        }
        if self != Self::DiscoPop {
            let of = "variant disco-pop";
            unused(tau, "method.temperature", of, &spelled(&self))?;
        }
        let label_smoothing = smoothing.unwrap_or(0.0);
        Ok(match self {
            Self::Sigmoid => DpoVariant::Sigmoid { label_smoothing },
            Self::Hinge => DpoVariant::Hinge,
            Self::Ipo => DpoVariant::Ipo,
            Self::ExoPair => DpoVariant::ExoPair {
                label_smoothing: smoothing.unwrap_or(1e-3),
            },
            Self::NcaPair => DpoVariant::NcaPair,
            Self::Robust => DpoVariant::Robust { label_smoothing },
            Self::BcoPair => DpoVariant::BcoPair,
            Self::SppoHard => DpoVariant::SppoHard,
            Self::Aot => DpoVariant::Aot { label_smoothing },
            Self::AotUnpaired => DpoVariant::AotUnpaired { label_smoothing },
            Self::ApoZero => DpoVariant::ApoZero,
            Self::ApoDown => DpoVariant::ApoDown,
            Self::DiscoPop => DpoVariant::DiscoPop {
                temperature: tau.unwrap_or(0.05),
            },
            Self::SigmoidNorm => DpoVariant::SigmoidNorm,
        })
    }

    /// Whether it sorts a batch, so that no pair can have a weight or be left out.
    fn sorts(self) -> bool {
        matches!(self, Self::Aot | Self::AotUnpaired)
    }
}

/// Settings of [`DpoLoss`](crate::loss::DpoLoss) and its modifiers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dpo {
    /// Strength of the pull to the reference. Positive.
    pub beta: f64,
    /// Which loss of the family.
    pub variant: Variant,
    /// ε, of variants that have one.
    pub label_smoothing: Option<f64>,
    /// τ, of `disco-pop`.
    pub temperature: Option<f64>,
    /// Which divergence from the reference.
    pub divergence: Divergence,
    /// α, of divergence `alpha`.
    pub divergence_alpha: Option<f64>,
    /// DPOP's λ; 0 is off.
    pub chosen_penalty: f64,
    /// LD-DPO's α in \[0, 1\]; 1 is off.
    pub ld_alpha: f64,
    /// Lower and upper bound of each token's log-ratio (arXiv:2509.24207).
    pub humanline: Option<[f64; 2]>,
    /// WPO: pairs weigh by how likely the policy would write them.
    pub wpo: bool,
    /// β follows a metric.
    pub beta_target: Option<BetaTarget>,
}

impl Default for Dpo {
    fn default() -> Self {
        Self {
            beta: 0.1,
            variant: Variant::default(),
            label_smoothing: None,
            temperature: None,
            divergence: Divergence::default(),
            divergence_alpha: None,
            chosen_penalty: 0.0,
            ld_alpha: 1.0,
            humanline: None,
            wpo: false,
            beta_target: None,
        }
    }
}

impl Dpo {
    pub(crate) fn config(&self) -> Result<DpoLossConfig, Error> {
        Ok(DpoLossConfig::new()
            .with_beta(self.beta)
            .with_variant(self.variant.with(self.label_smoothing, self.temperature)?)
            .with_f_divergence(self.divergence.with(self.divergence_alpha)?)
            .with_chosen_penalty(self.chosen_penalty))
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        self.config()?.validate()?;
        unsorted("method.wpo", self.wpo, self.variant)?;
        followed(self.beta_target, false)?;
        controllers(self.beta_target, None).map(|_| ())
    }
}

/// Settings of [`BetaDpo`](crate::train::BetaDpo): β for each batch, around a DPO loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BetaDpo {
    /// β0. Positive.
    pub beta: f64,
    /// Which loss of the family.
    pub variant: Variant,
    /// ε, of variants that have one.
    pub label_smoothing: Option<f64>,
    /// τ, of `disco-pop`.
    pub temperature: Option<f64>,
    /// Which divergence from the reference.
    pub divergence: Divergence,
    /// α, of divergence `alpha`.
    pub divergence_alpha: Option<f64>,
    /// DPOP's λ; 0 is off.
    pub chosen_penalty: f64,
    /// How strongly β follows the margins; 0 is off.
    pub alpha: f64,
    /// What the running mean of the margins keeps at each step, in \[0, 1).
    pub momentum: f64,
    /// Share of the pairs of a batch that count, in (0, 1\].
    pub keep: f64,
    /// β is never below. Positive.
    pub min_beta: f64,
    /// WPO: pairs weigh by how likely the policy would write them.
    pub wpo: bool,
}

impl Default for BetaDpo {
    fn default() -> Self {
        let BetaDpoConfig {
            alpha,
            momentum,
            keep,
            min_beta,
            ..
        } = BetaDpoConfig::new();
        Self {
            beta: 0.1,
            variant: Variant::default(),
            label_smoothing: None,
            temperature: None,
            divergence: Divergence::default(),
            divergence_alpha: None,
            chosen_penalty: 0.0,
            alpha,
            momentum,
            keep,
            min_beta,
            wpo: false,
        }
    }
}

impl BetaDpo {
    /// The loss inside.
    pub(crate) fn dpo(&self) -> Result<DpoLossConfig, Error> {
        let dpo = Dpo {
            beta: self.beta,
            variant: self.variant,
            label_smoothing: self.label_smoothing,
            temperature: self.temperature,
            divergence: self.divergence,
            divergence_alpha: self.divergence_alpha,
            chosen_penalty: self.chosen_penalty,
            ..Dpo::default()
        };
        dpo.config()
    }

    pub(crate) fn config(&self, seed: u64) -> BetaDpoConfig {
        BetaDpoConfig::new()
            .with_alpha(self.alpha)
            .with_momentum(self.momentum)
            .with_keep(self.keep)
            .with_min_beta(self.min_beta)
            .with_seed(seed)
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        self.dpo()?.validate()?;
        unsorted("method.variant", true, self.variant)?;
        self.config(0).validate()
    }
}

/// A loss of the DPO family and what it counts in a sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Part {
    /// What it counts.
    pub weight: f64,
    /// As [`Dpo::beta`].
    pub beta: f64,
    /// As [`Dpo::variant`].
    pub variant: Variant,
    /// As [`Dpo::label_smoothing`].
    pub label_smoothing: Option<f64>,
    /// As [`Dpo::temperature`].
    pub temperature: Option<f64>,
    /// As [`Dpo::divergence`].
    pub divergence: Divergence,
    /// As [`Dpo::divergence_alpha`].
    pub divergence_alpha: Option<f64>,
    /// As [`Dpo::chosen_penalty`].
    pub chosen_penalty: f64,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            weight: 1.0,
            beta: 0.1,
            variant: Variant::default(),
            label_smoothing: None,
            temperature: None,
            divergence: Divergence::default(),
            divergence_alpha: None,
            chosen_penalty: 0.0,
        }
    }
}

impl Part {
    fn config(&self) -> Result<WeightedDpo, Error> {
        let dpo = Dpo {
            beta: self.beta,
            variant: self.variant,
            label_smoothing: self.label_smoothing,
            temperature: self.temperature,
            divergence: self.divergence,
            divergence_alpha: self.divergence_alpha,
            chosen_penalty: self.chosen_penalty,
            ..Dpo::default()
        };
        Ok(WeightedDpo::new(dpo.config()?, self.weight))
    }
}

/// Settings of [`MixedLoss`](crate::loss::MixedLoss): a weighted sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mixed {
    /// What is added up, at least one.
    pub parts: Vec<Part>,
    /// Weight of the likelihood of the chosen.
    pub sft_weight: f64,
    /// LD-DPO's α in \[0, 1\]; 1 is off.
    pub ld_alpha: f64,
    /// Lower and upper bound of each token's log-ratio.
    pub humanline: Option<[f64; 2]>,
    /// WPO: pairs weigh by how likely the policy would write them.
    pub wpo: bool,
}

impl Default for Mixed {
    fn default() -> Self {
        Self {
            parts: vec![Part::default()],
            sft_weight: 0.0,
            ld_alpha: 1.0,
            humanline: None,
            wpo: false,
        }
    }
}

impl Mixed {
    pub(crate) fn config(&self) -> Result<MixedLossConfig, Error> {
        let parts: Result<Vec<_>, _> = self.parts.iter().map(Part::config).collect();
        Ok(MixedLossConfig::new(parts?).with_sft_weight(self.sft_weight))
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        self.config()?.validate()?;
        let mut parts = self.parts.iter();
        parts.try_for_each(|part| unsorted("method.wpo", self.wpo, part.variant))
    }
}

/// Bounds and weights of single tokens.
pub(crate) fn tokens(ld_alpha: f64, humanline: Option<[f64; 2]>) -> TokenLevelConfig {
    let bounds = humanline.map(|[low, high]| Humanline { low, high });
    TokenLevelConfig::new()
        .with_ld_alpha(ld_alpha)
        .with_humanline(bounds)
}

fn unsorted(place: &str, weighs: bool, variant: Variant) -> Result<(), Error> {
    if weighs && variant.sorts() {
        let message = format!(
            "{} sorts a batch: its pairs cannot have weights of their own or be left out",
            spelled(&variant)
        );
        return Err(refused(place, message));
    }
    Ok(())
}
