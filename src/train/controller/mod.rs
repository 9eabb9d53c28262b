//! β and λ that follow what training reports.

use crate::error::Error;
use crate::loss::{BcoLoss, ClassInterval, ClassWeights, DpoLoss, KtoLoss, TokenLevel};
use crate::train::metrics::Metrics;
use crate::train::objective::{Objective, restored};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt::Debug;

/// What can be turned while a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knobs {
    /// β.
    pub beta: f64,
    /// λ_D; 1 where the loss has no such weight.
    pub desirable_weight: f64,
    /// λ_U; 1 where the loss has no such weight.
    pub undesirable_weight: f64,
}

impl Knobs {
    fn is_valid(self) -> bool {
        let weight = |w: f64| w >= 0.0 && w.is_finite();
        self.beta > 0.0
            && self.beta.is_finite()
            && weight(self.desirable_weight)
            && weight(self.undesirable_weight)
    }
}

/// A loss with knobs.
pub trait Tunable {
    /// Where they stand.
    fn knobs(&self) -> Knobs;

    /// Turns them; those that the loss does not have are left out.
    fn turn(&mut self, knobs: Knobs);
}

/// Turns the knobs of a loss after each optimizer step.
pub trait Controller: Debug {
    /// Checks its settings; nothing by default.
    ///
    /// # Errors
    ///
    /// If one is out of its range.
    fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Where they should stand, from where they do and what the step reported.
    fn next(&mut self, knobs: Knobs, metrics: &Metrics) -> Knobs;

    /// What it carries from step to step, for a checkpoint; null by default.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Goes on from such a state.
    ///
    /// # Errors
    ///
    /// If the state is that of another controller.
    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        let _ = state;
        Ok(())
    }
}

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
    /// What it should be; not 0.
    pub target: f64,
    /// How strongly β reacts; 0.1 is usual.
    pub gain: f64,
    /// β stays within.
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

/// Keeps λ_D and λ_U at what [`ClassWeights`] says for the class counts of recent steps, so that a
/// stream of feedback may change its mood.
#[derive(Clone, Debug)]
pub struct WeightsFromCounts {
    interval: ClassInterval,
    decay: f64,
    counts: (f64, f64),
}

impl WeightsFromCounts {
    /// Counts of a step weigh `decay` times less with every step after it; in \[0, 1\], 1 forgets
    /// nothing.
    pub fn new(interval: ClassInterval, decay: f64) -> Self {
        Self {
            interval,
            decay,
            counts: (0.0, 0.0),
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
        self.counts.0 = self.counts.0 * self.decay + seen("rewards/chosen");
        self.counts.1 = self.counts.1 * self.decay + seen("rewards/rejected");
        // In thousandths, so that faded counts keep their ratio.
        let whole = |count: f64| (count * 1000.0).round() as usize;
        let (up, down) = (whole(self.counts.0), whole(self.counts.1));
        if let Ok(weights) = ClassWeights::from_counts(up, down, self.interval) {
            knobs.desirable_weight = weights.desirable;
            knobs.undesirable_weight = weights.undesirable;
        }
        knobs
    }

    fn state(&self) -> Value {
        json!(self.counts)
    }

    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        self.counts = restored(state)?;
        Ok(())
    }
}

/// A loss whose knobs are turned by controllers, one after the other, after each optimizer step.
/// They and the knobs are kept in checkpoints; the knobs are reported as `beta`, `desirable_weight`
/// and `undesirable_weight`.
///
/// ```
/// use burn_kto::prelude::*;
/// let beta = BetaToTarget { metric: "kl/raw", target: 2.0, gain: 0.1, bounds: (0.01, 0.5) };
/// let weights = WeightsFromCounts::new(ClassInterval::ThreeHalves, 0.99);
/// let kto = Controlled::new(KtoLossConfig::new().init(), vec![Box::new(beta), Box::new(weights)])?;
/// # Ok::<(), Error>(())
/// ```
///
/// Knobs that are not numbers a loss can take are left where they were.
#[derive(Debug)]
pub struct Controlled<L> {
    loss: L,
    controllers: Vec<Box<dyn Controller>>,
}

impl<L: Tunable> Controlled<L> {
    /// Around a loss.
    ///
    /// # Errors
    ///
    /// Of a controller's [`validate`](Controller::validate).
    pub fn new(loss: L, controllers: Vec<Box<dyn Controller>>) -> Result<Self, Error> {
        controllers.iter().try_for_each(|c| c.validate())?;
        Ok(Self { loss, controllers })
    }

    /// The loss as it is now.
    pub fn loss(&self) -> &L {
        &self.loss
    }
}

#[derive(Serialize, Deserialize)]
struct State {
    knobs: Knobs,
    loss: Value,
    controllers: Vec<Value>,
}

impl<M, R, L: Objective<M, R> + Tunable> Objective<M, R> for Controlled<L> {
    type Batch = L::Batch;
    type Output = L::Output;

    fn evaluate(&self, policy: &M, reference: &R, batch: Self::Batch) -> Self::Output {
        self.loss.evaluate(policy, reference, batch)
    }

    fn prepare(&self, policy: &M, reference: &R, window: &mut [Self::Batch]) {
        self.loss.prepare(policy, reference, window);
    }

    fn weight(&self, batch: &Self::Batch) -> f64 {
        self.loss.weight(batch)
    }

    fn tokens(&self, batch: &Self::Batch) -> usize {
        self.loss.tokens(batch)
    }

    fn facts(&self, batch: &Self::Batch) -> Vec<(&'static str, f64, f64)> {
        self.loss.facts(batch)
    }

    fn observe(&mut self, metrics: &Metrics) {
        self.loss.observe(metrics);
        let before = self.loss.knobs();
        let controllers = self.controllers.iter_mut();
        let after = controllers.fold(before, |knobs, c| c.next(knobs, metrics));
        if after.is_valid() {
            self.loss.turn(after);
        }
    }

    fn settings(&self) -> Vec<(&'static str, f64)> {
        let Knobs {
            beta,
            desirable_weight,
            undesirable_weight,
        } = self.loss.knobs();
        let mut settings = self.loss.settings();
        settings.extend([
            ("beta", beta),
            ("desirable_weight", desirable_weight),
            ("undesirable_weight", undesirable_weight),
        ]);
        settings
    }

    fn identity(&self) -> String {
        format!("{} under {:?}", self.loss.identity(), self.controllers)
    }

    fn state(&self) -> Value {
        json!(State {
            knobs: self.loss.knobs(),
            loss: self.loss.state(),
            controllers: self.controllers.iter().map(|c| c.state()).collect(),
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        let saved: State = restored(state)?;
        if saved.controllers.len() != self.controllers.len() {
            let (got, own) = (saved.controllers.len(), self.controllers.len());
            return Err(Error::Dataset {
                message: format!("the state is that of {got} controllers instead of {own}"),
            });
        }
        // Knobs first: turning them scales what a loss has seen, and what was saved is scaled
        // already.
        self.loss.turn(saved.knobs);
        self.loss.restore(&saved.loss)?;
        for (controller, state) in self.controllers.iter_mut().zip(&saved.controllers) {
            controller.restore(state)?;
        }
        Ok(())
    }
}

impl Tunable for KtoLoss {
    fn knobs(&self) -> Knobs {
        let config = self.config();
        Knobs {
            beta: config.beta,
            desirable_weight: config.desirable_weight,
            undesirable_weight: config.undesirable_weight,
        }
    }

    fn turn(&mut self, knobs: Knobs) {
        self.set(knobs.beta, knobs.desirable_weight, knobs.undesirable_weight);
    }
}

impl<L: Tunable> Tunable for TokenLevel<L> {
    fn knobs(&self) -> Knobs {
        self.loss().knobs()
    }

    fn turn(&mut self, knobs: Knobs) {
        self.loss_mut().turn(knobs);
    }
}

impl Tunable for DpoLoss {
    fn knobs(&self) -> Knobs {
        Knobs {
            beta: self.config().beta,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
        }
    }

    fn turn(&mut self, knobs: Knobs) {
        *self = self.with_beta(knobs.beta);
    }
}

impl Tunable for BcoLoss {
    fn knobs(&self) -> Knobs {
        Knobs {
            beta: self.config().beta,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
        }
    }

    fn turn(&mut self, knobs: Knobs) {
        self.set_beta(knobs.beta);
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
