//! β and λ that follow what training reports.

mod beta;
mod controlled;
mod knobs;
mod rule;
mod weights;

pub use beta::BetaToTarget;
pub use controlled::Controlled;
pub use knobs::{Knobs, Tunable};
pub use rule::Controller;
pub use weights::WeightsFromCounts;
