//! What was asked, answered and graded, one line an item.

use crate::error::Error;
use crate::eval::lines::read;
use crate::eval::tasks::task::{Grade, Request};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// A line of a record file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Record<Q: Request> {
    /// The task.
    pub task: String,
    /// The version of the task's prompts and rules.
    pub version: String,
    /// Who answered.
    pub model: String,
    /// The name of the item.
    pub id: String,
    /// What the item is averaged with.
    pub group: String,
    /// The question, whole: the file alone says what was measured.
    pub request: Q,
    /// The answer, whole.
    pub response: Q::Response,
    /// What it was worth.
    #[serde(flatten)]
    pub grade: Grade,
}

/// Reads a record file.
///
/// # Errors
///
/// Where it cannot be read, or a line is not such a record.
pub fn read_records<Q: Request>(path: impl AsRef<Path>) -> Result<Vec<Record<Q>>, Error> {
    let path = path.as_ref();
    if !path.exists() {
        return Err(Error::io("read", path)(ErrorKind::NotFound.into()));
    }
    Ok(read(path)?.0)
}
