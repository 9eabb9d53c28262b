//! Methods that learn from thumbs.

use super::control::{BetaTarget, CountWeights, Interval, controllers, followed};
use super::names::{Shift, Value};
use crate::align::refusal::refused;
use crate::error::Error;
use crate::kl::{KlEstimatorConfig, KlScope};
use crate::loss::{BcoLossConfig, BcoShift, ClassWeights, KtoLossConfig, KtoValue};
use crate::reference::ReferenceChoice;
use serde::{Deserialize, Serialize};

/// Settings of [`KtoLoss`](crate::loss::KtoLoss).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kto {
    /// Risk aversion. Positive; the paper's default is 0.1.
    pub beta: f64,
    /// λ_D, the weight of thumbs up.
    pub desirable_weight: f64,
    /// λ_U, the weight of thumbs down.
    pub undesirable_weight: f64,
    /// λ from the class counts instead of the two above.
    pub balance: Option<Interval>,
    /// `kahneman`, or one of the paper's ablations: `concave`, `linear`.
    #[serde(with = "Value")]
    pub value: KtoValue,
    /// How z0 is estimated.
    pub kl: Kl,
    /// Lower and upper bound of each token's log-ratio (arXiv:2509.24207); \[-1, 1.5\] there.
    pub humanline: Option<[f64; 2]>,
    /// β follows a metric.
    pub beta_target: Option<BetaTarget>,
    /// λ follows the class counts of recent steps.
    pub weights_from_counts: Option<CountWeights>,
}

impl Default for Kto {
    fn default() -> Self {
        Self {
            beta: 0.1,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
            balance: None,
            value: KtoValue::Kahneman,
            kl: Kl::default(),
            humanline: None,
            beta_target: None,
            weights_from_counts: None,
        }
    }
}

/// How z0 is estimated, as [`KlScope`]: `{ scope = "moving-average", decay = 0.9 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs)] // fields are those of the scope, and the estimator's clamp
pub enum Kl {
    /// Over all pairs of an optimizer step.
    Window {
        #[serde(default = "yes")]
        clamp: bool,
    },
    /// Over those of a micro-batch, as in the paper.
    MicroBatch {
        #[serde(default = "yes")]
        clamp: bool,
    },
    /// With the steps before.
    MovingAverage {
        decay: f64,
        #[serde(default = "yes")]
        clamp: bool,
    },
    /// A number.
    Fixed { value: f64 },
}

fn yes() -> bool {
    true
}

impl Default for Kl {
    fn default() -> Self {
        Self::Window { clamp: true }
    }
}

impl Kl {
    pub(super) fn config(self) -> KlEstimatorConfig {
        let (scope, clamp) = match self {
            Self::Window { clamp } => (KlScope::Window, clamp),
            Self::MicroBatch { clamp } => (KlScope::MicroBatch, clamp),
            Self::MovingAverage { decay, clamp } => (KlScope::MovingAverage { decay }, clamp),
            Self::Fixed { value } => (KlScope::Fixed { value }, true),
        };
        KlEstimatorConfig::new().with_scope(scope).with_clamp(clamp)
    }

    /// Whether z0 is a number, so that no mismatched pair is looked at.
    pub(crate) fn is_fixed(self) -> bool {
        matches!(self, Self::Fixed { .. })
    }
}

impl Kto {
    pub(crate) fn config(&self) -> KtoLossConfig {
        KtoLossConfig::new()
            .with_beta(self.beta)
            .with_desirable_weight(self.desirable_weight)
            .with_undesirable_weight(self.undesirable_weight)
            .with_value(self.value)
            .with_kl(self.kl.config())
    }

    pub(super) fn validate(&self, reference: &ReferenceChoice) -> Result<(), Error> {
        self.config().validate()?;
        let plain = (self.desirable_weight, self.undesirable_weight) == (1.0, 1.0);
        weighed(self.balance, plain, self.weights_from_counts)?;
        followed(self.beta_target, !self.kl.is_fixed())?;
        controllers(self.beta_target, self.weights_from_counts)?;
        fixed_needs_reference("method.kl", self.kl.is_fixed(), reference)
    }
}

/// KTO with z0 = 0: [`KtoLossConfig::apo_zero_unpaired`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApoZero {
    /// Risk aversion. Positive.
    pub beta: f64,
    /// λ_D, the weight of thumbs up.
    pub desirable_weight: f64,
    /// λ_U, the weight of thumbs down.
    pub undesirable_weight: f64,
    /// λ from the class counts instead of the two above.
    pub balance: Option<Interval>,
    /// Lower and upper bound of each token's log-ratio.
    pub humanline: Option<[f64; 2]>,
    /// β follows a metric.
    pub beta_target: Option<BetaTarget>,
    /// λ follows the class counts of recent steps.
    pub weights_from_counts: Option<CountWeights>,
}

impl Default for ApoZero {
    fn default() -> Self {
        Self {
            beta: 0.1,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
            balance: None,
            humanline: None,
            beta_target: None,
            weights_from_counts: None,
        }
    }
}

impl ApoZero {
    /// The same as settings of KTO.
    pub(crate) fn as_kto(&self) -> Kto {
        Kto {
            beta: self.beta,
            desirable_weight: self.desirable_weight,
            undesirable_weight: self.undesirable_weight,
            balance: self.balance,
            kl: Kl::Fixed { value: 0.0 },
            humanline: self.humanline,
            beta_target: self.beta_target,
            weights_from_counts: self.weights_from_counts,
            ..Kto::default()
        }
    }

    pub(super) fn validate(&self, reference: &ReferenceChoice) -> Result<(), Error> {
        fixed_needs_reference("method", true, reference)?;
        self.as_kto().validate(reference)
    }
}

/// Settings of [`BcoLoss`](crate::loss::BcoLoss).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bco {
    /// Scale of the reward. Positive.
    pub beta: f64,
    /// What δ is the mean of: `class-means`, or `pooled` as in TRL.
    #[serde(with = "Shift")]
    pub shift: BcoShift,
    /// β follows a metric.
    pub beta_target: Option<BetaTarget>,
}

impl Default for Bco {
    fn default() -> Self {
        Self {
            beta: 0.1,
            shift: BcoShift::ClassMeans,
            beta_target: None,
        }
    }
}

impl Bco {
    pub(crate) fn config(&self) -> BcoLossConfig {
        BcoLossConfig::new()
            .with_beta(self.beta)
            .with_shift(self.shift)
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        self.config().validate()?;
        followed(self.beta_target, false)?;
        controllers(self.beta_target, None).map(|_| ())
    }
}

/// One way to set λ.
fn weighed(
    balance: Option<Interval>,
    plain: bool,
    counts: Option<CountWeights>,
) -> Result<(), Error> {
    let sets = "sets desirable_weight and undesirable_weight: they cannot be given as well";
    if counts.is_some() && !plain {
        return Err(refused("method.weights_from_counts", sets));
    }
    let Some(balance) = balance else {
        return Ok(());
    };
    if !plain {
        return Err(refused("method.balance", sets));
    }
    if counts.is_some() {
        let message = "and weights_from_counts both set the weights: give one of them";
        return Err(refused("method.balance", message));
    }
    ClassWeights::from_counts(1, 1, balance.class()).map(|_| ())
}

fn fixed_needs_reference(
    place: &str,
    fixed: bool,
    reference: &ReferenceChoice,
) -> Result<(), Error> {
    if fixed && matches!(reference, ReferenceChoice::Free) {
        let message = "a fixed z0 needs a reference: without one only the mean over \
                       mismatched pairs is a point to compare with, got reference \"free\"";
        return Err(refused(place, message));
    }
    Ok(())
}
