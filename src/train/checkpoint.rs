//! Where a run can go on from.

use super::config::TrainerConfig;
use super::optimizer::Optimizer;
use crate::error::Error;
use burn::module::Module;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Order and pairs follow from the seed and the step alone, so this, the weights and the moments are the whole state.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct State {
    step: usize,
    seed: u64,
    batch_size: usize,
    micro_batch_size: usize,
    examples: usize,
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

    pub(super) fn save<M: Module>(
        &self,
        policy: &M,
        optimizer: &Optimizer,
        step: usize,
        config: &TrainerConfig,
        examples: usize,
    ) -> Result<(), Error> {
        let new = self.folder.with_extension("new");
        remove(&new)?;
        fs::create_dir_all(&new).map_err(Error::io("create", &new))?;
        let path = new.join("model.bpk");
        let record = policy.valid().into_record();
        record.save(&path).map_err(|error| failed(&path, error))?;
        optimizer.save(&new.join("optimizer.bpk"))?;
        let path = new.join("state.json");
        let state = State {
            step,
            seed: config.seed,
            batch_size: config.batch_size,
            micro_batch_size: config.micro_batch_size,
            examples,
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

    /// Policy, optimizer and number of finished steps; `None` if there is no checkpoint.
    pub(super) fn load<M: Module>(
        &self,
        policy: M,
        config: &TrainerConfig,
        examples: usize,
    ) -> Result<Option<(M, Optimizer, usize)>, Error> {
        let folder = match [self.folder.clone(), self.old()]
            .into_iter()
            .find(|folder| folder.exists())
        {
            Some(folder) => folder,
            None => return Ok(None),
        };
        let path = folder.join("state.json");
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let state: State = serde_json::from_str(&text).map_err(|error| failed(&path, error))?;
        let expected = State {
            step: state.step,
            seed: config.seed,
            batch_size: config.batch_size,
            micro_batch_size: config.micro_batch_size,
            examples,
        };
        if state != expected {
            let message =
                format!("belongs to another run: it has {state:?}, this run {expected:?}");
            return Err(failed(&path, message));
        }
        let path = folder.join("model.bpk");
        let record = ModuleRecord::load(&path).map_err(|error| failed(&path, error))?;
        let policy = policy.try_load_record(record);
        let policy = policy.map_err(|error| failed(&path, error))?;
        // A record brings its parameters' ids, and decay groups go by id: the optimizer is made for the model as loaded.
        let optimizer = Optimizer::new(&config.optimizer, &policy);
        let optimizer = optimizer.load(&folder.join("optimizer.bpk"))?;
        Ok(Some((policy, optimizer, state.step)))
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
