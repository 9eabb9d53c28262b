//! What a run tells while it goes on, and who listens.

use crate::data::SamplerConfig;
use crate::error::Error;
use crate::train::metrics::Metrics;
use crate::train::run::config::TrainerConfig;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Listens to a run: [`Trainer::with_hook`](crate::train::Trainer::with_hook).
///
/// Every method does nothing by default. The trainer's own progress display and journal are hooks
/// too, and come before those of the caller. To read a hook after the run, give the trainer a clone
/// of an `Arc<Mutex<_>>` around it, which is a hook itself.
///
/// # Errors
///
/// An error of a hook ends the run with that error.
///
/// # Example
///
/// ```
/// use burn::tensor::Device;
/// use burn_kto::prelude::*;
/// use std::sync::{Arc, Mutex};
///
/// /// The loss of every step; enough is enough below 0.49.
/// #[derive(Default)]
/// struct Losses(Vec<f64>);
///
/// impl Hook for Losses {
///     fn on_step(&mut self, step: &StepDone<'_>) -> Result<(), Error> {
///         self.0.extend(step.metrics.get("loss"));
///         if self.0.last().is_some_and(|&loss| loss < 0.49) {
///             step.stop();
///         }
///         Ok(())
///     }
/// }
///
/// # let policy = LlamaConfig::new(258, 16, 1, 2).init(42, &Device::flex());
/// # let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 64);
/// # let up = BinaryExample::new("2 + 2 =", " 4", true);
/// # let down = BinaryExample::new("3 + 3 =", " 9", false);
/// # let train = encoder.encode_binary(&[up, down])?.examples;
/// # let (reference, mut kto) = (Frozen::new(&policy), KtoLossConfig::new().init());
/// # let batcher = BinaryBatcher::new(ByteTokenizer.pad(), 64);
/// let losses = Arc::new(Mutex::new(Losses::default()));
/// let trainer = Trainer::new(TrainerConfig::new(1e-2).with_epochs(100))?
///     .with_progress(Progress::Silent)
///     .with_hook(losses.clone());
/// let run = trainer.fit(policy, &reference, &mut kto, &batcher, &train, &[])?;
/// let losses = &losses.lock().unwrap().0;
/// assert_eq!(losses[0], 0.5, "policy and reference are one at first");
/// assert!(run.interrupted && run.steps == losses.len());
/// # Ok::<(), Error>(())
/// ```
pub trait Hook: Send {
    /// Called once, before the first evaluation.
    ///
    /// # Errors
    ///
    /// Those of the hook, which end the run.
    fn on_start(&mut self, run: &RunStarted<'_>) -> Result<(), Error> {
        let _ = run;
        Ok(())
    }

    /// Called after each optimizer step.
    ///
    /// # Errors
    ///
    /// Those of the hook, which end the run.
    fn on_step(&mut self, step: &StepDone<'_>) -> Result<(), Error> {
        let _ = step;
        Ok(())
    }

    /// Called after each evaluation on held-out examples.
    ///
    /// # Errors
    ///
    /// Those of the hook, which end the run.
    fn on_evaluate(&mut self, evaluation: &EvaluationDone<'_>) -> Result<(), Error> {
        let _ = evaluation;
        Ok(())
    }

    /// Called where something looks wrong, but the run can go on.
    ///
    /// # Errors
    ///
    /// Those of the hook, which end the run.
    fn on_warning(&mut self, warning: &RunWarning<'_>) -> Result<(), Error> {
        let _ = warning;
        Ok(())
    }

    /// Called after each checkpoint, when it is whole.
    ///
    /// # Errors
    ///
    /// Those of the hook, which end the run.
    fn on_checkpoint(&mut self, checkpoint: &CheckpointDone<'_>) -> Result<(), Error> {
        let _ = checkpoint;
        Ok(())
    }

    /// Called once at the end of the run, or when it was asked to stop; not after an error.
    ///
    /// # Errors
    ///
    /// Those of the hook, which the run then ends with.
    fn on_end(&mut self, run: &RunEnded) -> Result<(), Error> {
        let _ = run;
        Ok(())
    }
}

impl<H: Hook + ?Sized> Hook for Arc<Mutex<H>> {
    fn on_start(&mut self, run: &RunStarted<'_>) -> Result<(), Error> {
        locked(self, |hook| hook.on_start(run))
    }

    fn on_step(&mut self, step: &StepDone<'_>) -> Result<(), Error> {
        locked(self, |hook| hook.on_step(step))
    }

    fn on_evaluate(&mut self, evaluation: &EvaluationDone<'_>) -> Result<(), Error> {
        locked(self, |hook| hook.on_evaluate(evaluation))
    }

    fn on_warning(&mut self, warning: &RunWarning<'_>) -> Result<(), Error> {
        locked(self, |hook| hook.on_warning(warning))
    }

    fn on_checkpoint(&mut self, checkpoint: &CheckpointDone<'_>) -> Result<(), Error> {
        locked(self, |hook| hook.on_checkpoint(checkpoint))
    }

    fn on_end(&mut self, run: &RunEnded) -> Result<(), Error> {
        locked(self, |hook| hook.on_end(run))
    }
}

fn locked<H: Hook + ?Sized, T>(hook: &Mutex<H>, call: impl FnOnce(&mut H) -> T) -> T {
    call(&mut hook.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A run before its first step.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunStarted<'a> {
    /// Optimizer steps finished already; not 0 if it goes on from a checkpoint.
    pub step: usize,
    /// Optimizer steps of the whole run.
    pub total: usize,
    /// Its settings.
    pub config: &'a TrainerConfig,
    /// Those of its sampler.
    pub sampler: &'a SamplerConfig,
    /// The output folder, if there is one.
    pub output: Option<&'a Path>,
}

/// An optimizer step.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StepDone<'a> {
    /// Number of the step, counted from 1.
    pub step: usize,
    /// Optimizer steps of the whole run.
    pub total: usize,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Norm of the gradient over all parameters, before clipping.
    pub grad_norm: f64,
    /// Tokens that the policy read with a gradient.
    pub tokens: usize,
    /// Tokens a second, over the time of the whole step.
    pub tokens_per_second: f64,
    /// Means over the examples of the step, before its update.
    pub metrics: &'a Metrics,
    /// What the objective worked with: name and value.
    pub settings: &'a [(&'static str, f64)],
    pub(super) stop: &'a AtomicBool,
}

impl StepDone<'_> {
    /// Ends the run after this step, without the evaluation that may be due; with a checkpoint, if
    /// there is an output folder.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// An evaluation on held-out examples.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EvaluationDone<'a> {
    /// Optimizer steps finished; 0 before the first.
    pub step: usize,
    /// Optimizer steps of the whole run.
    pub total: usize,
    /// Means over the held-out examples.
    pub metrics: &'a Metrics,
    pub(super) stop: &'a AtomicBool,
}

impl EvaluationDone<'_> {
    /// Ends the run here, with a checkpoint if there is an output folder. A run that just began
    /// takes a step before.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Something that looks wrong.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunWarning<'a> {
    /// Optimizer steps finished.
    pub step: usize,
    /// What it is, and what helps.
    pub message: &'a str,
}

/// A checkpoint that was written.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CheckpointDone<'a> {
    /// Optimizer steps finished.
    pub step: usize,
    /// Its folder, which the next checkpoint replaces.
    pub folder: &'a Path,
}

/// The end of a run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunEnded {
    /// Optimizer steps finished.
    pub step: usize,
    /// Optimizer steps of the whole run.
    pub total: usize,
    /// Whether it was asked to stop before.
    pub interrupted: bool,
}

/// The hooks of a caller; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Vec<Arc<Mutex<dyn Hook>>>);

impl Hooks {
    pub(crate) fn push(&mut self, hook: impl Hook + 'static) {
        self.0.push(Arc::new(Mutex::new(hook)));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Box<dyn Hook>> {
        let boxed = |hook: &Arc<Mutex<dyn Hook>>| Box::new(hook.clone()) as Box<dyn Hook>;
        self.0.iter().map(boxed)
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} hooks", self.0.len())
    }
}
