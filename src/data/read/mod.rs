//! The reader with its defaults, for what most files need.

mod census;
pub(super) mod formats;
pub(super) mod keep;
pub(super) mod reader;
pub(super) mod report;
pub(super) mod row;
pub(super) mod rows;
mod settings;
pub(super) mod source;
pub(super) mod stream;

use crate::data::example::{BinaryExample, PreferenceExample, SftExample};
use crate::data::labels::ScoredExample;
use crate::data::read::reader::{Loaded, Reader};
use crate::error::Error;
use std::path::Path;

/// [`Reader::binary`] of a [`Reader::new`].
///
/// # Errors
///
/// As there.
pub fn read_binary(path: impl AsRef<Path>) -> Result<Loaded<BinaryExample>, Error> {
    Reader::new().binary(path)
}

/// [`Reader::preferences`] of a [`Reader::new`].
///
/// # Errors
///
/// As there.
pub fn read_preferences(path: impl AsRef<Path>) -> Result<Loaded<PreferenceExample>, Error> {
    Reader::new().preferences(path)
}

/// [`Reader::scored`] of a [`Reader::new`].
///
/// # Errors
///
/// As there.
pub fn read_scored(path: impl AsRef<Path>) -> Result<Loaded<ScoredExample>, Error> {
    Reader::new().scored(path)
}

/// [`Reader::sft`] of a [`Reader::new`].
///
/// # Errors
///
/// As there.
pub fn read_sft(path: impl AsRef<Path>) -> Result<Loaded<SftExample>, Error> {
    Reader::new().sft(path)
}
