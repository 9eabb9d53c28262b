//! A run that goes on.

use crate::data::Batcher;
use crate::error::Error;
use crate::reference::Reference;
use crate::train::metrics::LossOutput;
use crate::train::objective::Objective;
use crate::train::run::blame::{self, Blamed};
use crate::train::run::checkpoint::{Checkpoint, Snapshot};
use crate::train::run::draws;
use crate::train::run::finite;
use crate::train::run::folder::{Place, RunFolder};
use crate::train::run::held_out;
use crate::train::run::hook::{
    CheckpointDone, EvaluationDone, Hook, RunEnded, RunStarted, RunWarning, StepDone,
};
use crate::train::run::identity::{Definition, Identity, Start};
use crate::train::run::optimizer::Optimizer;
use crate::train::run::outcome::Run;
use crate::train::run::plan::Plan;
use crate::train::run::setup::Setup;
use crate::train::run::start_check::reference_warning;
use crate::train::run::step::{num_trainable, train_step};
use crate::train::run::work::Work;
use burn::module::Module;
use burn::tensor::Device;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A run between two steps.
pub(super) struct Session<'a, M, R, L, B: Batcher> {
    setup: &'a Setup,
    work: Work<'a, R, L, B>,
    plan: Plan,
    identity: Identity,
    device: Device,
    optimizer: Optimizer,
    folder: Option<RunFolder>,
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
        let place = setup.place()?;
        let plan = Plan::new(&setup.config, &setup.sampler, work.batcher, work.train)?;
        let device = plain_device(&policy)?;
        let checkpoint = place.as_ref().map(Place::checkpoint);
        let resumable = checkpoint.as_ref().filter(|_| setup.resume);
        if let Some(start) = resumable.and_then(Checkpoint::start) {
            // An object that was trained with before says what it is as it was then. Where it
            // cannot, it is another one, which its identity says.
            let _ = work.objective.restore(&start.objective);
        }
        let probe = work.probe(setup, &policy, &device);
        let mut identity = Identity::new(Definition {
            config: &setup.config,
            sampler: &setup.sampler,
            examples: work.train.len(),
            fingerprint: work.batcher.fingerprint(work.train),
            loss: work.objective.identity(),
            reference: work.reference.identity(),
            start: Start {
                objective: work.objective.state(),
                models: work.fingerprint(&policy, &probe),
            },
        });
        let position = work.position(setup, resumable, &mut identity, &probe, policy.train())?;
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
        let begun = place.map(|place| place.begin(&position)).transpose()?;
        let (folder, warnings) = begun.unzip();
        let mut session = Self {
            listeners: setup.listeners(step, plan.total(), folder.as_ref()),
            folder,
            setup,
            work,
            plan,
            identity,
            device,
            optimizer: position.optimizer,
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
        for message in warnings.into_iter().flatten() {
            session.warn(&message)?;
        }
        // Of a fresh run only: after a step rewards are no longer 0.
        let relative = !R::FREE && session.work.objective.relative_rewards();
        let warning = reference_warning(&session.identity.start.models);
        if let Some(message) = warning.filter(|_| step == 0 && relative) {
            session.warn(&message)?;
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
        if let Err(refused) = self.work.check(step, &self.run.policy, &window) {
            // What was done since the last checkpoint is worth keeping.
            if self.run.last.is_some() {
                self.save()?;
            }
            return Err(refused);
        }
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
        finite::check_report(step, &report, || self.blamed(step))?;
        self.run.steps += 1;
        self.keep_folder()?;
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
        finite::check_held_out(step, &metrics, || {
            let (config, policy) = (&self.setup.config, &self.run.policy);
            let (reference, objective) = (work.reference, &*work.objective);
            let (batcher, examples) = (work.batcher, work.held_out);
            held_out::blamed(
                config,
                policy,
                reference,
                objective,
                batcher,
                examples,
                &self.device,
            )
        })?;
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
        self.keep_folder()?;
        let Some(folder) = &self.folder else {
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
        let done = CheckpointDone {
            step: self.run.steps,
            folder: folder.save(snapshot, |folder| reference.save(folder))?,
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

    /// The examples of a step.
    fn blamed(&mut self, step: usize) -> Blamed {
        let (work, policy) = (&self.work, &self.run.policy);
        let Ok(indices) = self.plan.window(step) else {
            return Blamed::default();
        };
        let mut rng = draws::of_step(self.setup.config.seed, step);
        let window = work
            .batcher
            .window(work.train, indices, 1, &mut rng, &self.device);
        let rows = |window| blame::rows(policy, work.reference, &*work.objective, window, indices);
        Blamed::new(window.map(rows).unwrap_or_default(), false)
    }

    /// Makes anew what somebody took away from the output folder, and says so.
    fn keep_folder(&mut self) -> Result<(), Error> {
        let gone = self.folder.as_ref().map(RunFolder::keep).transpose()?;
        match gone.flatten() {
            Some(message) => self.warn(&message),
            None => Ok(()),
        }
    }

    /// Says that something looks wrong.
    fn warn(&mut self, message: &str) -> Result<(), Error> {
        let step = self.run.steps;
        let warning = RunWarning { step, message };
        tell(&mut self.listeners, |hook| hook.on_warning(&warning))
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
