//! The settings of a run.

use crate::error::Error;
use crate::train::run::optimizer::OptimizerConfig;
use crate::train::run::schedule::Schedule;
use burn::config::Config;

/// The settings of a run. The learning rate has no default, because each method has its own: about
/// 2e-5 for SFT, 5e-6 for KTO, 5e-7 for DPO on a model of billions of parameters; more for small
/// models.
#[derive(Config, Debug)]
pub struct TrainerConfig {
    /// Peak learning rate, positive.
    pub learning_rate: f64,
    /// Passes over the data, at least 1.
    #[config(default = 1)]
    pub epochs: usize,
    /// Stop after so many optimizer steps, even within an epoch.
    #[config(default = "None")]
    pub max_steps: Option<usize>,
    /// Examples (or pairs) an optimizer step. KTO is meant for 8 to 128.
    #[config(default = 32)]
    pub batch_size: usize,
    /// Examples (or pairs) a forward pass; a step accumulates gradients over as many passes as it
    /// takes.
    #[config(default = 8)]
    pub micro_batch_size: usize,
    /// Share of the run in which the learning rate rises from 0, in \[0, 1\].
    #[config(default = 0.1)]
    pub warmup: f64,
    /// Its course afterwards.
    #[config(default = "Schedule::Cosine")]
    pub schedule: Schedule,
    /// AdamW and clipping.
    #[config(default = "OptimizerConfig::new()")]
    pub optimizer: OptimizerConfig,
    /// Evaluate on held-out examples every so many steps; before the first and after the last step
    /// in any case.
    #[config(default = "None")]
    pub evaluate_every: Option<usize>,
    /// Write a checkpoint every so many steps; at the end in any case. A run without an output
    /// folder refuses it.
    #[config(default = "None")]
    pub checkpoint_every: Option<usize>,
    /// Seeds order and pairs.
    #[config(default = 42)]
    pub seed: u64,
}

impl TrainerConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        let rate = self.learning_rate;
        let ok = rate > 0.0 && rate.is_finite();
        Error::check(ok, "learning_rate", "must be positive and finite", rate)?;
        let ok = (0.0..=1.0).contains(&self.warmup);
        Error::check(ok, "warmup", "must be in [0, 1]", self.warmup)?;
        let counts = [
            ("epochs", Some(self.epochs)),
            ("max_steps", self.max_steps),
            ("batch_size", Some(self.batch_size)),
            ("micro_batch_size", Some(self.micro_batch_size)),
            ("evaluate_every", self.evaluate_every),
            ("checkpoint_every", self.checkpoint_every),
        ];
        for (field, count) in counts {
            Error::check(count != Some(0), field, "must be at least 1", 0)?;
        }
        self.optimizer.validate()
    }

    /// Optimizer steps of one pass over so many examples.
    pub fn steps_per_epoch(&self, examples: usize) -> usize {
        examples.div_ceil(self.batch_size)
    }

    /// Optimizer steps of a run over so many examples.
    pub fn total_steps(&self, examples: usize) -> usize {
        let steps = self.epochs.saturating_mul(self.steps_per_epoch(examples));
        steps.min(self.max_steps.unwrap_or(usize::MAX))
    }

    /// Learning rate of step `step`, counted from 0, of `total`.
    ///
    /// The first step already learns: the warm-up ends at the peak, it does not begin at 0.
    pub fn learning_rate_at(&self, step: usize, total: usize) -> f64 {
        let (peak, warmup) = (self.learning_rate, self.warmup);
        self.schedule.learning_rate(peak, warmup, step, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_to_its_peak_then_falls_to_zero() {
        let config = TrainerConfig::new(2.0).with_warmup(0.2);
        let rates: Vec<f64> = (0..10).map(|s| config.learning_rate_at(s, 10)).collect();
        assert_eq!(rates[..3], [1.0, 2.0, 2.0]);
        assert!(rates[2..].windows(2).all(|pair| pair[1] < pair[0]));
        assert!(rates[9] > 0.0 && config.learning_rate_at(10, 10) < 1e-12);
        assert_eq!(
            config
                .with_schedule(Schedule::Linear)
                .learning_rate_at(6, 10),
            1.0
        );
    }

    #[test]
    fn steps_cover_the_last_short_batch() {
        let config = TrainerConfig::new(1.0).with_batch_size(4).with_epochs(3);
        assert_eq!(config.total_steps(9), 9);
        assert_eq!(config.with_max_steps(Some(5)).total_steps(9), 5);
    }

    #[test]
    fn zeros_are_refused_by_name() {
        let config = TrainerConfig::new(1.0).with_micro_batch_size(0);
        let error = config.validate().unwrap_err().to_string();
        assert_eq!(error, "micro_batch_size must be at least 1, got 0");
        assert!(TrainerConfig::new(f64::NAN).validate().is_err());
    }
}
