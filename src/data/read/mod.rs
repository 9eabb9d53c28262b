//! From files of feedback to examples: the reader with its defaults, for what most files need.

mod census;
mod forest;
pub(super) mod formats;
pub(super) mod keep;
mod mapping;
pub(super) mod reader;
pub(super) mod report;
pub(super) mod row;
pub(super) mod rows;
mod settings;
pub(super) mod source;
pub(super) mod stream;

use crate::data::example::{BinaryExample, PreferenceExample, ScoredExample, SftExample};
use crate::data::read::reader::{Loaded, Reader};
use crate::error::Error;
use std::path::Path;

/// Reads completions with thumbs with the defaults of a [`Reader`]: [`Reader::binary`].
///
/// # Errors
///
/// Where a file cannot be read, and at the first row that is wrong, with its line.
pub fn read_binary(path: impl AsRef<Path>) -> Result<Loaded<BinaryExample>, Error> {
    Reader::new().binary(path)
}

/// Reads pairs with the defaults of a [`Reader`]: [`Reader::preferences`].
///
/// # Errors
///
/// Where a file cannot be read, and at the first row that is wrong, with its line.
pub fn read_preferences(path: impl AsRef<Path>) -> Result<Loaded<PreferenceExample>, Error> {
    Reader::new().preferences(path)
}

/// Reads completions with scores with the defaults of a [`Reader`]: [`Reader::scored`].
///
/// # Errors
///
/// Where a file cannot be read, and at the first row that is wrong, with its line.
pub fn read_scored(path: impl AsRef<Path>) -> Result<Loaded<ScoredExample>, Error> {
    Reader::new().scored(path)
}

/// Reads demonstrations with the defaults of a [`Reader`]: [`Reader::sft`].
///
/// # Errors
///
/// Where a file cannot be read, and at the first row that is wrong, with its line.
pub fn read_sft(path: impl AsRef<Path>) -> Result<Loaded<SftExample>, Error> {
    Reader::new().sft(path)
}
