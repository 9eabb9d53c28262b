//! One error for everything that comes from outside: files, rows, tokenizers, checkpoints,
//! configurations.
//!
//! Wrong shapes are bugs of the caller and panic, as in burn. Data of the world returns [`Error`],
//! whose message says what, where, why and what was got, on one line.

use std::path::PathBuf;

/// What can go wrong with the world.
///
/// | variant | when | example of its message |
/// |---|---|---|
/// | [`Io`](Error::Io) | a file cannot be read or written | `cannot read data.jsonl: No such file or directory (os error 2)` |
/// | [`Record`](Error::Record) | a row of a data file is wrong | `data.jsonl:17: "label" must be true or false, got "yes"` |
/// | [`Row`](Error::Row) | the same, of an array or a table | `data.parquet: row 17: "score" is NaN` |
/// | [`Config`](Error::Config) | a setting is out of range | `beta must be positive and finite, got -1` |
/// | [`Setting`](Error::Setting) | a setting is not known, or does not go with another | `run.toml:7: betta is not a setting of method kto; did you mean beta?` |
/// | [`Dataset`](Error::Dataset) | rows are right one by one, but not together | `z0 needs two different prompts, got 1` |
/// | [`Model`](Error::Model) | a model folder is incomplete or of another kind | `smol/: no model.safetensors` |
/// | [`Device`](Error::Device) | a backend is not compiled in, a device not there | `cuda:0 is not compiled in: build with --features cuda; compiled in: flex` |
/// | [`Tokenize`](Error::Tokenize) | a tokenizer or chat template refuses | |
/// | [`Checkpoint`](Error::Checkpoint) | a checkpoint cannot be used | |
/// | [`Training`](Error::Training) | a run cannot go on | `step 12: the loss is NaN` |
/// | [`Sandbox`](Error::Sandbox) | untrusted code cannot be run safely | `programs cannot be isolated here, so they are not run: there is no program unshare` |
/// | [`Endpoint`](Error::Endpoint) | a remote model does not answer | `https://host/v1: status 401: no such key` |
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`, `remove`, `lock`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A line of a data file is wrong.
    #[error("{}:{line}: {message}", .path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What was wrong and what was got.
        message: String,
    },
    /// An element of a JSON array or a row of a table is wrong; its line is not known.
    #[error("{}: row {row}: {message}", .path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        row: usize,
        /// What was wrong and what was got.
        message: String,
    },
    /// A field of a configuration is out of its range.
    #[error("{field} {reason}, got {value}")]
    Config {
        /// The field.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
        /// What it was.
        value: String,
    },
    /// A setting that is not known, of the wrong kind, or does not go with another.
    #[error("{place}: {message}")]
    Setting {
        /// Where it was given: `run.toml:7`, `--beta`; else its name.
        place: String,
        /// What was wrong and what was got.
        message: String,
    },
    /// Examples that cannot be used together.
    #[error("{message}")]
    Dataset {
        /// What was wrong and what was got.
        message: String,
    },
    /// A model folder that is incomplete, damaged, or of a kind that is not supported.
    #[error("{}: {message}", .path.display())]
    Model {
        /// The folder or file.
        path: PathBuf,
        /// What was wrong and what was got.
        message: String,
    },
    /// A device that cannot be had, or a float type that it cannot compute with.
    #[error("{message}")]
    Device {
        /// What was wrong and what helps.
        message: String,
    },
    /// A tokenizer or a chat template refused its input.
    #[error("cannot tokenize: {message}")]
    Tokenize {
        /// What it said.
        message: String,
    },
    /// A checkpoint that cannot be written, read, or continued from.
    #[error("checkpoint {}: {message}", .path.display())]
    Checkpoint {
        /// The folder or file.
        path: PathBuf,
        /// What was wrong.
        message: String,
    },
    /// A run that cannot go on.
    #[error("step {step}: {message}")]
    Training {
        /// Optimizer steps finished before.
        step: usize,
        /// Why it stopped.
        message: String,
    },
    /// Untrusted code that cannot be run safely here.
    #[error("{message}")]
    Sandbox {
        /// What is missing.
        message: String,
    },
    /// A remote model that does not answer.
    #[error("{url}: {message}")]
    Endpoint {
        /// Of the endpoint.
        url: String,
        /// What it said, never with the key.
        message: String,
    },
}

impl Error {
    /// For `map_err`: remembers what was tried on which path.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// Refuses a field of a configuration unless `ok`.
    pub(crate) fn check(
        ok: bool,
        field: &'static str,
        reason: &'static str,
        value: impl std::fmt::Display,
    ) -> Result<(), Self> {
        if ok {
            return Ok(());
        }
        Err(Self::Config {
            field,
            reason,
            value: value.to_string(),
        })
    }
}
