//! The main job: settings in, an aligned folder and a report out.

use super::examples::{Encoding, Examples, path, read};
use super::folder::{Start, absolute, check_folder, check_same_run};
use super::job::Job;
use super::refusal::refused;
use super::report::{Event, Report};
use super::settings::Settings;
use crate::error::Error;
use crate::model::{Llama, ModelFolder};
use crate::train::{Hook, Hooks, Lock, Progress};
use burn::module::Module;
use burn::tensor::Device;
use std::sync::Arc;
use std::time::Instant;

/// One run: `Alignment::new(settings).run(tell)`.
///
/// The folder of the run gets
///
/// | file | what |
/// |---|---|
/// | `run.toml` | all settings, also those that were left open: they give the same run again |
/// | `metrics.jsonl`, `checkpoint/`, `trainer.json`, `sampler.json` | see [`Trainer`](crate::train::Trainer) |
/// | `model/` | the aligned folder, written when the run is finished |
#[derive(Clone, Debug)]
pub struct Alignment {
    settings: Settings,
    resume: bool,
    progress: Progress,
    hooks: Hooks,
}

impl Alignment {
    /// With these settings, progress on standard error.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            resume: false,
            progress: Progress::default(),
            hooks: Hooks::default(),
        }
    }

    /// Goes on from the checkpoint in the folder of the run; a run that ended before its first one
    /// begins again. Where no run is, and where model or reference are others than in its
    /// `run.toml`, [`run`](Self::run) refuses to.
    pub fn with_resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Where the trainer shows its progress.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Adds a hook of the trainer: it hears of every step, evaluation and checkpoint.
    pub fn with_hook(mut self, hook: impl Hook + 'static) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Runs it; `tell` hears what becomes of model and data, hooks of what happens in training.
    ///
    /// # Errors
    ///
    /// What can be wrong with the settings, [`Error::Occupied`] where a run is in the folder
    /// already, and [`Error::Busy`] where one goes on there, is said before anything slow. Then
    /// where the model or the data cannot be read or do not go together, before the weights are
    /// loaded; and of [`Trainer::fit`](crate::train::Trainer::fit).
    pub fn run(self, tell: &mut dyn FnMut(&Event<'_>)) -> Result<Report, Error> {
        let clock = Instant::now();
        let settings = &self.settings;
        settings.validate()?;
        path(settings)?;
        let name = settings.model.as_deref();
        let name = name.ok_or_else(|| refused("model", "says what to align: it is missing"))?;
        let out = &settings.output.folder;
        let lock = Arc::new(Lock::take(out)?);
        let start = check_folder(out, name, self.resume)?;
        let device = settings.device.open()?;
        let folder = ModelFolder::open(name)?;
        let limits = settings.data.limits(folder.max_length())?;
        let encoding = Encoding::new(settings, settings.data.encoder(&folder, limits))?;
        let mut resolved = settings.clone();
        resolved.model = Some(absolute(folder.name())?);
        let data = &mut resolved.data;
        data.path = data.path.as_deref().map(absolute).transpose()?;
        data.cache = data.cache.as_deref().map(absolute).transpose()?;
        resolved.data.max_length = Some(limits.sequence);
        resolved.data.max_prompt_length = Some(limits.prompt);
        resolved.trainer.learning_rate = Some(settings.trainer_config().learning_rate);
        if start != Start::Anew {
            check_same_run(&resolved)?;
        }
        let (examples, read) = read(settings, tell)?;
        let job = Job {
            folder: &folder,
            settings: resolved,
            start,
            lock,
            progress: self.progress,
            hooks: self.hooks,
            read,
            clock,
        };
        match examples {
            Examples::Thumbs(examples) => {
                let parts = encoding.parts(examples, |e| &e.prompt, tell)?;
                let policy = load(&folder, &device, tell)?;
                job.thumbs(policy, parts, limits.sequence, tell)
            }
            Examples::Pairs(examples) => {
                let parts = encoding.parts(examples, |e| &e.prompt, tell)?;
                let policy = load(&folder, &device, tell)?;
                job.pairs(policy, &parts, tell)
            }
            Examples::Demonstrations(examples) => {
                let parts = encoding.parts(examples, |e| &e.prompt, tell)?;
                let policy = load(&folder, &device, tell)?;
                job.demonstrations(policy, &parts, tell)
            }
        }
    }
}

/// The weights, which come last: what is wrong with the data is known before.
fn load(
    folder: &ModelFolder,
    device: &Device,
    tell: &mut dyn FnMut(&Event<'_>),
) -> Result<Llama, Error> {
    let policy = folder.load(device)?;
    tell(&Event::Model {
        name: folder.name(),
        parameters: policy.num_params(),
    });
    Ok(policy)
}
