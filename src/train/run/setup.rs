//! What a run is asked for, apart from what it trains: settings, output folder, who listens.

use crate::data::SamplerConfig;
use crate::error::Error;
use crate::train::run::config::TrainerConfig;
use crate::train::run::folder::{Document, Place, RunFolder, occupied};
use crate::train::run::hook::{Hook, Hooks};
use crate::train::run::lock::Lock;
use crate::train::run::progress::{Display, Progress};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) config: TrainerConfig,
    pub(super) sampler: SamplerConfig,
    pub(super) output: Option<PathBuf>,
    /// The hold on the output folder of a caller who writes to it too.
    pub(super) lock: Option<Arc<Lock>>,
    /// Documents of a caller beside the settings.
    pub(super) documents: Vec<Document>,
    pub(super) resume: bool,
    pub(super) progress: Progress,
    pub(super) hooks: Hooks,
    pub(super) stop: Arc<AtomicBool>,
}

impl Setup {
    /// Holds the output folder, if there is one. Refuses settings that would be without effect or
    /// train several models, a folder in which another run goes on, and one where a run stands that
    /// would be lost.
    pub(super) fn place(&self) -> Result<Option<Place>, Error> {
        let ranks = self.sampler.ranks;
        let alone = "must be 1 in training: gradients are not summed over ranks, each would train \
                     a model of its own";
        Error::check(ranks <= 1, "ranks", alone, ranks)?;
        let Some(folder) = &self.output else {
            let needs = "needs an output folder";
            Error::check(!self.resume, "resume", needs, "none")?;
            let every = self.config.checkpoint_every;
            let shown = every.unwrap_or_default();
            Error::check(every.is_none(), "checkpoint_every", needs, shown)?;
            return Ok(None);
        };
        let lock = match &self.lock {
            Some(lock) => lock.clone(),
            None => Arc::new(Lock::take(folder)?),
        };
        if let Some(found) = occupied(folder).filter(|_| !self.resume) {
            return Err(Error::Occupied {
                path: folder.clone(),
                found,
            });
        }
        let mut documents = vec![
            ("trainer.json", self.config.to_string()),
            ("sampler.json", self.sampler.to_string()),
        ];
        documents.extend(self.documents.iter().cloned());
        Ok(Some(Place {
            path: folder.clone(),
            lock,
            documents,
        }))
    }

    /// All who listen to a run of `total` steps of which `step` are finished.
    pub(super) fn listeners(
        &self,
        step: usize,
        total: usize,
        folder: Option<&RunFolder>,
    ) -> Vec<Box<dyn Hook>> {
        let display = Display::new(self.progress, step, total);
        let mut listeners: Vec<Box<dyn Hook>> = vec![Box::new(display)];
        listeners.extend(folder.map(RunFolder::listener));
        listeners.extend(self.hooks.iter());
        listeners
    }
}
