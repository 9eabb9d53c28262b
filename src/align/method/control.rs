//! β and λ that follow training.

use crate::align::refusal::refused;
use crate::error::Error;
use crate::loss::ClassInterval;
use crate::train::{BetaToTarget, Controller, WeightsFromCounts};
use serde::{Deserialize, Serialize};

/// Moves β so that a metric comes to a target: [`BetaToTarget`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BetaTarget {
    /// Which metric: one that the method reports. `kl/raw`, the default, is reported by KTO with a
    /// z0 that is not fixed; others need one of the rewards.
    pub metric: Watched,
    /// What it should be; not 0.
    pub target: f64,
    /// How strongly β reacts; negative for metrics that grow with β.
    pub gain: f64,
    /// β is never below. Positive.
    pub low: f64,
    /// β is never above.
    pub high: f64,
}

impl Default for BetaTarget {
    fn default() -> Self {
        Self {
            metric: Watched::KlRaw,
            target: 2.0,
            gain: 0.1,
            low: 0.01,
            high: 0.5,
        }
    }
}

impl BetaTarget {
    pub(super) fn controller(self) -> BetaToTarget {
        BetaToTarget {
            metric: self.metric.name(),
            target: self.target,
            gain: self.gain,
            bounds: (self.low, self.high),
        }
    }
}

/// Metrics that β can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // their names say it
pub enum Watched {
    #[serde(rename = "kl/raw")]
    KlRaw,
    #[serde(rename = "rewards/margins")]
    Margins,
    #[serde(rename = "rewards/accuracies")]
    Accuracies,
    #[serde(rename = "rewards/chosen")]
    Chosen,
    #[serde(rename = "rewards/rejected")]
    Rejected,
    #[serde(rename = "loss")]
    Loss,
}

impl Watched {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::KlRaw,
        Self::Margins,
        Self::Accuracies,
        Self::Chosen,
        Self::Rejected,
        Self::Loss,
    ];

    /// As it is reported.
    pub fn name(self) -> &'static str {
        match self {
            Self::KlRaw => "kl/raw",
            Self::Margins => "rewards/margins",
            Self::Accuracies => "rewards/accuracies",
            Self::Chosen => "rewards/chosen",
            Self::Rejected => "rewards/rejected",
            Self::Loss => "loss",
        }
    }
}

/// Keeps λ_D and λ_U at what the class counts of recent steps ask for: [`WeightsFromCounts`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CountWeights {
    /// Where λ_D·n_D / (λ_U·n_U) should be.
    pub interval: Interval,
    /// What counts weigh after another step, in \[0, 1\].
    pub decay: f64,
}

impl Default for CountWeights {
    fn default() -> Self {
        Self {
            interval: Interval::default(),
            decay: 0.99,
        }
    }
}

impl CountWeights {
    pub(super) fn controller(self) -> WeightsFromCounts {
        WeightsFromCounts::new(self.interval.class(), self.decay)
    }
}

/// Where λ_D·n_D / (λ_U·n_U) should be: `"three-halves"`, `"four-thirds"` or a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "must be \"three-halves\", \"four-thirds\" or a number"
)]
pub enum Interval {
    /// One of the paper's.
    Named(NamedInterval),
    /// This ratio. Positive.
    Ratio(f64),
}

/// Those of the paper's versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamedInterval {
    /// [`ClassInterval::ThreeHalves`].
    ThreeHalves,
    /// [`ClassInterval::FourThirds`].
    FourThirds,
}

impl Default for Interval {
    fn default() -> Self {
        Self::Named(NamedInterval::ThreeHalves)
    }
}

impl Interval {
    /// As the loss has it.
    pub fn class(self) -> ClassInterval {
        match self {
            Self::Named(NamedInterval::ThreeHalves) => ClassInterval::ThreeHalves,
            Self::Named(NamedInterval::FourThirds) => ClassInterval::FourThirds,
            Self::Ratio(ratio) => ClassInterval::Ratio(ratio),
        }
    }
}

/// Refuses a metric that β could never follow, since the method does not report it.
///
/// All report rewards and the loss; `kl/raw` only where z0 is estimated from mismatched pairs.
pub(super) fn followed(beta: Option<BetaTarget>, estimates_kl: bool) -> Result<(), Error> {
    let reported = |metric: &Watched| estimates_kl || *metric != Watched::KlRaw;
    let Some(metric) = beta.map(|beta| beta.metric).filter(|m| !reported(m)) else {
        return Ok(());
    };
    let all = Watched::ALL.into_iter().filter(reported).map(Watched::name);
    let all: Vec<&str> = all.collect();
    let message = format!(
        "is not reported by this method, got {}: choose one of {}, those of rewards with a \
             negative gain",
        metric.name(),
        all.join(", ")
    );
    Err(refused("method.beta_target.metric", message))
}

/// Controllers of these settings, checked.
pub(in crate::align) fn controllers(
    beta: Option<BetaTarget>,
    weights: Option<CountWeights>,
) -> Result<Vec<Box<dyn Controller>>, Error> {
    let mut all: Vec<Box<dyn Controller>> = Vec::new();
    if let Some(beta) = beta {
        all.push(Box::new(beta.controller()));
    }
    if let Some(weights) = weights {
        all.push(Box::new(weights.controller()));
    }
    all.iter()
        .try_for_each(|controller| controller.validate())?;
    Ok(all)
}
