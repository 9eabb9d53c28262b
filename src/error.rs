//! One error for everything that comes from outside: files, rows, tokenizers, checkpoints,
//! configurations.
//!
//! Wrong shapes are bugs of the caller and panic, as in burn. Data of the world returns [`Error`],
//! whose message says what, where, why and what was got, on one line.

use std::fmt::{self, Write};
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
/// | [`Source`](Error::Source) | a file, folder, pattern or data set cannot be used | `data/*.csv: matches no file` |
/// | [`Feature`](Error::Feature) | a feature has to be built in | ``data.parquet: is a Parquet file: build burn-kto with feature `parquet` `` |
/// | [`Cache`](Error::Cache) | a token cache cannot be used | `cache tokens/1f3a: is gone as soon as it was built` |
/// | [`Usage`](Error::Usage) | a call asks for what cannot be done | `prompt 0 is empty: there is nothing to continue` |
/// | [`Interrupted`](Error::Interrupted) | who asked for it wants no more | `nobody reads on` |
/// | [`Model`](Error::Model) | a model folder is incomplete or of another kind | `smol/: no model.safetensors` |
/// | [`Device`](Error::Device) | a backend is not compiled in, a device not there | `cuda:0 is not compiled in: build with --features cuda; compiled in: flex` |
/// | [`Tokenize`](Error::Tokenize) | a tokenizer or chat template refuses | |
/// | [`Template`](Error::Template) | a chat template takes too much time or memory | |
/// | [`Checkpoint`](Error::Checkpoint) | a checkpoint cannot be used | |
/// | [`Training`](Error::Training) | a run cannot go on | `step 0: no parameter of the policy asks for a gradient` |
/// | [`NotFinite`](Error::NotFinite) | a loss or gradient is not finite | `step 12: the loss is NaN; of 8 training examples, counted from 0, the worst are 17 (loss NaN), ..` |
/// | [`Sandbox`](Error::Sandbox) | untrusted code cannot be run safely | `programs cannot be isolated here, so they are not run: there is no program unshare` |
/// | [`Endpoint`](Error::Endpoint) | a remote model does not answer | `https://host/v1: status 401: no such key` |
/// | [`State`](Error::State) | an objective cannot go on from a state | `the state 0.5 is that of another objective: ..` |
/// | [`Busy`](Error::Busy) | in an output folder another run goes on | `runs/kto: another run goes on in this folder: ..` |
/// | [`Occupied`](Error::Occupied) | an output folder holds another run | `runs/kto holds a run already (metrics.jsonl): ..` |
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    Io {
        /// What was tried: `read`, `write`, `create`, `remove`, `lock`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A line of a data file is wrong.
    Record {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What was wrong and what was got.
        message: String,
    },
    /// An element of a JSON array or a row of a table is wrong; its line is not known.
    Row {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        row: usize,
        /// What was wrong and what was got.
        message: String,
    },
    /// A field of a configuration is out of its range.
    Config {
        /// The field.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
        /// What it was.
        value: String,
    },
    /// A setting that is not known, of the wrong kind, or does not go with another.
    Setting {
        /// Where it was given: `run.toml:7`, `--beta`; else its name.
        place: String,
        /// What was wrong and what was got.
        message: String,
    },
    /// Examples that cannot be used together.
    Dataset {
        /// What was wrong and what was got.
        message: String,
    },
    /// A file, folder, pattern or data set that cannot be used as data.
    Source {
        /// What was to be read, also `hf://owner/name`.
        path: PathBuf,
        /// What was wrong and what was got.
        message: String,
    },
    /// Something that a feature has to be built in for.
    Feature {
        /// What needs it, and why.
        what: String,
        /// The feature.
        feature: &'static str,
    },
    /// A token cache that cannot be used.
    Cache {
        /// The folder.
        path: PathBuf,
        /// What was wrong.
        message: String,
    },
    /// A call that asks for what cannot be done.
    Usage {
        /// What was asked for and why it cannot be done.
        message: String,
    },
    /// Work that was stopped on purpose: nothing is wrong with it.
    Interrupted {
        /// What stopped it.
        message: String,
    },
    /// A model folder that is incomplete, damaged, or of a kind that is not supported.
    Model {
        /// The folder or file.
        path: PathBuf,
        /// What was wrong and what was got.
        message: String,
    },
    /// A device that cannot be had, or a float type that it cannot compute with.
    Device {
        /// What was wrong and what helps.
        message: String,
    },
    /// A tokenizer or a chat template refused its input.
    Tokenize {
        /// What it said.
        message: String,
    },
    /// A chat template that is no use for any conversation: the work ends at the first.
    Template {
        /// What it does.
        message: String,
    },
    /// A checkpoint that cannot be written, read, or continued from.
    Checkpoint {
        /// The folder or file.
        path: PathBuf,
        /// What was wrong.
        message: String,
    },
    /// A run that cannot go on.
    Training {
        /// Optimizer steps finished before.
        step: usize,
        /// Why it stopped.
        message: String,
    },
    /// A loss or a gradient that is not finite.
    NotFinite {
        /// Optimizer steps finished before.
        step: usize,
        /// What it is, the examples that it came from, and what may help.
        message: String,
        /// Indices of the examples, the worst first.
        examples: Vec<usize>,
        /// Whether they are held out; else they are trained on.
        held_out: bool,
    },
    /// Untrusted code that cannot be run safely here.
    Sandbox {
        /// What is missing.
        message: String,
    },
    /// A remote model that does not answer.
    Endpoint {
        /// The address of the endpoint.
        url: String,
        /// What it said, never with the key.
        message: String,
    },
    /// A state that an objective or a controller cannot go on from.
    State {
        /// What was wrong and what was got.
        message: String,
    },
    /// An output folder in which another run goes on, in this process or another one.
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// An output folder in which a run stands that is not to be continued.
    Occupied {
        /// The folder.
        path: PathBuf,
        /// By what it was seen: `metrics.jsonl`, `checkpoint`, `checkpoint.old`.
        found: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = Plain(f);
        match self {
            Self::Io {
                action,
                path,
                source,
            } => write!(f, "cannot {action} {}: {source}", path.display()),
            Self::Record {
                path,
                line,
                message,
            } => write!(f, "{}:{line}: {message}", path.display()),
            Self::Row { path, row, message } => {
                write!(f, "{}: row {row}: {message}", path.display())
            }
            Self::Config {
                field,
                reason,
                value,
            } => write!(f, "{field} {reason}, got {value}"),
            Self::Setting { place, message } => write!(f, "{place}: {message}"),
            Self::Source { path, message } => write!(f, "{}: {message}", path.display()),
            Self::Feature { what, feature } => {
                write!(f, "{what}: build burn-kto with feature `{feature}`")
            }
            Self::Cache { path, message } => write!(f, "cache {}: {message}", path.display()),
            Self::Model { path, message } => write!(f, "{}: {message}", path.display()),
            Self::Template { message } => write!(f, "the chat template {message}"),
            Self::Tokenize { message } => write!(f, "cannot tokenize: {message}"),
            Self::Checkpoint { path, message } => {
                write!(f, "checkpoint {}: {message}", path.display())
            }
            Self::Training { step, message } | Self::NotFinite { step, message, .. } => {
                write!(f, "step {step}: {message}")
            }
            Self::Endpoint { url, message } => write!(f, "{url}: {message}"),
            Self::Busy { path } => write!(
                f,
                "{}: another run goes on in this folder: let it end, or choose another folder",
                path.display()
            ),
            Self::Occupied { path, found } => write!(
                f,
                "{} holds a run already ({found}): resume it, or choose another folder",
                path.display()
            ),
            Self::Dataset { message }
            | Self::Usage { message }
            | Self::Interrupted { message }
            | Self::Device { message }
            | Self::Sandbox { message }
            | Self::State { message } => f.write_str(message),
        }
    }
}

/// Writes texts on one line, without what a terminal or a log would obey: names and values come
/// from files that nobody has read.
pub(crate) struct Plain<W>(pub(crate) W);

impl<W: fmt::Write> fmt::Write for Plain<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_obeyed(*c)) {
            self.0.write_str(&rest[..at])?;
            write!(self.0, "{}", c.escape_default())?;
            rest = &rest[at + c.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// Whether it is a control character, a line end, or turns the direction of text.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200E}' | '\u{200F}' | '\u{061C}'
        )
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

impl Error {
    /// Whether the work was stopped on purpose, so that there is nothing to mend.
    pub const fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }

    /// The feature that has to be built in, where that is all that is missing.
    ///
    /// ```
    /// # #[cfg(not(feature = "hub"))] {
    /// use burn_kto::prelude::*;
    /// let error = read_sft("hf://owner/name").unwrap_err();
    /// assert_eq!(error.missing_feature(), Some("hub"));
    /// # }
    /// ```
    pub const fn missing_feature(&self) -> Option<&'static str> {
        match self {
            Self::Feature { feature, .. } => Some(feature),
            _ => None,
        }
    }

    /// A source that cannot be used, and why.
    pub(crate) fn source(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::Source {
            path: path.into(),
            message: message.into(),
        }
    }

    /// Whether a run was refused because another one goes on in its output folder.
    pub const fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// Whether a run was refused because another one stands in its output folder.
    pub fn is_occupied(&self) -> bool {
        matches!(self, Self::Occupied { .. })
    }

    /// Whether a state was refused because another objective or controller left it.
    pub fn is_state(&self) -> bool {
        matches!(self, Self::State { .. })
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_that_no_terminal_obeys() {
        let error = Error::Model {
            path: "a\u{1b}]0;b\u{7}/config.json".into(),
            message: "model_type \u{202e}tpg\r\n\u{9b}2J is not supported, got ä 日".into(),
        };
        assert_eq!(
            error.to_string(),
            "a\\u{1b}]0;b\\u{7}/config.json: model_type \\u{202e}tpg\\r\\n\\u{9b}2J is not supported, got ä 日"
        );
    }
}
