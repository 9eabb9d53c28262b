//! What can be turned while a run goes on.

use crate::loss::{BcoLoss, DpoLoss, KtoLoss, TokenLevel};
use serde::{Deserialize, Serialize};

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
    /// Whether a loss can take them.
    pub(super) fn is_valid(self) -> bool {
        let weight = |w: f64| w >= 0.0 && w.is_finite();
        self.beta > 0.0
            && self.beta.is_finite()
            && weight(self.desirable_weight)
            && weight(self.undesirable_weight)
    }
}

/// A loss with knobs.
pub trait Tunable {
    /// The knobs as they stand.
    fn knobs(&self) -> Knobs;

    /// Turns the knobs; those that the loss does not have are left out.
    fn turn(&mut self, knobs: Knobs);
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
