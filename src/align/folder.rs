//! The folder of a run.

use super::refusal::refused;
use super::settings::Settings;
use crate::error::Error;
use crate::train::{Hook, RunStarted, occupied};
use std::fs;
use std::path::{Path, PathBuf};

/// All settings of a run, in its folder.
const SETTINGS: &str = "run.toml";

/// How a run begins in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// In a folder without a run.
    Anew,
    /// In the folder of a run that ended before its first checkpoint.
    Again,
    /// From a checkpoint.
    FromCheckpoint,
}

/// Refuses a folder with a run in it, unless that goes on; one without a run, if one should go on;
/// one with a model that may be another run's; and the model's own.
pub(super) fn check_folder(out: &Path, model: &Path, resume: bool) -> Result<Start, Error> {
    let start = match (occupied(out), resume) {
        (None, false) => Start::Anew,
        (Some(found), false) => {
            return Err(Error::Occupied {
                path: out.into(),
                found,
            });
        }
        (Some(found), true) if found.starts_with("checkpoint") => Start::FromCheckpoint,
        // The trainer had accepted the folder.
        (_, true) if out.join(SETTINGS).exists() => Start::Again,
        (_, true) => {
            let out = out.display();
            let message = format!("no checkpoint in {out}: there is nothing to go on from");
            return Err(refused("resume", message));
        }
    };
    let aligned = out.join("model");
    if same_folder(&aligned, model) || same_folder(out, model) {
        return Err(Error::Model {
            path: model.into(),
            message: "what comes out would be written into it: choose another --out".into(),
        });
    }
    if aligned.exists() && start != Start::FromCheckpoint {
        return Err(Error::Model {
            path: aligned,
            message: "a model is there: choose another --out".into(),
        });
    }
    Ok(start)
}

/// Whether both are there and one.
fn same_folder(a: &Path, b: &Path) -> bool {
    let (a, b) = (fs::canonicalize(a), fs::canonicalize(b));
    matches!((a, b), (Ok(a), Ok(b)) if a == b)
}

/// Refuses to go on with another model or reference than the run in the folder has, which the
/// checkpoint does not know by name.
pub(super) fn check_same_run(settings: &Settings) -> Result<(), Error> {
    let path = settings.output.folder.join(SETTINGS);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let before: Settings = toml::from_str(&text).map_err(|error| Error::Checkpoint {
        path: path.clone(),
        message: error.message().replace('\n', ", "),
    })?;
    let model = |settings: &Settings| match &settings.model {
        Some(model) => absolute(model).map(|model| model.display().to_string()),
        None => Ok("none".into()),
    };
    let reference = |settings: &Settings| {
        let text = serde_json::to_string(&settings.reference);
        text.unwrap_or_else(|_| settings.reference.name().into())
    };
    let all = [
        ("model", model(&before)?, model(settings)?),
        ("reference", reference(&before), reference(settings)),
    ];
    match all.into_iter().find(|(_, old, new)| old != new) {
        None => Ok(()),
        Some((name, old, new)) => Err(Error::Checkpoint {
            path,
            message: format!("belongs to another run: {name} was {old}, got {new}"),
        }),
    }
}

/// The same file from every working directory; names on the Hub stay as they are.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    match path.to_str() {
        Some(name) if name.starts_with("hf://") => Ok(path.into()),
        _ => std::path::absolute(path).map_err(Error::io("read", path)),
    }
}

/// Writes `run.toml` when the trainer has accepted the folder and, of a run that goes on, its
/// checkpoint: not a byte before that.
#[derive(Debug)]
pub(super) struct Record(pub(super) Settings);

impl Hook for Record {
    fn on_start(&mut self, _run: &RunStarted<'_>) -> Result<(), Error> {
        write_settings(&self.0)
    }
}

/// `run.toml`.
fn write_settings(settings: &Settings) -> Result<(), Error> {
    let folder = &settings.output.folder;
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let path = folder.join(SETTINGS);
    let head = format!(
        "# All settings of this run of burn-kto {}; it is the same again with\n\
         # burn-kto align --config {} --out OTHER\n\n",
        env!("CARGO_PKG_VERSION"),
        path.display()
    );
    let text = head + &settings.to_toml()?;
    fs::write(&path, text).map_err(Error::io("write", &path))
}

/// Writes the aligned folder. One that is there is of the same run, finished before and resumed
/// since, whose checkpoint was accepted: it goes when the new one is whole.
pub(super) fn write_model(
    out: &Path,
    start: Start,
    save: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let folder = out.join("model");
    if start != Start::FromCheckpoint {
        save(&folder)?;
        return Ok(folder);
    }
    let (new, old) = (out.join("model.new"), out.join("model.old"));
    remove(&new)?;
    save(&new)?;
    if folder.exists() {
        remove(&old)?;
        fs::rename(&folder, &old).map_err(Error::io("rename", &folder))?;
    }
    fs::rename(&new, &folder).map_err(Error::io("rename", &new))?;
    // Also that of a save that was cut short between the two.
    remove(&old)?;
    Ok(folder)
}

fn remove(folder: &Path) -> Result<(), Error> {
    match folder.exists() {
        true => fs::remove_dir_all(folder).map_err(Error::io("remove", folder)),
        false => Ok(()),
    }
}
