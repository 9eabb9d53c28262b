//! The policy of a run as a model folder, before its end too.

use super::folder::settings_of;
use super::method::Method;
use super::refusal::refused;
use super::settings::Settings;
use crate::error::Error;
use crate::model::{Llama, ModelFolder, RewardModel};
use crate::train::saved_policy;
use std::fs;
use std::path::{Path, PathBuf};

/// What [`export`] wrote.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exported {
    /// The model folder.
    pub model: PathBuf,
    /// Optimizer steps that the policy has taken.
    pub step: usize,
}

impl Settings {
    /// The settings of the run in a folder, as its `run.toml` has them; the folder is
    /// `output.folder`.
    ///
    /// # Errors
    ///
    /// Where there is no `run.toml`, or it holds no settings.
    pub fn of_run(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let (_, mut settings) = settings_of(folder)?;
        // There it may be relative to another working directory.
        settings.output.folder = folder.into();
        Ok(settings)
    }
}

/// Writes the policy of a run's checkpoint as a model folder: weights, configuration, tokenizer and
/// template. The run may be finished, interrupted or still going on, and is left as it is.
///
/// ```no_run
/// use burn_kto::align::{Settings, export};
/// let exported = export(&Settings::of_run("runs/kto")?, "halfway")?;
/// println!("{} is the policy after step {}", exported.model.display(), exported.step);
/// # Ok::<(), burn_kto::Error>(())
/// ```
///
/// # Errors
///
/// Where there is no checkpoint or it is damaged, where the model folder that the run began with is
/// gone ([`Settings::model`] says where it is now), and where the new folder is there already or
/// cannot be written.
pub fn export(settings: &Settings, folder: impl AsRef<Path>) -> Result<Exported, Error> {
    let (run, folder) = (&settings.output.folder, folder.as_ref());
    let model = settings.model.as_deref();
    let model = model.ok_or_else(|| refused("model", "says what was aligned: it is missing"))?;
    check_target(run, folder)?;
    let device = settings.device.open()?;
    let base = ModelFolder::open_without_weights(model)?;
    // Its weights are those of the checkpoint in a moment.
    let shape: Llama = base.config().init(0, &device);
    let step = match &settings.method {
        Method::Reward(_) => {
            let (policy, step) = saved_policy(run, RewardModel::new(shape, &device))?;
            base.save_with(folder, |partial| policy.save(partial))?;
            step
        }
        _ => {
            let (policy, step) = saved_policy(run, shape)?;
            base.save(&policy, folder)?;
            step
        }
    };
    let model = folder.into();
    Ok(Exported { model, step })
}

/// Refuses a folder that is there, and that of the finished model.
fn check_target(run: &Path, folder: &Path) -> Result<(), Error> {
    let real = |path: &Path| match path.as_os_str().is_empty() {
        true => fs::canonicalize("."),
        false => fs::canonicalize(path),
    };
    let parent = folder.parent().map(real);
    let inside = matches!((parent, real(run)), (Some(Ok(a)), Ok(b)) if a == b);
    let message = match (folder.exists(), inside) {
        (true, _) => "is there already: choose another --out",
        (_, true) => {
            "is in the folder of the run, which its own files are for: choose another --out"
        }
        _ => return Ok(()),
    };
    Err(Error::Model {
        path: folder.into(),
        message: message.into(),
    })
}
