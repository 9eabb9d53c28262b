//! The main job: a model folder, feedback and settings become an aligned folder and a report.

mod data;
mod examples;
mod layers;
mod lines;
mod method;
mod objective;
mod preset;
mod report;
mod run;
mod sampler;
mod settings;
mod text;
mod training;
mod wrong;

pub use data::{DataSettings, NamedThreshold, Threshold};
pub use layers::Layers;
pub use method::*;
pub use preset::Preset;
pub use report::{Event, Report, held_out_line};
pub use run::Alignment;
pub use sampler::{SamplerSettings, Source};
pub use settings::{OutputSettings, Settings};
pub use training::{OptimizerSettings, TrainerSettings};
