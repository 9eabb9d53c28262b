//! λ_D and λ_U that follow the numbers of thumbs.

use super::knobs::Knobs;
use super::rule::Controller;
use crate::error::Error;
use crate::loss::{ClassInterval, ClassWeights};
use crate::train::metrics::Metrics;
use crate::train::objective::state::{restored, saved};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Keeps λ_D and λ_U at what [`ClassWeights`] says for the class counts of recent steps, so that a
/// stream of feedback may change its mood.
#[derive(Clone, Debug)]
pub struct WeightsFromCounts {
    interval: ClassInterval,
    decay: f64,
    counts: Counts,
}

/// Faded numbers of examples of each class.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counts {
    desirable: f64,
    undesirable: f64,
}

impl WeightsFromCounts {
    /// Counts of a step weigh `decay` times less with every step after it; in \[0, 1\], 1 forgets
    /// nothing.
    pub fn new(interval: ClassInterval, decay: f64) -> Self {
        Self {
            interval,
            decay,
            counts: Counts::default(),
        }
    }
}

impl Controller for WeightsFromCounts {
    fn validate(&self) -> Result<(), Error> {
        let ok = (0.0..=1.0).contains(&self.decay);
        Error::check(ok, "decay", "must be in [0, 1]", self.decay)?;
        ClassWeights::from_counts(1, 1, self.interval).map(|_| ())
    }

    fn next(&mut self, mut knobs: Knobs, metrics: &Metrics) -> Knobs {
        let seen = |name| metrics.sum(name).map_or(0.0, |(_, count)| count);
        let Counts {
            desirable,
            undesirable,
        } = self.counts;
        self.counts = Counts {
            desirable: desirable * self.decay + seen("rewards/chosen"),
            undesirable: undesirable * self.decay + seen("rewards/rejected"),
        };
        // In thousandths, so that faded counts keep their ratio.
        let whole = |count: f64| (count * 1000.0).round() as usize;
        let desirable = whole(self.counts.desirable);
        let undesirable = whole(self.counts.undesirable);
        if let Ok(weights) = ClassWeights::from_counts(desirable, undesirable, self.interval) {
            knobs.desirable_weight = weights.desirable;
            knobs.undesirable_weight = weights.undesirable;
        }
        knobs
    }

    fn state(&self) -> Value {
        saved(self.counts)
    }

    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        self.counts = restored(state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KNOBS: Knobs = Knobs {
        beta: 0.1,
        desirable_weight: 1.0,
        undesirable_weight: 1.0,
    };

    #[test]
    fn weights_follow_the_classes_and_survive_a_checkpoint() {
        let mut controller = WeightsFromCounts::new(ClassInterval::ThreeHalves, 0.5);
        let mut metrics = Metrics::default();
        metrics.add("rewards/chosen", 0.0, 1.0);
        assert_eq!(
            controller.next(KNOBS, &metrics),
            KNOBS,
            "one class says nothing"
        );
        metrics.add("rewards/rejected", 0.0, 10.0);
        let knobs = controller.next(KNOBS, &metrics);
        // 1.5 desirable against 10.
        assert!((knobs.desirable_weight - 10.0 / 1.5).abs() < 1e-9);
        let mut again = WeightsFromCounts::new(ClassInterval::ThreeHalves, 0.5);
        again.restore(&controller.state()).unwrap();
        assert_eq!(
            again.next(KNOBS, &metrics),
            controller.next(KNOBS, &metrics)
        );
        assert!(again.restore(&json!("nonsense")).is_err());
    }
}
