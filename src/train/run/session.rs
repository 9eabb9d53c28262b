//! A run that goes on.

use crate::data::Batcher;
use crate::error::Error;
use crate::reference::Reference;
use crate::train::metrics::{LossOutput, Metrics};
use crate::train::objective::{Fingerprint, Objective, agree};
use crate::train::run::checkpoint::{Checkpoint, Position, Snapshot};
use crate::train::run::draws;
use crate::train::run::finite;
use crate::train::run::held_out;
use crate::train::run::hook::{
    CheckpointDone, EvaluationDone, Hook, RunEnded, RunStarted, RunWarning, StepDone,
};
use crate::train::run::identity::{Definition, Identity, Start};
use crate::train::run::optimizer::Optimizer;
use crate::train::run::plan::Plan;
use crate::train::run::setup::Setup;
use crate::train::run::start_check::reference_warning;
use crate::train::run::step::{StepReport, num_trainable, train_step};
use burn::module::Module;
use burn::tensor::Device;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Rows by which models are told apart.
const PROBE: usize = 8;

/// What a run leaves.
///
/// ```no_run
/// # use burn_kto::prelude::*;
/// # fn shown(run: Run<Llama>) -> Result<(), Error> {
/// for (step, metrics) in &run.evaluations {
///     println!("after step {step}: held-out loss {:?}", metrics.get("loss"));
/// }
/// if run.interrupted {
///     println!("stopped after step {}", run.steps);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Run<M> {
    /// The trained model, on its autodiff device; `policy.valid()` for use.
    pub policy: M,
    /// Optimizer steps finished, those before a resumed run included.
    pub steps: usize,
    /// Whether it was asked to stop before the end.
    pub interrupted: bool,
    /// The last step's report; `None` if this call took no step.
    pub last: Option<StepReport>,
    /// Held-out metrics and the step they were taken after, in order; 0 is before the first. Those
    /// of this call only, where it went on from a checkpoint.
    pub evaluations: Vec<(usize, Metrics)>,
}

/// What a run trains on and with.
pub(super) struct Work<'a, R, L, B: Batcher> {
    pub(super) reference: &'a R,
    pub(super) objective: &'a mut L,
    pub(super) batcher: &'a B,
    pub(super) train: &'a [B::Example],
    pub(super) held_out: &'a [B::Example],
}

/// A run between two steps.
pub(super) struct Session<'a, M, R, L, B: Batcher> {
    setup: &'a Setup,
    work: Work<'a, R, L, B>,
    plan: Plan,
    identity: Identity,
    device: Device,
    optimizer: Optimizer,
    checkpoint: Option<Checkpoint>,
    listeners: Vec<Box<dyn Hook>>,
    run: Run<M>,
    evaluation_due: bool,
    /// Last, so that the flag is taken back when all else is over.
    _stop: StopReset<'a>,
}

impl<'a, M, R, L, B> Session<'a, M, R, L, B>
where
    M: Module,
    R: Reference<M>,
    B: Batcher,
    L: Objective<M, R, Batch = B::Batch>,
    L::Output: LossOutput,
{
    /// Plans the run, goes on from a checkpoint if asked, and opens what it writes to.
    pub(super) fn start(
        setup: &'a Setup,
        policy: M,
        mut work: Work<'a, R, L, B>,
    ) -> Result<Self, Error> {
        let stop = StopReset(&setup.stop);
        setup.check()?;
        let plan = Plan::new(&setup.config, &setup.sampler, work.batcher, work.train)?;
        let device = plain_device(&policy)?;
        let checkpoint = setup.checkpoint();
        let resumable = checkpoint.as_ref().filter(|_| setup.resume);
        if let Some(start) = resumable.and_then(Checkpoint::start) {
            // An object that was trained with before says what it is as it was then. Where it
            // cannot, it is another one, which its identity says.
            let _ = work.objective.restore(&start.objective);
        }
        let probe = work.probe(setup, &policy, &device);
        let identity = Identity::new(Definition {
            config: &setup.config,
            sampler: &setup.sampler,
            examples: work.train.len(),
            fingerprint: work.batcher.fingerprint(work.train),
            loss: work.objective.identity(),
            reference: work.reference.identity(),
            start: Start {
                objective: work.objective.state(),
                models: work.fingerprint(&policy, probe.as_ref()),
            },
        });
        let position =
            work.position(setup, resumable, &identity, probe.as_ref(), policy.train())?;
        let step = position.step;
        if let Some(checkpoint) = checkpoint.as_ref().filter(|_| step > plan.total()) {
            return Err(Error::Checkpoint {
                path: checkpoint.folder().into(),
                message: format!("is of step {step}, and the run has {}", plan.total()),
            });
        }
        if num_trainable(&position.policy) == 0 {
            return Err(Error::Training {
                step,
                message: "no parameter of the policy asks for a gradient".into(),
            });
        }
        let mut session = Self {
            listeners: setup.listeners(step, plan.total())?,
            setup,
            work,
            plan,
            identity,
            device,
            optimizer: position.optimizer,
            checkpoint,
            run: Run {
                policy: position.policy,
                steps: step,
                interrupted: false,
                last: None,
                evaluations: Vec::new(),
            },
            evaluation_due: position.evaluation_due,
            _stop: stop,
        };
        let started = RunStarted {
            step,
            total: session.plan.total(),
            config: &setup.config,
            sampler: &setup.sampler,
            output: setup.output.as_deref(),
        };
        tell(&mut session.listeners, |hook| hook.on_start(&started))?;
        // Of a fresh run only: after a step rewards are no longer 0.
        let relative = !R::FREE && session.work.objective.relative_rewards();
        let models = &session.identity.start.models;
        if step == 0
            && relative
            && let Some(message) = reference_warning(models)
        {
            let message = &message;
            let warning = RunWarning { step, message };
            tell(&mut session.listeners, |hook| hook.on_warning(&warning))?;
        }
        Ok(session)
    }

    /// Whether there is another step to take.
    pub(super) fn goes_on(&self) -> bool {
        self.run.steps < self.plan.total() && !self.run.interrupted
    }

    /// Whether to evaluate now.
    pub(super) fn is_evaluation_due(&self) -> bool {
        self.evaluation_due && !self.run.interrupted
    }

    /// Whether to save now.
    pub(super) fn is_save_due(&self) -> bool {
        self.is_due(self.setup.config.checkpoint_every) || !self.goes_on()
    }

    /// Takes an optimizer step.
    pub(super) fn step(mut self) -> Result<Self, Error> {
        let clock = Instant::now();
        let (config, total, step) = (&self.setup.config, self.plan.total(), self.run.steps);
        let window = self.work.batcher.window(
            self.work.train,
            self.plan.window(step)?,
            config.micro_batch_size,
            &mut draws::of_step(config.seed, step),
            &self.device,
        )?;
        self.work.check(step, &self.run.policy, &window)?;
        let learning_rate = config.learning_rate_at(step, total);
        // As this step has them: observing it may turn some.
        let settings = self.work.objective.settings();
        let (policy, report) = train_step(
            self.work.objective,
            self.run.policy,
            self.work.reference,
            window,
            &mut self.optimizer,
            learning_rate,
        );
        self.run.policy = policy;
        finite::check_report(step, &report)?;
        self.run.steps += 1;
        self.work.reference.follow(&self.run.policy, self.run.steps);
        let done = StepDone {
            step: self.run.steps,
            total,
            epoch: self.plan.epochs_after(self.run.steps),
            learning_rate,
            grad_norm: report.grad_norm,
            tokens: report.tokens,
            tokens_per_second: report.tokens as f64 / clock.elapsed().as_secs_f64().max(1e-9),
            metrics: &report.metrics,
            settings: &settings,
            stop: &self.setup.stop,
        };
        tell(&mut self.listeners, |hook| hook.on_step(&done))?;
        self.run.last = Some(report);
        self.evaluation_due = self.is_due(config.evaluate_every) || self.run.steps == total;
        self.heed_stop();
        Ok(self)
    }

    /// Evaluates on the held-out examples, if there are any.
    pub(super) fn evaluate(&mut self) -> Result<(), Error> {
        self.evaluation_due = false;
        let work = &self.work;
        if work.held_out.is_empty() {
            return Ok(());
        }
        let step = self.run.steps;
        let metrics = held_out::evaluate(
            &self.setup.config,
            &self.run.policy,
            work.reference,
            &*work.objective,
            work.batcher,
            work.held_out,
            &self.device,
        )?;
        finite::check_loss(step, finite::HELD_OUT, &metrics)?;
        let done = EvaluationDone {
            step,
            total: self.plan.total(),
            metrics: &metrics,
            stop: &self.setup.stop,
        };
        tell(&mut self.listeners, |hook| hook.on_evaluate(&done))?;
        self.run.evaluations.push((step, metrics));
        self.heed_stop();
        Ok(())
    }

    /// Refuses weights that overflowed, and writes a checkpoint if there is an output folder.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        finite::check_weights(self.run.steps, &self.run.policy)?;
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        let reference = self.work.reference;
        let snapshot = Snapshot {
            identity: &self.identity,
            policy: &self.run.policy,
            optimizer: &self.optimizer,
            step: self.run.steps,
            evaluation_due: self.evaluation_due,
            objective: self.work.objective.state(),
        };
        checkpoint.save(snapshot, |folder| reference.save(folder))?;
        let done = CheckpointDone {
            step: self.run.steps,
            folder: checkpoint.folder(),
        };
        tell(&mut self.listeners, |hook| hook.on_checkpoint(&done))
    }

    /// What it leaves.
    pub(super) fn end(mut self) -> Result<Run<M>, Error> {
        let ended = RunEnded {
            step: self.run.steps,
            total: self.plan.total(),
            interrupted: self.run.interrupted,
        };
        tell(&mut self.listeners, |hook| hook.on_end(&ended))?;
        Ok(self.run)
    }

    fn is_due(&self, every: Option<usize>) -> bool {
        every.is_some_and(|every| self.run.steps.is_multiple_of(every))
    }

    /// Stops if asked to, but not before the first step of this call, and not at the end.
    fn heed_stop(&mut self) {
        let asked = self.setup.stop.load(Ordering::Relaxed);
        let between = self.run.last.is_some() && self.run.steps < self.plan.total();
        self.run.interrupted |= asked && between;
    }
}

impl<R, L, B: Batcher> Work<'_, R, L, B> {
    /// A few rows from all over the data by which models are told apart, whatever the sampler
    /// chooses. `None` where they cannot be evaluated by themselves: a step says why, if it is
    /// wrong.
    fn probe<M>(&self, setup: &Setup, policy: &M, device: &Device) -> Option<B::Batch>
    where
        L: Objective<M, R, Batch = B::Batch>,
    {
        let (all, some) = (self.train.len(), self.train.len().min(PROBE));
        let indices: Vec<usize> = (0..some).map(|i| i * all / some).collect();
        let seed = setup.config.seed;
        let mut rng = draws::of_step(seed, 0);
        let window = self
            .batcher
            .window(self.train, &indices, some, &mut rng, device);
        let batch = window.ok()?.into_iter().next()?;
        let checked = self.objective.check(policy, self.reference, &batch);
        checked.is_ok().then_some(batch)
    }

    /// What the models say of these rows.
    fn fingerprint<M>(&self, policy: &M, probe: Option<&B::Batch>) -> Fingerprint
    where
        L: Objective<M, R, Batch = B::Batch>,
    {
        probe.map_or_else(Fingerprint::default, |batch| {
            self.objective.fingerprint(policy, self.reference, batch)
        })
    }

    /// Refuses batches that cannot be evaluated.
    fn check<M>(&self, step: usize, policy: &M, window: &[B::Batch]) -> Result<(), Error>
    where
        L: Objective<M, R, Batch = B::Batch>,
    {
        let failed = |message| Error::Training { step, message };
        if window.is_empty() {
            return Err(failed("the batcher made no batch of its examples".into()));
        }
        window.iter().try_for_each(|batch| {
            let checked = self.objective.check(policy, self.reference, batch);
            checked.map_err(|error| failed(error.to_string()))
        })
    }

    /// The place to start from: the checkpoint if there is one, which objective and reference then
    /// go on from too.
    fn position<M>(
        &mut self,
        setup: &Setup,
        checkpoint: Option<&Checkpoint>,
        identity: &Identity,
        probe: Option<&B::Batch>,
        policy: M,
    ) -> Result<Position<M>, Error>
    where
        M: Module,
        R: Reference<M>,
        L: Objective<M, R, Batch = B::Batch>,
    {
        if let Some(checkpoint) = checkpoint
            && let Some(resumed) = checkpoint.load(identity, policy.clone(), &setup.config)?
        {
            let restored = self.objective.restore(&resumed.objective);
            restored.map_err(|error| Error::Checkpoint {
                path: resumed.folder.clone(),
                message: error.to_string(),
            })?;
            self.reference.load(&resumed.folder)?;
            // The policy that was given is the one that the run began with, or that it left.
            let given = &identity.start.models.policy;
            let left = || self.fingerprint(&resumed.position.policy, probe).policy;
            if !agree(given, &resumed.start.models.policy) && !agree(given, &left()) {
                return Err(Error::Checkpoint {
                    path: resumed.folder.clone(),
                    message: "belongs to another run: it began with other weights of the policy"
                        .into(),
                });
            }
            return Ok(resumed.position);
        }
        Ok(Position {
            optimizer: Optimizer::new(&setup.config.optimizer, &policy),
            policy,
            step: 0,
            evaluation_due: true,
        })
    }
}

/// Takes the request to stop back when the run is over, also by an error.
struct StopReset<'a>(&'a AtomicBool);

impl Drop for StopReset<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Calls all hooks in order, up to the first error.
fn tell(
    listeners: &mut [Box<dyn Hook>],
    mut call: impl FnMut(&mut dyn Hook) -> Result<(), Error>,
) -> Result<(), Error> {
    listeners
        .iter_mut()
        .try_for_each(|hook| call(hook.as_mut()))
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
