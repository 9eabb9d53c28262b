//! The main job: a model folder, feedback and settings become an aligned folder and a report.
//!
//! | step | by |
//! |---|---|
//! | settings from a preset, a file, single ones | [`Layers`] |
//! | all settings, each with a default; checked | [`Settings`], [`Method`] |
//! | what would be trained on | [`preview`] |
//! | the run | [`Alignment`], [`Event`], [`Report`] |
//! | its policy as a model folder, before the end too | [`export`] |
//!
//! `docs/align.md` is the manual: settings, presets with their sources, the files of a run. The
//! program `burn-kto` (feature `cli`) is flags around this module.
//!
//! # Example
//!
//! ```
//! use burn_kto::align::{Alignment, Layers};
//! use burn_kto::prelude::*;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = |name: &str| folder.path().join(name);
//! # std::fs::create_dir(path("tiny")).unwrap();
//! # let json = r#"{"version": "1.0", "added_tokens": [],
//! #     "pre_tokenizer": {"type": "WhitespaceSplit"},
//! #     "model": {"type": "WordLevel", "unk_token": "?",
//! #         "vocab": {"?": 0, "</s>": 1, "a": 2, "b": 3, "c": 4}}}"#;
//! # std::fs::write(path("tiny/tokenizer.json"), json).unwrap();
//! # std::fs::write(path("tiny/tokenizer_config.json"), r#"{"eos_token": "</s>"}"#).unwrap();
//! # let tiny = LlamaConfig::new(5, 8, 1, 2).with_max_position_embeddings(16);
//! # tiny.init(1, &burn::tensor::Device::flex()).save(path("tiny"))?;
//! # std::fs::write(path("thumbs.jsonl"), r#"{"prompt": "a ", "completion": "b", "label": true}
//! # {"prompt": "b ", "completion": "a c", "label": false}"#).unwrap();
//! # let (model, data, out) = (path("tiny"), path("thumbs.jsonl"), path("run"));
//! let mut layers = Layers::new();
//! layers.text("here", r#"
//!     method = { name = "kto", beta = 0.05 }
//!     trainer = { learning_rate = 1e-3, batch_size = 2 }
//!     data = { held_out = 0.0 }
//! "#)?;
//! let mut settings = layers.settings()?;
//! settings.model = Some(model); // tiny/, with tokenizer.json, config.json and model.safetensors
//! settings.data.path = Some(data); // thumbs.jsonl, two rows with a thumb up and one down
//! settings.output.folder = out.clone();
//!
//! let report = Alignment::new(settings).run(&mut |event| println!("{event}"))?;
//! assert_eq!(report.steps, 1);
//! let aligned = ModelFolder::open(report.model.unwrap())?;
//! assert_eq!(aligned.tokenizer.vocab_size(), 5);
//! assert!(out.join("run.toml").exists()); // the same run once more
//! # Ok::<(), Error>(())
//! ```

mod alignment;
mod culprit;
mod data;
mod examples;
mod export;
mod folder;
mod job;
mod layers;
mod lines;
mod merge;
mod method;
mod objective;
mod preset;
mod preview;
mod refusal;
mod report;
mod sampler;
mod settings;
mod text;
mod training;
mod wrong;

pub use alignment::Alignment;
pub use data::{DataSettings, Limits, NamedThreshold, Threshold};
pub use export::{Exported, export};
pub use layers::Layers;
pub use method::*;
pub use preset::Preset;
pub use preview::{Piece, Preview, PreviewRow, TokenCount, TokenPreview, preview};
pub use report::{Event, Report, held_out_line};
pub use sampler::{SamplerSettings, Source};
pub use settings::{OutputSettings, Settings};
pub use training::{OptimizerSettings, TrainerSettings};
