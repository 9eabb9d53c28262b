//! What a run goes on from.

use crate::error::Error;
use crate::train::run::config::TrainerConfig;
use crate::train::run::identity::{Identity, Start};
use crate::train::run::optimizer::Optimizer;
use burn::module::Module;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// `state.json` of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct SavedState {
    step: usize,
    /// Whether an evaluation was due that the interruption left out.
    evaluation_due: bool,
    objective: Value,
    run: Identity,
}

/// A run between two steps, to be saved.
pub(super) struct Snapshot<'a, M> {
    pub(super) identity: &'a Identity,
    pub(super) policy: &'a M,
    pub(super) optimizer: &'a Optimizer,
    /// Optimizer steps finished.
    pub(super) step: usize,
    /// Whether an evaluation is due that the interruption leaves out.
    pub(super) evaluation_due: bool,
    /// What the objective carries.
    pub(super) objective: Value,
}

/// The place where a run starts, or goes on.
pub(super) struct Position<M> {
    pub(super) policy: M,
    pub(super) optimizer: Optimizer,
    /// Optimizer steps finished.
    pub(super) step: usize,
    pub(super) evaluation_due: bool,
}

/// A checkpoint read back.
pub(super) struct Resumed<M> {
    pub(super) position: Position<M>,
    /// What the objective carried.
    pub(super) objective: Value,
    /// What its run began with.
    pub(super) start: Start,
    /// The folder it was read from, for a reference that moves.
    pub(super) folder: PathBuf,
}

/// `checkpoint/` in the output folder: model, optimizer and state of one step, replaced as a whole.
pub(super) struct Checkpoint {
    folder: PathBuf,
}

impl Checkpoint {
    pub(super) fn new(output: &Path) -> Self {
        Self {
            folder: output.join("checkpoint"),
        }
    }

    fn old(&self) -> PathBuf {
        self.folder.with_extension("old")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of what stands here: the checkpoint, or its old version where a run was cut off
    /// while it replaced it.
    pub(super) fn found(&self) -> Option<&'static str> {
        let named = [
            (&self.folder, "checkpoint"),
            (&self.old(), "checkpoint.old"),
        ];
        let found = named.into_iter().find(|(folder, _)| folder.exists());
        found.map(|(_, name)| name)
    }

    /// Replaces the checkpoint; `more` writes what else there is to keep into the folder.
    pub(super) fn save<M: Module>(
        &self,
        snapshot: Snapshot<'_, M>,
        more: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let new = self.folder.with_extension("new");
        remove(&new)?;
        fs::create_dir_all(&new).map_err(Error::io("create", &new))?;
        let path = new.join("model.bpk");
        let record = snapshot.policy.valid().into_record();
        record.save(&path).map_err(|error| failed(&path, error))?;
        snapshot.optimizer.save(&new.join("optimizer.bpk"))?;
        more(&new)?;
        let path = new.join("state.json");
        let state = SavedState {
            step: snapshot.step,
            evaluation_due: snapshot.evaluation_due,
            objective: snapshot.objective,
            run: snapshot.identity.clone(),
        };
        let text = serde_json::to_string_pretty(&state).map_err(|error| failed(&path, error))?;
        fs::write(&path, text).map_err(Error::io("write", &path))?;
        // At every moment either the folder or its old version is whole.
        let old = self.old();
        if self.folder.exists() {
            remove(&old)?;
            fs::rename(&self.folder, &old).map_err(Error::io("rename", &self.folder))?;
        }
        fs::rename(&new, &self.folder).map_err(Error::io("rename", &new))?;
        remove(&old)
    }

    /// What the run that stands here began with; `None` if there is no checkpoint, or one that
    /// cannot be read, which [`load`](Self::load) says.
    pub(super) fn start(&self) -> Option<Start> {
        let mut places = [self.folder.clone(), self.old()].into_iter();
        let folder = places.find(|folder| folder.exists())?;
        let text = fs::read_to_string(folder.join("state.json")).ok()?;
        let state: SavedState = serde_json::from_str(&text).ok()?;
        Some(state.run.start)
    }

    /// The run that stands here; `None` if there is no checkpoint.
    pub(super) fn load<M: Module>(
        &self,
        identity: &Identity,
        policy: M,
        config: &TrainerConfig,
    ) -> Result<Option<Resumed<M>>, Error> {
        let mut places = [self.folder.clone(), self.old()].into_iter();
        let Some(folder) = places.find(|folder| folder.exists()) else {
            return Ok(None);
        };
        let path = folder.join("state.json");
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let state: SavedState =
            serde_json::from_str(&text).map_err(|error| failed(&path, error))?;
        if let Some(what) = identity.difference(&state.run) {
            return Err(failed(&path, format!("belongs to another run: {what}")));
        }
        let path = folder.join("model.bpk");
        let record = ModuleRecord::load(&path).map_err(|error| failed(&path, error))?;
        let policy = policy.try_load_record(record);
        let policy = policy.map_err(|error| failed(&path, error))?;
        // A record brings its parameters' ids, and decay groups go by id: the optimizer is made for
        // the model as loaded.
        let optimizer = Optimizer::new(&config.optimizer, &policy);
        let optimizer = optimizer.load(&folder.join("optimizer.bpk"))?;
        Ok(Some(Resumed {
            position: Position {
                policy,
                optimizer,
                step: state.step,
                evaluation_due: state.evaluation_due,
            },
            objective: state.objective,
            start: state.run.start,
            folder,
        }))
    }
}

fn failed(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Checkpoint {
        path: path.into(),
        message: error.to_string(),
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
