//! A loss whose knobs are turned.

use super::knobs::{Knobs, Tunable};
use super::rule::Controller;
use crate::error::Error;
use crate::train::metrics::Metrics;
use crate::train::objective::Objective;
use crate::train::objective::forward::forward_objective;
use crate::train::objective::state::{restored, saved};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A loss whose knobs are turned by controllers, one after the other, after each optimizer step.
/// They and the knobs are kept in checkpoints; the knobs are reported as `beta`, `desirable_weight`
/// and `undesirable_weight`.
///
/// ```
/// use burn_kto::prelude::*;
/// let beta = BetaToTarget { metric: "kl/raw", target: 2.0, gain: 0.1, bounds: (0.01, 0.5) };
/// let weights = WeightsFromCounts::new(ClassInterval::ThreeHalves, 0.99);
/// let kto = KtoLossConfig::new().init();
/// let kto = Controlled::new(kto, vec![Box::new(beta), Box::new(weights)])?;
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
    /// Puts a loss under controllers, which act in this order.
    ///
    /// # Errors
    ///
    /// That of a controller's [`validate`](Controller::validate).
    pub fn new(loss: L, controllers: Vec<Box<dyn Controller>>) -> Result<Self, Error> {
        controllers.iter().try_for_each(|c| c.validate())?;
        Ok(Self { loss, controllers })
    }

    /// The loss, with its knobs as they are now.
    pub fn loss(&self) -> &L {
        &self.loss
    }
}

/// What a checkpoint keeps of them.
#[derive(Serialize, Deserialize)]
struct ControlledState {
    knobs: Knobs,
    loss: Value,
    controllers: Vec<Value>,
}

impl<M, R, L: Objective<M, R> + Tunable> Objective<M, R> for Controlled<L> {
    type Batch = L::Batch;
    type Output = L::Output;

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
        saved(ControlledState {
            knobs: self.loss.knobs(),
            loss: self.loss.state(),
            controllers: self.controllers.iter().map(|c| c.state()).collect(),
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        let saved: ControlledState = restored(state)?;
        if saved.controllers.len() != self.controllers.len() {
            let (got, own) = (saved.controllers.len(), self.controllers.len());
            return Err(Error::State {
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

    forward_objective! {
        this => (&this.loss, &mut this.loss), except observe settings identity state restore
    }
}
