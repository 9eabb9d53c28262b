//! The training loop.

use crate::data::{Batcher, SamplerConfig};
use crate::error::Error;
use crate::reference::Reference;
use crate::train::metrics::{LossOutput, Metrics};
use crate::train::objective::Objective;
use crate::train::run::checkpoint::{Checkpoint, Identity};
use crate::train::run::config::TrainerConfig;
use crate::train::run::journal::Journal;
use crate::train::run::optimizer::Optimizer;
use crate::train::run::plan::Plan;
use crate::train::run::progress::{Display, Progress};
use crate::train::run::step::{StepReport, num_trainable, train_step};
use burn::module::Module;
use burn::tensor::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Run<M> {
    /// The trained model, on its autodiff device; `policy.valid()` for use.
    pub policy: M,
    /// Optimizer steps finished, those before a resumed run included.
    pub steps: usize,
    /// Whether it was asked to stop before the end.
    pub interrupted: bool,
    /// The last step's report; `None` if there was no step.
    pub last: Option<StepReport>,
    /// Held-out metrics and the step they were taken after, in order.
    pub evaluations: Vec<(usize, Metrics)>,
}

/// Runs an [`Objective`] over data.
///
/// With an output folder it writes
///
/// | file | what |
/// |---|---|
/// | `trainer.json`, `sampler.json` | the settings |
/// | `metrics.jsonl` | one JSON object a step, and one an evaluation with names behind `eval_` |
/// | `checkpoint/` | model, optimizer and position, replaced as a whole |
///
/// The same settings, data and seed give the same run; continued from a checkpoint it is the run
/// that was never interrupted, to the last bit where the backend computes the same twice.
#[derive(Clone, Debug)]
pub struct Trainer {
    config: TrainerConfig,
    sampler: SamplerConfig,
    output: Option<PathBuf>,
    resume: bool,
    progress: Progress,
    stop: Arc<AtomicBool>,
}

impl Trainer {
    /// A run with these settings, progress on standard error, nothing written.
    ///
    /// # Errors
    ///
    /// Of [`TrainerConfig::validate`].
    pub fn new(config: TrainerConfig) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            config,
            sampler: SamplerConfig::new(),
            output: None,
            resume: false,
            progress: Progress::default(),
            stop: Arc::default(),
        })
    }

    /// Which examples an epoch has, and in which order; all, shuffled, by default. Draws follow the
    /// seed of the run. A sampler that cannot be used is an error of [`fit`](Self::fit).
    pub fn with_sampler(mut self, sampler: SamplerConfig) -> Self {
        self.sampler = sampler;
        self
    }

    /// Writes settings, metrics and checkpoints to this folder, which is made if it is not there.
    pub fn with_output(mut self, folder: impl Into<PathBuf>) -> Self {
        self.output = Some(folder.into());
        self
    }

    /// Goes on from the checkpoint in the output folder, if there is one.
    pub fn with_resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Where progress is shown.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Set it, from a signal handler or another thread, to end the run after the current step,
    /// checkpoint included. The run that ends takes it back. Clones of a trainer share it.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Optimizer steps of a run over these examples, as its sampler has them.
    ///
    /// # Errors
    ///
    /// Without examples, and where the sampler cannot be used.
    pub fn total_steps<B: Batcher>(
        &self,
        batcher: &B,
        train: &[B::Example],
    ) -> Result<usize, Error> {
        Ok(Plan::new(&self.config, &self.sampler, batcher, train)?.total())
    }

    /// Trains `policy` on `train`, and evaluates on `held_out` before, now and then, and after;
    /// `held_out` may be empty.
    ///
    /// The policy need not be on an autodiff device. Build the reference before:
    /// [`Frozen::new`](crate::reference::Frozen::new) keeps the policy as it is now.
    ///
    /// # Errors
    ///
    /// Without examples; where the sampler cannot be used, a batch cannot be made, a file not be
    /// written, a checkpoint not be used; and when loss or gradient are no longer finite, naming
    /// the step.
    pub fn fit<M, R, L, B>(
        &self,
        policy: M,
        reference: &R,
        objective: &mut L,
        batcher: &B,
        train: &[B::Example],
        held_out: &[B::Example],
    ) -> Result<Run<M>, Error>
    where
        M: Module,
        R: Reference<M>,
        B: Batcher,
        L: Objective<M, R, Batch = B::Batch>,
        L::Output: LossOutput,
    {
        let mut plan = Plan::new(&self.config, &self.sampler, batcher, train)?;
        let total = plan.total();
        let device = plain_device(&policy)?;
        let mut policy = policy.train();
        let mut optimizer = Optimizer::new(&self.config.optimizer, &policy);
        let mut step = 0;
        let checkpoint = self.output.as_deref().map(Checkpoint::new);
        // Whatever ends the run takes the flag back.
        let _lowered = Lowered(&self.stop);
        let identity = Identity::new(
            (&self.config, &self.sampler),
            (train.len(), batcher.fingerprint(train)),
            objective.identity(),
            reference.identity(),
        );
        let mut evaluation_due = true;
        if let Some(checkpoint) = checkpoint.as_ref().filter(|_| self.resume)
            && let Some(resumed) = checkpoint.load(&identity, policy.clone(), &self.config)?
        {
            policy = resumed.policy;
            optimizer = resumed.optimizer;
            step = resumed.step;
            evaluation_due = resumed.evaluation_due;
            let restored = objective.restore(&resumed.objective);
            restored.map_err(|error| Error::Checkpoint {
                path: resumed.folder.clone(),
                message: error.to_string(),
            })?;
            reference.load(&resumed.folder)?;
        }
        if num_trainable(&policy) == 0 {
            return Err(Error::Training {
                step,
                message: "no parameter of the policy asks for a gradient".into(),
            });
        }
        let mut journal = match &self.output {
            Some(folder) => Some(self.open(folder, step)?),
            None => None,
        };
        let display = Display::new(self.progress, step, total);
        let mut run = Run {
            policy,
            steps: step,
            interrupted: false,
            last: None,
            evaluations: Vec::new(),
        };

        let evaluate = |run: &mut Run<M>, objective: &L, journal: &mut Option<Journal>| {
            if held_out.is_empty() {
                return Ok(());
            }
            let metrics = self.evaluate(
                &run.policy,
                reference,
                objective,
                batcher,
                held_out,
                &device,
            )?;
            display.evaluation(run.steps, &metrics);
            if let Some(journal) = journal {
                journal.write(&[("step", run.steps as f64)], "eval_", &metrics)?;
            }
            run.evaluations.push((run.steps, metrics));
            Ok::<(), Error>(())
        };
        if evaluation_due {
            evaluate(&mut run, objective, &mut journal)?;
        }
        while run.steps < total {
            let step = run.steps;
            let clock = Instant::now();
            let mut rng = step_rng(self.config.seed, step as u64);
            let size = self.config.micro_batch_size;
            let window = batcher.window(train, plan.window(step)?, size, &mut rng, &device)?;
            let rate = self.config.learning_rate_at(step, total);
            // As this step has them: observing it may turn some.
            let settings = objective.settings();
            let (policy, report) = train_step(
                objective,
                run.policy,
                reference,
                window,
                &mut optimizer,
                rate,
            );
            run.policy = policy;
            check_finite(step, &report)?;
            run.steps += 1;
            reference.follow(&run.policy, run.steps);
            display.step(run.steps, &report.metrics);
            if let Some(journal) = &mut journal {
                let speed = report.tokens as f64 / clock.elapsed().as_secs_f64().max(1e-9);
                let mut fields = vec![
                    ("step", run.steps as f64),
                    ("epoch", plan.epochs_after(run.steps)),
                    ("learning_rate", rate),
                    ("grad_norm", report.grad_norm),
                    ("tokens_per_second", speed),
                ];
                fields.extend(settings);
                journal.write(&fields, "", &report.metrics)?;
            }
            run.last = Some(report);
            let last = run.steps == total;
            let steps = run.steps;
            let due = |every: Option<usize>| every.is_some_and(|n| steps.is_multiple_of(n));
            run.interrupted = !last && self.stop.load(Ordering::Relaxed);
            let evaluation = due(self.config.evaluate_every) || last;
            if evaluation && !run.interrupted {
                evaluate(&mut run, objective, &mut journal)?;
            }
            let save = due(self.config.checkpoint_every) || run.interrupted || last;
            if let Some(checkpoint) = checkpoint.as_ref().filter(|_| save) {
                checkpoint.save(
                    &identity,
                    &run.policy,
                    &optimizer,
                    (run.steps, evaluation && run.interrupted),
                    objective.state(),
                    |folder| reference.save(folder),
                )?;
            }
            if run.interrupted {
                break;
            }
        }
        display.finish();
        Ok(run)
    }

    /// Held-out metrics of a policy, with z0 and everything else as in training but without a
    /// gradient.
    ///
    /// # Errors
    ///
    /// Where a batch cannot be made.
    pub fn evaluate<M, R, L, B>(
        &self,
        policy: &M,
        reference: &R,
        objective: &L,
        batcher: &B,
        examples: &[B::Example],
        device: &Device,
    ) -> Result<Metrics, Error>
    where
        M: Module,
        B: Batcher,
        L: Objective<M, R, Batch = B::Batch>,
        L::Output: LossOutput,
    {
        let policy = policy.valid();
        let mut metrics = Metrics::default();
        let indices: Vec<usize> = (0..examples.len()).collect();
        for (k, indices) in indices.chunks(self.config.batch_size).enumerate() {
            // The same pairs at every evaluation, and other ones than in training.
            let mut rng = step_rng(!self.config.seed, k as u64);
            let size = self.config.micro_batch_size;
            let window = batcher.window(examples, indices, size, &mut rng, device);
            let mut window = window.map_err(|error| match error {
                Error::Dataset { message } => Error::Dataset {
                    message: format!("held-out examples: {message}"),
                },
                other => other,
            })?;
            objective.prepare(&policy, reference, &mut window);
            for batch in window {
                let weight = objective.weight(&batch);
                for (name, sum, count) in objective.facts(&batch) {
                    metrics.add(name, sum, count);
                }
                let output = objective.evaluate(&policy, reference, batch);
                metrics.add_output(&output, weight);
            }
        }
        Ok(metrics)
    }

    fn open(&self, folder: &Path, step: usize) -> Result<Journal, Error> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let settings = [
            ("trainer.json", self.config.to_string()),
            ("sampler.json", self.sampler.to_string()),
        ];
        for (name, text) in settings {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::io("write", &path))?;
        }
        Journal::open(folder, step)
    }
}

/// Lowers the flag when the run is over, also by an error.
struct Lowered<'a>(&'a AtomicBool);

impl Drop for Lowered<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// From the seed and the step alone, so that a resumed run needs no state. The sampler's streams
/// are below these.
fn step_rng(seed: u64, step: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1 << 63 | step);
    rng
}

fn plain_device<M: Module>(policy: &M) -> Result<Device, Error> {
    match policy.devices().as_slice() {
        [device] => Ok(device.clone().inner()),
        devices => Err(Error::Training {
            step: 0,
            message: format!(
                "the policy must have its parameters on one device, got {}",
                devices.len()
            ),
        }),
    }
}

fn check_finite(step: usize, report: &StepReport) -> Result<(), Error> {
    let loss = report.metrics.get("loss").unwrap_or(0.0);
    let message = if !loss.is_finite() {
        format!("the loss is {loss}; a smaller learning rate may help")
    } else if !report.grad_norm.is_finite() {
        let norm = report.grad_norm;
        format!("the norm of the gradient is {norm}; a smaller learning rate may help")
    } else {
        return Ok(());
    };
    Err(Error::Training { step, message })
}
