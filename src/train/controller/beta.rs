//! β that follows a metric.

use super::knobs::Knobs;
use super::rule::Controller;
use crate::error::Error;
use crate::train::metrics::Metrics;

/// Moves β so that a metric comes to a target, in proportion to how far it is off, by at most a
/// fifth of `gain` a step.
///
/// ```text
/// β ← β·(1 + gain·clamp((value − target)/|target|, ±0.2)),   within bounds
/// ```
///
/// With `kl/raw` a larger value means a policy further away from its reference, and a larger β
/// holds it back; with a negative gain it is the other way round, as for `rewards/margins`, which
/// grows with β.
///
/// # References
///
/// The proportional controller of Ziegler et al., arXiv:1909.08593, §2.2, on other quantities.
#[derive(Clone, Debug)]
pub struct BetaToTarget {
    /// Name of the metric.
    pub metric: &'static str,
    /// Value that it should have; not 0.
    pub target: f64,
    /// Strength with which β reacts; 0.1 is usual.
    pub gain: f64,
    /// Bounds that β stays within.
    pub bounds: (f64, f64),
}

impl Controller for BetaToTarget {
    fn validate(&self) -> Result<(), Error> {
        let ok = self.target != 0.0 && self.target.is_finite();
        Error::check(ok, "target", "must be finite and not 0", self.target)?;
        Error::check(self.gain.is_finite(), "gain", "must be finite", self.gain)?;
        let (low, high) = self.bounds;
        let ok = low > 0.0 && low <= high && high.is_finite();
        let got = format!("{low} to {high}");
        Error::check(ok, "bounds", "must be positive, finite and in order", got)
    }

    fn next(&mut self, mut knobs: Knobs, metrics: &Metrics) -> Knobs {
        if let Some(value) = metrics.get(self.metric) {
            let off = (value - self.target) / self.target.abs();
            if off.is_finite() {
                let beta = knobs.beta * (1.0 + self.gain * off.clamp(-0.2, 0.2));
                knobs.beta = beta.max(self.bounds.0).min(self.bounds.1);
            }
        }
        knobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kl::KlSums;

    const KNOBS: Knobs = Knobs {
        beta: 0.1,
        desirable_weight: 1.0,
        undesirable_weight: 1.0,
    };

    #[test]
    fn beta_moves_towards_its_target_and_stays_in_bounds() {
        let mut controller = BetaToTarget {
            metric: "kl/raw",
            target: 2.0,
            gain: 0.5,
            bounds: (0.05, 0.2),
        };
        let mut with = |kl: f64, knobs| {
            let mut metrics = Metrics::default();
            metrics.add_spread("kl/raw", KlSums::of(&[kl]));
            controller.next(knobs, &metrics)
        };
        assert!(
            (with(2.2, KNOBS).beta - 0.105).abs() < 1e-12,
            "10 % off, half of it"
        );
        assert!((with(90.0, KNOBS).beta - 0.11).abs() < 1e-12, "cut at 20 %");
        assert_eq!(with(2.0, KNOBS), KNOBS);
        let mut knobs = KNOBS;
        for _ in 0..100 {
            knobs = with(-5.0, knobs);
        }
        assert_eq!(knobs.beta, 0.05);
        assert_eq!(
            controller.next(KNOBS, &Metrics::default()),
            KNOBS,
            "nothing was reported"
        );
    }
}
