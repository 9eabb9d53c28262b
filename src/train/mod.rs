//! From a loss and a batch to a trained model.
//!
//! [`Objective`] is implemented by the losses themselves: a loop of one's own calls
//! `loss.evaluate(&policy, &reference, batch)`, and the [`Trainer`] (feature `train`) calls the
//! same method. The trainer adds what alignment runs need around it: means that are global over
//! gradient accumulation, z0 pooled over the whole optimizer step, parameter groups, clipping by
//! the global norm, warm-up and decay of the learning rate, held-out evaluation, metrics,
//! checkpoints to continue from exactly.

mod controller;
mod metrics;
mod objective;

pub use controller::{BetaToTarget, Controlled, Controller, Knobs, Tunable, WeightsFromCounts};
pub use metrics::{LossOutput, Metrics, Z0};
pub use objective::{BetaDpo, BetaDpoConfig, Fingerprint, Objective, SmoothedSft, Wpo};

#[cfg(feature = "align")]
pub(crate) use objective::forward::forward_objective;
pub(crate) use objective::forward::unless;

#[cfg(feature = "train")]
mod run;

#[cfg(feature = "train")]
pub use run::checkpoint::saved_policy;
#[cfg(feature = "train")]
pub use run::config::TrainerConfig;
#[cfg(feature = "align")]
pub(crate) use run::folder::{Document, occupied};
#[cfg(feature = "align")]
pub(crate) use run::hook::Hooks;
#[cfg(feature = "train")]
pub use run::hook::{
    CheckpointDone, EvaluationDone, Hook, RunEnded, RunStarted, RunWarning, StepDone,
};
#[cfg(feature = "align")]
pub(crate) use run::lock::Lock;
#[cfg(feature = "train")]
pub use run::optimizer::{DecayGroup, Optimizer, OptimizerConfig};
#[cfg(feature = "train")]
pub use run::outcome::Run;
#[cfg(feature = "train")]
pub use run::progress::Progress;
#[cfg(feature = "train")]
pub use run::schedule::Schedule;
#[cfg(feature = "train")]
pub use run::step::{StepReport, train_step};
#[cfg(feature = "train")]
pub use run::trainer::Trainer;
