//! Named sums, methods on pairs without a reference, reward models and demonstrations.

use crate::align::refusal::{refused, spelled, unused};
use crate::error::Error;
use crate::loss::{
    CpoLossConfig, CpoVariant, MixedLossConfig, OrpoLossConfig, RewardLossConfig, SftLossConfig,
    SftVariant, SimpoLossConfig, SimpoMargin, SlicLossConfig,
};
use serde::{Deserialize, Serialize};

/// A struct of settings with what every loss on pairs takes.
macro_rules! of_pairs {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// LD-DPO's α in \[0, 1\]; 1 is off.
            pub ld_alpha: f64,
            /// Lower and upper bound of each token's log-ratio to the reference.
            pub humanline: Option<[f64; 2]>,
            /// WPO: pairs weigh by how likely the policy would write them.
            pub wpo: bool,
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* ld_alpha: 1.0, humanline: None, wpo: false }
            }
        }
    };
}

of_pairs! {
    /// [`MixedLossConfig::rpo`]: DPO and the likelihood of the chosen.
    Rpo {
        /// β of DPO. Positive.
        beta: f64 = 0.1,
        /// Weight of the likelihood of the chosen; 1 in the paper.
        sft_weight: f64 = 1.0,
    }
}

of_pairs! {
    /// [`MixedLossConfig::mpo`]: 0.8·DPO + 0.2·BCO + SFT.
    Mpo {
        /// β of DPO and BCO. Positive.
        beta: f64 = 0.1,
    }
}

of_pairs! {
    /// Settings of [`SimpoLoss`](crate::loss::SimpoLoss).
    Simpo {
        /// Scale of the reward. Positive; 2 to 10 in the paper.
        beta: f64 = 2.0,
        /// γ, how much better the chosen should be; or `gamma_ratio`.
        gamma: Option<f64> = None,
        /// γ/β; 0.5 where neither is given.
        gamma_ratio: Option<f64> = None,
        /// ε in \[0, ½).
        label_smoothing: f64 = 0.0,
        /// Weight of the likelihood of the chosen.
        sft_weight: f64 = 0.0,
    }
}

of_pairs! {
    /// Settings of [`CpoLoss`](crate::loss::CpoLoss).
    Cpo {
        /// Scale of the margin. Positive.
        beta: f64 = 0.1,
        /// Which loss of the family.
        variant: CpoKind = CpoKind::Sigmoid,
        /// ε in \[0, ½), of `sigmoid`.
        label_smoothing: Option<f64> = None,
        /// α, of `alpha-po`; not 0.
        alpha: Option<f64> = None,
        /// γ, of `alpha-po`.
        gamma: Option<f64> = None,
        /// Weight of the likelihood of the chosen; 1 in the paper.
        sft_weight: f64 = 1.0,
    }
}

of_pairs! {
    /// Settings of [`OrpoLoss`](crate::loss::OrpoLoss).
    Orpo {
        /// Weight of the odds ratio; λ in the paper. Positive.
        beta: f64 = 0.1,
        /// Weight of the likelihood of the chosen; 1 in the paper.
        sft_weight: f64 = 1.0,
    }
}

of_pairs! {
    /// Settings of [`SlicLoss`](crate::loss::SlicLoss).
    Slic {
        /// δ between summed log-probabilities. Positive; 1 in the paper.
        margin: f64 = 1.0,
        /// Weight of the likelihood of the chosen.
        sft_weight: f64 = 0.1,
    }
}

/// Which [`CpoVariant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // those of CpoVariant
pub enum CpoKind {
    #[default]
    Sigmoid,
    Hinge,
    Ipo,
    AlphaPo,
}

impl Rpo {
    pub(crate) fn config(&self) -> MixedLossConfig {
        MixedLossConfig::rpo(self.beta, self.sft_weight)
    }
}

impl Mpo {
    pub(crate) fn config(&self) -> MixedLossConfig {
        MixedLossConfig::mpo(self.beta)
    }
}

impl Simpo {
    pub(crate) fn config(&self) -> Result<SimpoLossConfig, Error> {
        let margin = match (self.gamma, self.gamma_ratio) {
            (Some(_), Some(_)) => {
                let message = "and gamma_ratio say the same in two ways: give one of them";
                return Err(refused("method.gamma", message));
            }
            (Some(gamma), None) => SimpoMargin::Gamma { gamma },
            (None, ratio) => SimpoMargin::GammaBetaRatio {
                ratio: ratio.unwrap_or(0.5),
            },
        };
        Ok(SimpoLossConfig::new()
            .with_beta(self.beta)
            .with_margin(margin)
            .with_label_smoothing(self.label_smoothing)
            .with_sft_weight(self.sft_weight))
    }
}

impl Cpo {
    pub(crate) fn config(&self) -> Result<CpoLossConfig, Error> {
        let got = spelled(&self.variant);
        if self.variant != CpoKind::Sigmoid {
            let place = "method.label_smoothing";
            unused(self.label_smoothing, place, "variant sigmoid", &got)?;
        }
        if self.variant != CpoKind::AlphaPo {
            unused(self.alpha, "method.alpha", "variant alpha-po", &got)?;
            unused(self.gamma, "method.gamma", "variant alpha-po", &got)?;
        }
        let variant = match self.variant {
            CpoKind::Sigmoid => CpoVariant::Sigmoid {
                label_smoothing: self.label_smoothing.unwrap_or(0.0),
            },
            CpoKind::Hinge => CpoVariant::Hinge,
            CpoKind::Ipo => CpoVariant::Ipo,
            CpoKind::AlphaPo => CpoVariant::AlphaPo {
                alpha: self.alpha.unwrap_or(0.25),
                gamma: self.gamma.unwrap_or(0.0),
            },
        };
        Ok(CpoLossConfig::new()
            .with_beta(self.beta)
            .with_variant(variant)
            .with_sft_weight(self.sft_weight))
    }
}

impl Orpo {
    pub(crate) fn config(&self) -> OrpoLossConfig {
        OrpoLossConfig::new()
            .with_beta(self.beta)
            .with_sft_weight(self.sft_weight)
    }
}

impl Slic {
    pub(crate) fn config(&self) -> SlicLossConfig {
        SlicLossConfig::new()
            .with_margin(self.margin)
            .with_sft_weight(self.sft_weight)
    }
}

/// Settings of [`RewardLoss`](crate::loss::RewardLoss). What comes out is a reward model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reward {
    /// Weight of (r_w + r_l)², which keeps rewards around 0; 0.01 is usual, 0 is off.
    pub centring: f64,
}

impl Reward {
    pub(crate) fn config(&self) -> RewardLossConfig {
        RewardLossConfig::new().with_centring(self.centring)
    }
}

/// Settings of [`SftLoss`](crate::loss::SftLoss).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sft {
    /// What a token costs.
    pub variant: SftKind,
    /// ε in \[0, 1), of `nll`.
    pub label_smoothing: Option<f64>,
}

/// Which [`SftVariant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SftKind {
    /// Negative log-likelihood.
    #[default]
    Nll,
    /// Dynamic fine-tuning.
    Dft,
}

impl Sft {
    pub(crate) fn config(&self) -> Result<SftLossConfig, Error> {
        let variant = match self.variant {
            SftKind::Nll => SftVariant::Nll {
                label_smoothing: self.label_smoothing.unwrap_or(0.0),
            },
            SftKind::Dft => {
                let place = "method.label_smoothing";
                unused(self.label_smoothing, place, "variant nll", "dft")?;
                SftVariant::Dft
            }
        };
        Ok(SftLossConfig::new().with_variant(variant))
    }
}
