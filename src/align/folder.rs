//! The folder of a run.

use super::settings::Settings;
use crate::error::Error;
use std::path::Path;

/// Refuses a folder with a run in it, unless that goes on, and the model's own.
pub(super) fn check_folder(out: &Path, model: &Path, resume: bool) -> Result<(), Error> {
    let checkpoint = out.join("checkpoint");
    if checkpoint.exists() && !resume {
        return Err(Error::Checkpoint {
            path: checkpoint,
            message: "a run is there: go on with --resume, or choose another --out".into(),
        });
    }
    let aligned = out.join("model");
    if same_folder(&aligned, model) || same_folder(out, model) {
        return Err(Error::Model {
            path: model.into(),
            message: "what comes out would be written into it: choose another --out".into(),
        });
    }
    if aligned.exists() && !resume {
        return Err(Error::Model {
            path: aligned,
            message: "a model is there: choose another --out".into(),
        });
    }
    Ok(())
}

/// Whether both are there and one.
fn same_folder(a: &Path, b: &Path) -> bool {
    let (a, b) = (std::fs::canonicalize(a), std::fs::canonicalize(b));
    matches!((a, b), (Ok(a), Ok(b)) if a == b)
}

/// `run.toml`.
pub(super) fn write_settings(settings: &Settings) -> Result<(), Error> {
    let folder = &settings.output.folder;
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let path = folder.join("run.toml");
    let head = format!(
        "# All settings of this run of burn-kto {}; it is the same again with\n\
         # burn-kto align --config {} --out OTHER\n\n",
        env!("CARGO_PKG_VERSION"),
        path.display()
    );
    let text = head + &settings.to_toml()?;
    std::fs::write(&path, text).map_err(Error::io("write", &path))
}
