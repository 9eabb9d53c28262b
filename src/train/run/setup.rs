//! What a run is asked for, apart from what it trains: settings, output folder, who listens.

use crate::data::SamplerConfig;
use crate::error::Error;
use crate::train::run::checkpoint::Checkpoint;
use crate::train::run::config::TrainerConfig;
use crate::train::run::hook::{Hook, Hooks};
use crate::train::run::journal::{self, Journal};
use crate::train::run::progress::{Display, Progress};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) config: TrainerConfig,
    pub(super) sampler: SamplerConfig,
    pub(super) output: Option<PathBuf>,
    pub(super) resume: bool,
    pub(super) progress: Progress,
    pub(super) hooks: Hooks,
    pub(super) stop: Arc<AtomicBool>,
}

impl Setup {
    /// Refuses settings that would be without effect or train several models, and an output folder
    /// where a run stands that would be lost.
    pub(super) fn check(&self) -> Result<(), Error> {
        let (ranks, alone) = (
            self.sampler.ranks,
            "must be 1 in training: gradients are not summed \
             over ranks, each would train a model of its own",
        );
        Error::check(ranks <= 1, "ranks", alone, ranks)?;
        let Some(folder) = &self.output else {
            let needs = "needs an output folder";
            Error::check(!self.resume, "resume", needs, "none")?;
            let every = self.config.checkpoint_every;
            let shown = every.unwrap_or_default();
            return Error::check(every.is_none(), "checkpoint_every", needs, shown);
        };
        match occupied(folder).filter(|_| !self.resume) {
            Some(found) => Err(Error::Occupied {
                path: folder.clone(),
                found,
            }),
            None => Ok(()),
        }
    }

    /// The checkpoint of the output folder, whether it is written already or not.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        self.output.as_deref().map(Checkpoint::new)
    }

    /// All who listen to a run of `total` steps of which `step` are finished. Writes the settings,
    /// and cuts the journal off behind that step.
    pub(super) fn listeners(&self, step: usize, total: usize) -> Result<Vec<Box<dyn Hook>>, Error> {
        let display = Display::new(self.progress, step, total);
        let mut listeners: Vec<Box<dyn Hook>> = vec![Box::new(display)];
        if let Some(folder) = &self.output {
            self.write(folder)?;
            listeners.push(Box::new(Journal::open(folder, step)?));
        }
        listeners.extend(self.hooks.iter());
        Ok(listeners)
    }

    fn write(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let settings = [
            ("trainer.json", self.config.to_string()),
            ("sampler.json", self.sampler.to_string()),
        ];
        for (name, text) in settings {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::io("write", &path))?;
        }
        Ok(())
    }
}

/// What shows that a run stands in a folder.
pub(crate) fn occupied(folder: &Path) -> Option<&'static str> {
    Checkpoint::new(folder).found().or_else(|| {
        // A run that failed before its first line has nothing to lose.
        let lines = fs::metadata(folder.join(journal::NAME)).ok()?;
        (lines.len() > 0).then_some(journal::NAME)
    })
}
