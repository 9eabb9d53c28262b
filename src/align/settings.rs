//! All settings of a run.

use super::data::DataSettings;
use super::method::Method;
use super::refusal::refused;
use super::sampler::SamplerSettings;
use super::training::{OptimizerSettings, TrainerSettings};
use crate::device::DeviceChoice;
use crate::error::Error;
use crate::reference::ReferenceChoice;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// All settings of a run, each with a default; as TOML they are a table with sections.
///
/// ```
/// use burn_kto::align::{Method, Settings};
/// let settings: Settings = toml::from_str(r#"
///     model = "SmolLM2-135M"
///     data = { path = "thumbs.jsonl" }
///     method = { name = "kto", beta = 0.05 }
/// "#).unwrap();
/// let Method::Kto(kto) = &settings.method else { panic!() };
/// assert_eq!((kto.beta, kto.desirable_weight), (0.05, 1.0));
/// assert_eq!(settings.trainer.batch_size, 16);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Folder of the model, or `hf://owner/name[@revision]`.
    pub model: Option<PathBuf>,
    /// Where to compute.
    #[serde(with = "super::text")]
    pub device: DeviceChoice,
    /// Seeds everything that is drawn.
    pub seed: u64,
    /// What is learned from.
    pub data: DataSettings,
    /// How.
    pub method: Method,
    /// Where log π_ref comes from.
    pub reference: ReferenceChoice,
    /// How long and how fast.
    pub trainer: TrainerSettings,
    /// AdamW.
    pub optimizer: OptimizerSettings,
    /// Which examples an epoch has, and in which order.
    pub sampler: SamplerSettings,
    /// What is written where.
    pub output: OutputSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: None,
            device: DeviceChoice::default(),
            seed: 42,
            data: DataSettings::default(),
            method: Method::default(),
            reference: ReferenceChoice::default(),
            trainer: TrainerSettings::default(),
            optimizer: OptimizerSettings::default(),
            sampler: SamplerSettings::default(),
            output: OutputSettings::default(),
        }
    }
}

/// What is written where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputSettings {
    /// Folder of the run.
    pub folder: PathBuf,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            folder: "runs/align".into(),
        }
    }
}

impl Settings {
    /// Checks all that can be checked without model and data, and that each setting is one that the
    /// method looks at.
    ///
    /// # Errors
    ///
    /// For the first that is not, by its name.
    pub fn validate(&self) -> Result<(), Error> {
        if i64::try_from(self.seed).is_err() {
            let message = format!("must be at most {}, got {}", i64::MAX, self.seed);
            return Err(refused("seed", message));
        }
        if self.output.folder.as_os_str().is_empty() {
            return Err(refused(
                "output.folder",
                "must name a folder, got an empty text",
            ));
        }
        self.method.validate(&self.reference)?;
        self.data.validate(&self.method)?;
        self.sampler.validate(&self.method)?;
        self.trainer_config().validate()?;
        let config = self.sampler.config();
        config.init(self.trainer.batch_size, self.seed).map(|_| ())
    }

    /// What the trainer is given; intervals that are not set are left open.
    pub fn trainer_config(&self) -> crate::train::TrainerConfig {
        let rate = self.trainer.learning_rate;
        let rate = rate.unwrap_or_else(|| self.method.learning_rate());
        self.trainer
            .config(rate)
            .with_optimizer(self.optimizer.config())
            .with_seed(self.seed)
    }

    /// The settings as the text of a file.
    ///
    /// # Errors
    ///
    /// Where a number is too large for TOML.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|error| refused("settings", error.to_string()))
    }
}
