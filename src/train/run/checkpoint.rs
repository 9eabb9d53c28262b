//! What a run goes on from.

use crate::disk;
use crate::error::Error;
use crate::train::run::config::TrainerConfig;
use crate::train::run::identity::{Identity, Start};
use crate::train::run::manifest;
use crate::train::run::optimizer::Optimizer;
use burn::module::Module;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
/// How often a checkpoint is read again that a run may have replaced while it was read.
const TRIES: usize = 2;

/// `state.json` of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct SavedState {
    step: usize,
    /// Whether an evaluation was due that the interruption left out.
    evaluation_due: bool,
    objective: Value,
    run: Identity,
    /// Whether a manifest stands beside it; checkpoints from before there were any have none.
    #[serde(default)]
    sealed: bool,
}

impl SavedState {
    fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(STATE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(failed(&path, "is missing"));
            }
            other => other.map_err(Error::io("read", &path))?,
        };
        serde_json::from_slice(&text).map_err(|error| failed(&path, error))
    }
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
    /// The folder it was read from, of a run that goes on.
    pub(super) from: Option<PathBuf>,
    /// What to say where it is not the place that was asked for.
    pub(super) warning: Option<String>,
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

/// A folder whose files are what was written.
struct Whole {
    folder: PathBuf,
    /// What is wrong with the newer one.
    damage: Option<Error>,
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

    fn new_folder(&self) -> PathBuf {
        self.folder.with_extension("new")
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

    /// Replaces the checkpoint when all of the new one is on the disk; `more` writes what else
    /// there is to keep into the folder. Where it fails the old one stays.
    pub(super) fn save<M: Module>(
        &self,
        snapshot: Snapshot<'_, M>,
        more: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let new = self.new_folder();
        disk::remove(&new)?;
        let written = write(&new, snapshot, more);
        if written.is_err() {
            // On a full disk it is in the way of whatever may help.
            let _ = disk::remove(&new);
        }
        written?;
        disk::replace_folder(&new, &self.folder, &self.old())
    }

    /// What the run that stands here began with; `None` if there is no checkpoint, or one that
    /// cannot be read, which [`load`](Self::load) says.
    pub(super) fn start(&self) -> Option<Start> {
        let mut folders = [self.folder.clone(), self.old()].into_iter();
        let state = folders.find_map(|folder| SavedState::read(&folder).ok())?;
        Some(state.run.start)
    }

    /// The run that stands here; `None` if there is no checkpoint. Where that is damaged it is the
    /// run of the older one beside it, if a save was cut off and left one.
    pub(super) fn load<M: Module>(
        &self,
        identity: &Identity,
        policy: M,
        config: &TrainerConfig,
    ) -> Result<Option<Resumed<M>>, Error> {
        let Some(Whole { folder, damage }) = self.whole()? else {
            return Ok(None);
        };
        let state = SavedState::read(&folder)?;
        if let Some(what) = identity.difference(&state.run) {
            let message = format!(
                "a run goes on as it began, others need a folder of their own; this one belongs \
                 to another run: {what}"
            );
            return Err(failed(&folder.join(STATE), message));
        }
        let policy = load_policy(&folder, policy)?;
        // A record brings its parameters' ids, and decay groups go by id: the optimizer is made for
        // the model as loaded.
        let optimizer = Optimizer::new(&config.optimizer, &policy);
        let optimizer = optimizer.load(&folder.join(OPTIMIZER))?;
        let step = state.step;
        let warning = damage
            .map(|damage| format!("{damage}: the run goes on from the one before, of step {step}"));
        Ok(Some(Resumed {
            position: Position {
                policy,
                optimizer,
                step,
                evaluation_due: state.evaluation_due,
                from: Some(folder.clone()),
                warning,
            },
            objective: state.objective,
            start: state.run.start,
            folder,
        }))
    }

    /// Leaves one checkpoint, the one in `used` if a run goes on from it: what saves left that were
    /// cut off goes, and so does a damaged one beside it.
    pub(super) fn settle(&self, used: Option<&Path>) -> Result<(), Error> {
        disk::remove(&self.new_folder())?;
        let old = self.old();
        match used {
            Some(used) if used == old => {
                disk::remove(&self.folder)?;
                fs::rename(&old, &self.folder).map_err(Error::io("rename", &old))?;
                disk::sync_parent(&self.folder)
            }
            Some(_) => disk::remove(&old),
            None => Ok(()),
        }
    }

    /// The policy that stands here, in the place of that of `model`, and its step.
    fn policy<M: Module>(&self, model: &M) -> Result<(M, usize), Error> {
        let whole = self.whole()?;
        let folder = whole
            .ok_or_else(|| failed(&self.folder, "is not there"))?
            .folder;
        let step = SavedState::read(&folder)?.step;
        let policy = load_policy(&folder, model.clone())?;
        match SavedState::read(&folder)?.step == step {
            true => Ok((policy, step)),
            false => Err(failed(&folder, "was replaced while it was read")),
        }
    }

    /// The newest folder that is whole.
    fn whole(&self) -> Result<Option<Whole>, Error> {
        let mut damage = None;
        for folder in [self.folder.clone(), self.old()] {
            if !folder.exists() {
                continue;
            }
            match check(&folder) {
                Ok(()) => return Ok(Some(Whole { folder, damage })),
                Err(error @ Error::Checkpoint { .. }) => _ = damage.get_or_insert(error),
                Err(error) => return Err(error),
            }
        }
        damage.map_or(Ok(None), Err)
    }
}

/// The policy of the checkpoint in an output folder, and the optimizer steps it has taken; `policy`
/// is a model of the same shape, whose weights do not matter.
///
/// It is read at any time, also of a run that was interrupted or still goes on.
///
/// # Errors
///
/// Where there is no checkpoint, where it is damaged, or of a model of another shape.
///
/// ```
/// use burn::tensor::Device;
/// use burn_kto::prelude::*;
/// use burn_kto::train::saved_policy;
///
/// # let config = LlamaConfig::new(258, 16, 1, 2);
/// # let device = Device::flex();
/// # let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 64);
/// # let train = encoder.encode_sft(&[SftExample::new("2 + 2 =", " 4")])?.examples;
/// # let folder = tempfile::tempdir().unwrap();
/// # let trainer = Trainer::new(TrainerConfig::new(1e-3))?
/// #     .with_progress(Progress::Silent).with_output(folder.path());
/// # let batcher = SftBatcher::new(ByteTokenizer.pad());
/// # let mut sft = SftLossConfig::new().init();
/// # trainer.fit(config.init(1, &device), &ReferenceFree, &mut sft, &batcher, &train, &[])?;
/// let (policy, step) = saved_policy(folder.path(), config.init(42, &device))?;
/// assert_eq!(step, 1);
/// # Ok::<(), Error>(())
/// ```
pub fn saved_policy<M: Module>(output: impl AsRef<Path>, policy: M) -> Result<(M, usize), Error> {
    let checkpoint = Checkpoint::new(output.as_ref());
    let mut found = checkpoint.policy(&policy);
    for _ in 0..TRIES {
        if found.is_ok() {
            break;
        }
        found = checkpoint.policy(&policy);
    }
    found
}

/// Writes a checkpoint into a folder that is not there yet, and brings it to the disk.
fn write<M: Module>(
    folder: &Path,
    snapshot: Snapshot<'_, M>,
    more: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let path = folder.join(MODEL);
    let record = snapshot.policy.valid().into_record();
    record.save(&path).map_err(|error| failed(&path, error))?;
    snapshot.optimizer.save(&folder.join(OPTIMIZER))?;
    more(folder)?;
    let path = folder.join(STATE);
    let state = SavedState {
        step: snapshot.step,
        evaluation_due: snapshot.evaluation_due,
        objective: snapshot.objective,
        run: snapshot.identity.clone(),
        sealed: true,
    };
    let text = serde_json::to_string_pretty(&state).map_err(|error| failed(&path, error))?;
    fs::write(&path, text).map_err(Error::io("write", &path))?;
    manifest::seal(folder)
}

/// Refuses a folder whose files are not what was written, as far as that can be told.
fn check(folder: &Path) -> Result<(), Error> {
    if manifest::verify(folder)? {
        return Ok(());
    }
    if SavedState::read(folder)?.sealed {
        return Err(failed(&folder.join(manifest::NAME), "is missing"));
    }
    let mut files = [MODEL, OPTIMIZER].map(|name| folder.join(name)).into_iter();
    match files.find(|path| !path.is_file()) {
        Some(path) => Err(failed(&path, "is missing")),
        None => Ok(()),
    }
}

fn load_policy<M: Module>(folder: &Path, policy: M) -> Result<M, Error> {
    let path = folder.join(MODEL);
    let record =
        ModuleRecord::from_bytes(disk::bytes(&path)?).map_err(|error| failed(&path, error))?;
    let policy = policy.try_load_record(record);
    policy.map_err(|error| failed(&path, error))
}

fn failed(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Checkpoint {
        path: path.into(),
        message: error.to_string(),
    }
}
