//! The training loop.

use crate::data::{Batcher, SamplerConfig};
use crate::error::Error;
use crate::reference::Reference;
use crate::train::metrics::{LossOutput, Metrics};
use crate::train::objective::Objective;
use crate::train::run::config::TrainerConfig;
#[cfg(feature = "align")]
use crate::train::run::folder::Document;
use crate::train::run::held_out;
use crate::train::run::hook::{Hook, Hooks};
#[cfg(feature = "align")]
use crate::train::run::lock::Lock;
use crate::train::run::outcome::Run;
use crate::train::run::plan::Plan;
use crate::train::run::progress::Progress;
use crate::train::run::session::Session;
use crate::train::run::setup::Setup;
use crate::train::run::work::Work;
use burn::module::Module;
use burn::tensor::Device;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Runs an [`Objective`] over data.
///
/// The same settings, data and seed give the same run; continued from a checkpoint it is the run
/// that was never interrupted, to the last bit where the backend computes the same twice.
///
/// # Files
///
/// With an output folder it writes
///
/// | file | what |
/// |---|---|
/// | `trainer.json`, `sampler.json` | the settings; overwritten at each start |
/// | `metrics.jsonl` | the journal: a JSON object a line, one a step and one an evaluation |
/// | `checkpoint/` | model, optimizer and position, with their checksums in `manifest.json`; replaced as a whole by the next one |
/// | `run.lock` | there while the run goes on; one that a killed run left holds nobody up |
///
/// A run that does not go on from a checkpoint is refused where a journal or a checkpoint stands
/// already, and any run where another one goes on. One that goes on cuts the journal off behind the
/// checkpoint's step; where there is no checkpoint it starts anew, and so does the journal, with a
/// warning.
///
/// `checkpoint.new` and `checkpoint.old` are there while a checkpoint is replaced. When a run is
/// cut off meanwhile, by a kill or a power failure, it goes on from the newest that is whole, and
/// clears the others away; so it does where `checkpoint/` is damaged, with a warning.
///
/// Journal and settings that somebody takes away while the run goes on are written again, with a
/// warning; so is the folder.
///
/// # Journal
///
/// | field | unit | of |
/// |---|---|---|
/// | `step` | optimizer steps finished; 0 is the evaluation before the first | every line |
/// | `epoch` | passes over the data so far, with a fraction | a step |
/// | `learning_rate` | of this step | a step |
/// | `grad_norm` | norm of the gradient over all parameters, before clipping | a step |
/// | `tokens_per_second` | tokens read with a gradient, over the time of the whole step, evaluation and checkpoint apart | a step |
/// | `beta`, `desirable_weight`, .. | what [`Objective::settings`] says, as this step had it | a step |
/// | `loss`, `kl`, `rewards/chosen`, .. | [`Metrics`], before this step's update; log-probabilities and `kl` in nats, rewards in nats times β | a step |
/// | `eval_loss`, `eval_kl`, .. | the same on held-out examples, after this step | an evaluation |
///
/// JSON has no infinity and no NaN: such a value is null.
///
/// # Example
///
/// ```
/// use burn::tensor::Device;
/// use burn_kto::prelude::*;
///
/// let policy = LlamaConfig::new(258, 16, 1, 2).init(42, &Device::flex());
/// let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 64);
/// let up = BinaryExample::new("2 + 2 =", " 4", true);
/// let down = BinaryExample::new("3 + 3 =", " 9", false);
/// let train = encoder.encode_binary(&[up, down])?.examples;
/// let folder = tempfile::tempdir().unwrap();
///
/// let trainer = Trainer::new(TrainerConfig::new(1e-3).with_epochs(5))?
///     .with_progress(Progress::Silent)
///     .with_output(folder.path());
/// let reference = Frozen::new(&policy);
/// let mut kto = KtoLossConfig::new().init();
/// let batcher = BinaryBatcher::new(ByteTokenizer.pad(), 64);
/// let run = trainer.fit(policy, &reference, &mut kto, &batcher, &train, &[])?;
///
/// assert_eq!(run.steps, 5);
/// let journal = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
/// assert_eq!(journal.lines().count(), 5, "no line of an evaluation without held-out examples");
///
/// // The folder is this run's.
/// let again = trainer.fit(run.policy.clone(), &reference, &mut kto, &batcher, &train, &[]);
/// assert!(again.unwrap_err().is_occupied());
/// let run = trainer.with_resume().fit(run.policy, &reference, &mut kto, &batcher, &train, &[])?;
/// assert!(run.steps == 5 && run.last.is_none(), "there was nothing left to do");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trainer {
    setup: Setup,
}

impl Trainer {
    /// A run with these settings, progress on standard error, nothing written.
    ///
    /// # Errors
    ///
    /// Those of [`TrainerConfig::validate`].
    pub fn new(config: TrainerConfig) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            setup: Setup {
                config,
                sampler: SamplerConfig::new(),
                output: None,
                lock: None,
                documents: Vec::new(),
                resume: false,
                progress: Progress::default(),
                hooks: Hooks::default(),
                stop: Arc::default(),
            },
        })
    }

    /// Sets which examples an epoch has, and in which order; all, shuffled, by default. Draws
    /// follow the seed of the run. A sampler that cannot be used is an error of
    /// [`fit`](Self::fit).
    pub fn with_sampler(mut self, sampler: SamplerConfig) -> Self {
        self.setup.sampler = sampler;
        self
    }

    /// Writes settings, metrics and checkpoints to this folder, which is made if it is not there.
    pub fn with_output(mut self, folder: impl Into<PathBuf>) -> Self {
        self.setup.output = Some(folder.into());
        self
    }

    /// Goes on from the checkpoint in the output folder; where there is none the run begins at its
    /// first step, with a warning, so that a job which is started again and again needs no more
    /// than this. Without an output folder [`fit`](Self::fit) refuses to. Who wants to know before
    /// asks [`saved_policy`](crate::train::saved_policy).
    pub fn with_resume(mut self) -> Self {
        self.setup.resume = true;
        self
    }

    /// Sets where progress is shown.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.setup.progress = progress;
        self
    }

    /// Adds a listener, behind those that are there. Clones of a trainer share their listeners.
    pub fn with_hook(mut self, hook: impl Hook + 'static) -> Self {
        self.setup.hooks.push(hook);
        self
    }

    /// With all hooks of somebody who collected them.
    #[cfg(feature = "align")]
    pub(crate) fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.setup.hooks = hooks;
        self
    }

    /// Writes to a folder that the caller holds, and documents of the caller's too.
    #[cfg(feature = "align")]
    pub(crate) fn with_held(mut self, lock: Arc<Lock>, documents: Vec<Document>) -> Self {
        self.setup.lock = Some(lock);
        self.setup.documents = documents;
        self
    }

    /// The request to stop. Set it, from a signal handler or another thread, to end the run after
    /// the current step, checkpoint included. The run that ends takes it back. Clones of a trainer
    /// share it.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        self.setup.stop.clone()
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
        let plan = Plan::new(&self.setup.config, &self.setup.sampler, batcher, train)?;
        Ok(plan.total())
    }

    /// Trains `policy` on `train`, and evaluates on `held_out` before, now and then, and after;
    /// `held_out` may be empty.
    ///
    /// The policy need not be on an autodiff device. Build the reference before:
    /// [`Frozen::new`](crate::reference::Frozen::new) keeps the policy as it is now. Where rewards
    /// are relative to a reference and not 0 on a few examples before the first step, it is another
    /// model; that is a warning, on standard error or of a [`Hook`]. A run that goes on must be
    /// given the reference that it began with, and the policy that it began with or left.
    ///
    /// # Errors
    ///
    /// | error | when |
    /// |---|---|
    /// | [`Error::Dataset`] | there are no examples, or a batch cannot be made of them |
    /// | [`Error::Config`] | the sampler cannot be used, or shards the data over ranks; `checkpoint_every` or a resumed run without an output folder |
    /// | [`Error::Busy`] | another run goes on in the output folder |
    /// | [`Error::Occupied`] | another run stands in the output folder |
    /// | [`Error::Io`] | a file cannot be written |
    /// | [`Error::Checkpoint`] | the checkpoint is damaged, or of another run |
    /// | [`Error::Training`] | a batch is refused by model, reference or loss, as [`Objective::check`] says; loss or gradient are no longer finite; no parameter can be trained, or they are on several devices |
    ///
    /// and those of the batcher and of hooks. What was written until then stays.
    ///
    /// # Panics
    ///
    /// Where a loss, model or reference does, on what its `check` does not know of: shapes that do
    /// not agree, as a rule.
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
        let work = Work {
            reference,
            objective,
            batcher,
            train,
            held_out,
        };
        let mut session = Session::start(&self.setup, policy, work)?;
        if session.is_evaluation_due() {
            session.evaluate()?;
        }
        while session.goes_on() {
            session = session.step()?;
            if session.is_evaluation_due() {
                session.evaluate()?;
            }
            if session.is_save_due() {
                session.save()?;
            }
        }
        session.end()
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
        let config = &self.setup.config;
        held_out::evaluate(
            config, policy, reference, objective, batcher, examples, device,
        )
    }
}
