//! How long, how fast, and with which optimizer.

use crate::train::{DecayGroup, OptimizerConfig, Schedule, TrainerConfig};
use serde::{Deserialize, Serialize};

/// Settings of [`TrainerConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainerSettings {
    /// Peak learning rate; the [method's](super::Method::learning_rate) where none is set.
    pub learning_rate: Option<f64>,
    /// Passes over the data, at least 1.
    pub epochs: usize,
    /// Stop after so many optimizer steps.
    pub max_steps: Option<usize>,
    /// Examples, or pairs, an optimizer step.
    pub batch_size: usize,
    /// Examples, or pairs, a forward pass.
    pub micro_batch_size: usize,
    /// Share of the run in which the learning rate rises, in \[0, 1\].
    pub warmup: f64,
    /// How it falls afterwards: `constant`, `linear`, `cosine`.
    #[serde(with = "ScheduleName")]
    pub schedule: Schedule,
    /// Evaluate every so many steps; a quarter of the run where none is set.
    pub evaluate_every: Option<usize>,
    /// Write a checkpoint every so many steps; a quarter of the run where none is set.
    pub checkpoint_every: Option<usize>,
}

impl Default for TrainerSettings {
    fn default() -> Self {
        Self {
            learning_rate: None,
            epochs: 1,
            max_steps: None,
            batch_size: 16,
            micro_batch_size: 4,
            warmup: 0.1,
            schedule: Schedule::Cosine,
            evaluate_every: None,
            checkpoint_every: None,
        }
    }
}

impl TrainerSettings {
    pub(super) fn config(&self, learning_rate: f64) -> TrainerConfig {
        TrainerConfig::new(learning_rate)
            .with_epochs(self.epochs)
            .with_max_steps(self.max_steps)
            .with_batch_size(self.batch_size)
            .with_micro_batch_size(self.micro_batch_size)
            .with_warmup(self.warmup)
            .with_schedule(self.schedule)
            .with_evaluate_every(self.evaluate_every)
            .with_checkpoint_every(self.checkpoint_every)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Schedule", rename_all = "kebab-case")]
enum ScheduleName {
    Constant,
    Linear,
    Cosine,
}

/// Settings of [`OptimizerConfig`]: AdamW with decay groups, and clipping by the global norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerSettings {
    /// Decay of the first moment, in \[0, 1).
    pub beta_1: f64,
    /// Decay of the second moment, in \[0, 1).
    pub beta_2: f64,
    /// Added to the root of the second moment. Positive.
    pub epsilon: f64,
    /// Decoupled weight decay, times the learning rate.
    pub weight_decay: f64,
    /// Which parameters decay: `matrices` or `all`.
    #[serde(with = "DecayName")]
    pub decay: DecayGroup,
    /// The gradient's norm over all parameters is at most this; `inf` does not clip.
    pub max_grad_norm: f64,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        let OptimizerConfig {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
            decay,
            max_grad_norm,
        } = OptimizerConfig::new();
        Self {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
            decay,
            max_grad_norm: max_grad_norm.unwrap_or(f64::INFINITY),
        }
    }
}

impl OptimizerSettings {
    pub(super) fn config(&self) -> OptimizerConfig {
        let norm = self.max_grad_norm;
        OptimizerConfig::new()
            .with_beta_1(self.beta_1)
            .with_beta_2(self.beta_2)
            .with_epsilon(self.epsilon)
            .with_weight_decay(self.weight_decay)
            .with_decay(self.decay)
            .with_max_grad_norm((norm != f64::INFINITY).then_some(norm))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DecayGroup", rename_all = "kebab-case")]
enum DecayName {
    Matrices,
    All,
}
