//! How to align: each method with settings of its own, so that those of another cannot be given.

mod control;
mod dpo;
mod names;
mod pairs;
mod thumbs;

pub(super) use control::controllers;
pub(super) use dpo::tokens;

pub use control::{BetaTarget, CountWeights, Interval, NamedInterval, Watched};
pub use dpo::{BetaDpo, Dpo, Mixed, Part, Variant};
pub use names::Divergence;
pub use pairs::{Cpo, CpoKind, Mpo, Orpo, Reward, Rpo, Sft, SftKind, Simpo, Slic};
pub use thumbs::{ApoZero, Bco, Kl, Kto};

use super::refusal::refused;
use crate::error::Error;
use crate::reference::ReferenceChoice;
use serde::{Deserialize, Serialize};

/// A method and its settings: `{ name = "kto", beta = 0.1 }`.
///
/// | name | data | reference | settings |
/// |---|---|---|---|
/// | `sft` | demonstrations | none | [`Sft`] |
/// | `kto` | thumbs | any | [`Kto`] |
/// | `apo-zero` | thumbs | not free | [`ApoZero`] |
/// | `bco` | thumbs | any | [`Bco`] |
/// | `dpo` | pairs | any | [`Dpo`] |
/// | `beta-dpo` | pairs | any | [`BetaDpo`] |
/// | `mixed` | pairs | any | [`Mixed`] |
/// | `rpo` | pairs | any | [`Rpo`] |
/// | `mpo` | pairs | any | [`Mpo`] |
/// | `simpo` | pairs | none, but for `humanline` | [`Simpo`] |
/// | `cpo` | pairs | the same | [`Cpo`] |
/// | `orpo` | pairs | the same | [`Orpo`] |
/// | `slic` | pairs | the same | [`Slic`] |
/// | `reward` | pairs, for a reward model | none | [`Reward`] |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[allow(missing_docs)] // the table says it once
pub enum Method {
    Sft(Sft),
    Kto(Kto),
    ApoZero(ApoZero),
    Bco(Bco),
    Dpo(Dpo),
    BetaDpo(BetaDpo),
    Mixed(Mixed),
    Rpo(Rpo),
    Mpo(Mpo),
    Simpo(Simpo),
    Cpo(Cpo),
    Orpo(Orpo),
    Slic(Slic),
    Reward(Reward),
}

impl Default for Method {
    fn default() -> Self {
        Self::Kto(Kto::default())
    }
}

/// What a method learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Completions with a thumb up or down.
    Thumbs,
    /// Pairs, the better one first.
    Pairs,
    /// Demonstrations.
    Demonstrations,
}

impl Method {
    /// All names.
    pub const NAMES: [&'static str; 14] = [
        "sft", "kto", "apo-zero", "bco", "dpo", "beta-dpo", "mixed", "rpo", "mpo", "simpo", "cpo",
        "orpo", "slic", "reward",
    ];

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sft(_) => "sft",
            Self::Kto(_) => "kto",
            Self::ApoZero(_) => "apo-zero",
            Self::Bco(_) => "bco",
            Self::Dpo(_) => "dpo",
            Self::BetaDpo(_) => "beta-dpo",
            Self::Mixed(_) => "mixed",
            Self::Rpo(_) => "rpo",
            Self::Mpo(_) => "mpo",
            Self::Simpo(_) => "simpo",
            Self::Cpo(_) => "cpo",
            Self::Orpo(_) => "orpo",
            Self::Slic(_) => "slic",
            Self::Reward(_) => "reward",
        }
    }

    /// What it learns from.
    pub fn data_kind(&self) -> DataKind {
        match self {
            Self::Sft(_) => DataKind::Demonstrations,
            Self::Kto(_) | Self::ApoZero(_) | Self::Bco(_) => DataKind::Thumbs,
            _ => DataKind::Pairs,
        }
    }

    /// Peak learning rate where none is set: 2e-5 for SFT, 1e-5 for a reward model, 5e-6 for thumbs
    /// and ORPO (KTO paper §4.2), 5e-7 for other pairs, as is usual for models of billions of
    /// parameters.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Sft(_) => 2e-5,
            Self::Reward(_) => 1e-5,
            Self::Kto(_) | Self::ApoZero(_) | Self::Bco(_) | Self::Orpo(_) => 5e-6,
            _ => 5e-7,
        }
    }

    /// Checks the settings, and that they go with each other and with the reference.
    ///
    /// # Errors
    ///
    /// For the first that does not, by its name.
    pub fn validate(&self, reference: &ReferenceChoice) -> Result<(), Error> {
        reference.validate()?;
        match self {
            Self::Sft(sft) => sft.config()?.validate()?,
            Self::Kto(kto) => kto.validate(reference)?,
            Self::ApoZero(apo) => apo.validate(reference)?,
            Self::Bco(bco) => bco.validate()?,
            Self::Dpo(dpo) => dpo.validate()?,
            Self::BetaDpo(dpo) => dpo.validate()?,
            Self::Mixed(mixed) => mixed.validate()?,
            Self::Rpo(rpo) => rpo.config().validate()?,
            Self::Mpo(mpo) => mpo.config().validate()?,
            Self::Simpo(simpo) => simpo.config()?.validate()?,
            Self::Cpo(cpo) => cpo.config()?.validate()?,
            Self::Orpo(orpo) => orpo.config().validate()?,
            Self::Slic(slic) => slic.config().validate()?,
            Self::Reward(reward) => reward.config().validate()?,
        }
        let (ld_alpha, humanline) = self.token_level();
        dpo::tokens(ld_alpha, humanline).validate()?;
        self.check_reference(reference, humanline.is_some())
    }

    fn check_reference(&self, reference: &ReferenceChoice, bounds: bool) -> Result<(), Error> {
        let name = self.name();
        if bounds {
            let message = match reference {
                ReferenceChoice::Free => {
                    "bounds log-ratios, and without a reference there are none"
                }
                ReferenceChoice::Cached => {
                    "looks at single tokens, and the cached reference remembers sums: choose frozen"
                }
                _ => return Ok(()),
            };
            return Err(refused("method.humanline", message));
        }
        if !self.has_reference() && !matches!(reference, ReferenceChoice::Frozen) {
            return Err(refused(
                "reference",
                format!(
                    "is for kto, apo-zero, bco, dpo, beta-dpo, mixed, rpo and mpo: {name} has no \
                     reference, got {}",
                    reference.name()
                ),
            ));
        }
        let ld_alpha = self.token_level().0;
        if ld_alpha < 1.0 && matches!(reference, ReferenceChoice::Cached) {
            let message =
                "looks at single tokens, and the cached reference remembers sums: choose frozen";
            return Err(refused("method.ld_alpha", message));
        }
        Ok(())
    }

    /// Whether a reference is run: by the loss, or for the bounds of tokens.
    pub(super) fn runs_reference(&self) -> bool {
        self.has_reference() || self.token_level().1.is_some()
    }

    fn has_reference(&self) -> bool {
        !matches!(
            self,
            Self::Sft(_)
                | Self::Reward(_)
                | Self::Simpo(_)
                | Self::Cpo(_)
                | Self::Orpo(_)
                | Self::Slic(_)
        )
    }

    /// `ld_alpha` and `humanline`, of methods that have them.
    fn token_level(&self) -> (f64, Option<[f64; 2]>) {
        match self {
            Self::Kto(kto) => (1.0, kto.humanline),
            Self::ApoZero(apo) => (1.0, apo.humanline),
            Self::Dpo(m) => (m.ld_alpha, m.humanline),
            Self::Mixed(m) => (m.ld_alpha, m.humanline),
            Self::Rpo(m) => (m.ld_alpha, m.humanline),
            Self::Mpo(m) => (m.ld_alpha, m.humanline),
            Self::Simpo(m) => (m.ld_alpha, m.humanline),
            Self::Cpo(m) => (m.ld_alpha, m.humanline),
            Self::Orpo(m) => (m.ld_alpha, m.humanline),
            Self::Slic(m) => (m.ld_alpha, m.humanline),
            _ => (1.0, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss;
    use std::fmt::Debug;

    #[test]
    fn defaults_are_those_of_the_losses() {
        fn same(ours: impl Debug, theirs: impl Debug) {
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        }
        same(Kto::default().config(), loss::KtoLossConfig::new());
        same(
            ApoZero::default().as_kto().config(),
            loss::KtoLossConfig::apo_zero_unpaired(),
        );
        same(Bco::default().config(), loss::BcoLossConfig::new());
        same(Dpo::default().loss().unwrap(), loss::DpoLossConfig::new());
        same(
            BetaDpo::default().config(42),
            crate::train::BetaDpoConfig::new(),
        );
        same(
            Simpo::default().config().unwrap(),
            loss::SimpoLossConfig::new(),
        );
        same(Cpo::default().config().unwrap(), loss::CpoLossConfig::new());
        same(Orpo::default().config(), loss::OrpoLossConfig::new());
        same(Slic::default().config(), loss::SlicLossConfig::new());
        same(Reward::default().config(), loss::RewardLossConfig::new());
        same(Sft::default().config().unwrap(), loss::SftLossConfig::new());
    }

    #[test]
    fn what_shows_only_where_the_chosen_get_worse_reaches_the_loss() {
        let dpo = Dpo {
            chosen_penalty: 5.0,
            ..Dpo::default()
        };
        assert_eq!(dpo.loss().unwrap().chosen_penalty, 5.0);
    }
}
