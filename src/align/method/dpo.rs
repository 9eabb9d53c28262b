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

/// A struct of settings with those of a DPO loss, and that loss.
macro_rules! of_dpo {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
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
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                let DpoLossConfig { beta, chosen_penalty, .. } = DpoLossConfig::new();
                Self {
                    beta,
                    variant: Variant::default(),
                    label_smoothing: None,
                    temperature: None,
                    divergence: Divergence::default(),
                    divergence_alpha: None,
                    chosen_penalty,
                    $($field: $default,)*
                }
            }
        }

        impl $name {
            /// The loss of the DPO family.
            pub(crate) fn loss(&self) -> Result<DpoLossConfig, Error> {
                Ok(DpoLossConfig::new()
                    .with_beta(self.beta)
                    .with_variant(self.variant.with(self.label_smoothing, self.temperature)?)
                    .with_f_divergence(self.divergence.with(self.divergence_alpha)?)
                    .with_chosen_penalty(self.chosen_penalty))
            }
        }
    };
}

of_dpo! {
    /// Settings of [`DpoLoss`](crate::loss::DpoLoss) and its modifiers.
    Dpo {
        /// LD-DPO's α in \[0, 1\]; 1 is off.
        ld_alpha: f64 = 1.0,
        /// Lower and upper bound of each token's log-ratio (arXiv:2509.24207).
        humanline: Option<[f64; 2]> = None,
        /// WPO: pairs weigh by how likely the policy would write them.
        wpo: bool = false,
        /// β follows a metric.
        beta_target: Option<BetaTarget> = None,
    }
}

of_dpo! {
    /// Settings of [`BetaDpo`](crate::train::BetaDpo): β for each batch, around a DPO loss.
    BetaDpo {
        /// How strongly β follows the margins; 0 is off.
        alpha: f64 = BetaDpoConfig::new().alpha,
        /// What the running mean of the margins keeps at each step, in \[0, 1).
        momentum: f64 = BetaDpoConfig::new().momentum,
        /// Share of the pairs of a batch that count, in (0, 1\].
        keep: f64 = BetaDpoConfig::new().keep,
        /// β is never below. Positive.
        min_beta: f64 = BetaDpoConfig::new().min_beta,
        /// WPO: pairs weigh by how likely the policy would write them.
        wpo: bool = false,
    }
}

of_dpo! {
    /// A loss of the DPO family and what it counts in a sum.
    Part {
        /// What it counts.
        weight: f64 = 1.0,
    }
}

impl Dpo {
    pub(super) fn validate(&self) -> Result<(), Error> {
        self.loss()?.validate()?;
        unsorted("method.wpo", self.wpo, self.variant)?;
        followed(self.beta_target, false)?;
        controllers(self.beta_target, None).map(|_| ())
    }
}

impl BetaDpo {
    pub(crate) fn config(&self, seed: u64) -> BetaDpoConfig {
        BetaDpoConfig::new()
            .with_alpha(self.alpha)
            .with_momentum(self.momentum)
            .with_keep(self.keep)
            .with_min_beta(self.min_beta)
            .with_seed(seed)
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        self.loss()?.validate()?;
        unsorted("method.variant", true, self.variant)?;
        self.config(0).validate()
    }
}

impl Part {
    fn config(&self) -> Result<WeightedDpo, Error> {
        Ok(WeightedDpo::new(self.loss()?, self.weight))
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
