//! Where a run can go on from.

use crate::data::SamplerConfig;
use crate::error::Error;
use crate::train::run::config::TrainerConfig;
use crate::train::run::optimizer::Optimizer;
use burn::module::Module;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// What a run is: order, pairs and learning rates follow from this and the step alone.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(in crate::train) struct Identity {
    config: Value,
    /// A checkpoint from before there were samplers has the default one.
    #[serde(default = "plain_sampler")]
    sampler: Value,
    examples: usize,
    fingerprint: u64,
    loss: String,
    reference: String,
}

impl Identity {
    /// `loss` and `reference` as they say themselves.
    pub(in crate::train) fn new(
        (config, sampler): (&TrainerConfig, &SamplerConfig),
        (examples, fingerprint): (usize, u64),
        loss: String,
        reference: String,
    ) -> Self {
        // How often to look at a run does not change it.
        let config = config.clone().with_evaluate_every(None);
        let config = config.with_checkpoint_every(None);
        // All ranks are one run.
        let sampler = sampler.clone().with_rank(0);
        Self {
            config: settings(&config),
            sampler: settings(&sampler),
            examples,
            fingerprint,
            loss,
            reference,
        }
    }

    /// The first thing in which another run differs.
    fn difference(&self, other: &Self) -> Option<String> {
        if self.examples != other.examples {
            let (ours, theirs) = (self.examples, other.examples);
            return Some(format!("it has {theirs} examples, this run {ours}"));
        }
        if self.fingerprint != other.fingerprint {
            return Some("its examples are not those of this run".into());
        }
        let texts = [
            ("loss", &self.loss, &other.loss),
            ("reference", &self.reference, &other.reference),
        ];
        if let Some((name, ours, theirs)) = texts.into_iter().find(|(_, a, b)| a != b) {
            return Some(format!("its {name} is {theirs}, this run's {ours}"));
        }
        let config = different_field(&self.config, &other.config, "");
        config.or_else(|| different_field(&self.sampler, &other.sampler, "sampler's "))
    }
}

fn settings(config: &impl std::fmt::Display) -> Value {
    serde_json::from_str(&config.to_string()).unwrap_or_default()
}

fn plain_sampler() -> Value {
    settings(&SamplerConfig::new())
}

/// The first field in which settings differ, both values.
fn different_field(ours: &Value, theirs: &Value, whose: &str) -> Option<String> {
    let (ours, theirs) = (ours.as_object()?, theirs.as_object()?);
    let field = ours.keys().find(|key| ours.get(*key) != theirs.get(*key))?;
    let shown = |config: &Map<String, Value>| config.get(field).cloned().unwrap_or_default();
    let (ours, theirs) = (shown(ours), shown(theirs));
    Some(format!("its {whose}{field} is {theirs}, this run's {ours}"))
}

/// Where a run was.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    step: usize,
    /// Whether an evaluation was due that the interruption left out.
    evaluation_due: bool,
    objective: Value,
    run: Identity,
}

/// A run to go on with.
pub(in crate::train) struct Resumed<M> {
    pub(in crate::train) policy: M,
    pub(in crate::train) optimizer: Optimizer,
    pub(in crate::train) step: usize,
    pub(in crate::train) evaluation_due: bool,
    pub(in crate::train) objective: Value,
    /// For a reference that moves.
    pub(in crate::train) folder: PathBuf,
}

/// `checkpoint/` in the output folder: model, optimizer and state of one step, replaced as a whole.
pub(in crate::train) struct Checkpoint {
    folder: PathBuf,
}

impl Checkpoint {
    pub(in crate::train) fn new(output: &Path) -> Self {
        Self {
            folder: output.join("checkpoint"),
        }
    }

    fn old(&self) -> PathBuf {
        self.folder.with_extension("old")
    }

    /// `more` writes what else there is to keep into the folder.
    pub(in crate::train) fn save<M: Module>(
        &self,
        run: &Identity,
        policy: &M,
        optimizer: &Optimizer,
        position: (usize, bool),
        objective: Value,
        more: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let new = self.folder.with_extension("new");
        remove(&new)?;
        fs::create_dir_all(&new).map_err(Error::io("create", &new))?;
        let path = new.join("model.bpk");
        let record = policy.valid().into_record();
        record.save(&path).map_err(|error| failed(&path, error))?;
        optimizer.save(&new.join("optimizer.bpk"))?;
        more(&new)?;
        let path = new.join("state.json");
        let (step, evaluation_due) = position;
        let state = State {
            step,
            evaluation_due,
            objective,
            run: run.clone(),
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

    /// The run that stands here; `None` if there is no checkpoint.
    pub(in crate::train) fn load<M: Module>(
        &self,
        run: &Identity,
        policy: M,
        config: &TrainerConfig,
    ) -> Result<Option<Resumed<M>>, Error> {
        let mut places = [self.folder.clone(), self.old()].into_iter();
        let Some(folder) = places.find(|folder| folder.exists()) else {
            return Ok(None);
        };
        let path = folder.join("state.json");
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let state: State = serde_json::from_str(&text).map_err(|error| failed(&path, error))?;
        if state.run != *run {
            let what = run.difference(&state.run).unwrap_or_default();
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
            policy,
            optimizer,
            step: state.step,
            evaluation_due: state.evaluation_due,
            objective: state.objective,
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
