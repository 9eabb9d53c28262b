//! The folder of a run.

use super::refusal::refused;
use super::settings::Settings;
use crate::disk;
use crate::error::Error;
use crate::train::{Document, occupied};
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

/// The settings of the run in a folder, and the file in which they are.
pub(super) fn settings_of(out: &Path) -> Result<(PathBuf, Settings), Error> {
    let path = out.join(SETTINGS);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let settings = toml::from_str(&text).map_err(|error| Error::Checkpoint {
        path: path.clone(),
        message: error.message().replace('\n', ", "),
    })?;
    Ok((path, settings))
}

/// Refuses to go on with another model or reference than the run in the folder has, which the
/// checkpoint does not know by name.
pub(super) fn check_same_run(settings: &Settings) -> Result<(), Error> {
    let (path, before) = settings_of(&settings.output.folder)?;
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
    let differs = |(name, old, new): &(&str, String, String)| {
        old != new && !(*name == "model" && is_moved(old, new))
    };
    match all.into_iter().find(differs) {
        None => Ok(()),
        Some((name, old, new)) => Err(Error::Checkpoint {
            path,
            message: format!("belongs to another run: {name} was {old}, got {new}"),
        }),
    }
}

/// Whether a model folder has another name now: the checkpoint knows the model by what it says.
fn is_moved(old: &str, new: &str) -> bool {
    let (old, new) = (Path::new(old), Path::new(new));
    let is_folder = old.is_absolute() && new.is_dir();
    is_folder && (!old.exists() || same_folder(old, new))
}

/// The same file from every working directory; names on the Hub stay as they are.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    match path.to_str() {
        Some(name) if name.starts_with("hf://") => Ok(path.into()),
        _ => std::path::absolute(path).map_err(Error::io("read", path)),
    }
}

/// `run.toml`, for the trainer to write when it has accepted the folder and, of a run that goes on,
/// its checkpoint: not a byte before that.
pub(super) fn document(settings: &Settings) -> Result<Document, Error> {
    let path = settings.output.folder.join(SETTINGS);
    let head = format!(
        "# All settings of this run of burn-kto {}; it is the same again with\n\
         # burn-kto align --config {} --out OTHER\n\n",
        env!("CARGO_PKG_VERSION"),
        path.display()
    );
    Ok((SETTINGS, head + &settings.to_toml()?))
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
    let new = out.join("model.new");
    disk::remove(&new)?;
    save(&new)?;
    disk::replace_folder(&new, &folder, &out.join("model.old"))?;
    Ok(folder)
}

/// Removes what models left that were cut off while they were written.
pub(super) fn clear(out: &Path) -> Result<(), Error> {
    let left = ["model.partial", "model.new.partial", "model.new"];
    left.iter()
        .try_for_each(|name| disk::remove(&out.join(name)))?;
    match out.join("model").exists() {
        true => disk::remove(&out.join("model.old")),
        false => Ok(()),
    }
}
