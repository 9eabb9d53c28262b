//! What was asked, answered and graded, one line an item.

use super::task::{Grade, Request};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A line of a record file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Record<Q: Request> {
    /// The task.
    pub task: String,
    /// Of the task's prompts and rules.
    pub version: String,
    /// Who answered.
    pub model: String,
    /// Of the item.
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

/// A file of records that only grows, so that an interrupted evaluation goes on where it was.
#[derive(Debug)]
pub(super) struct RecordFile {
    path: PathBuf,
    file: File,
}

impl RecordFile {
    /// Opens for appending and returns the records that are there. A torn last line, of a run that was killed while it wrote, is dropped.
    pub(super) fn open<Q: Request>(path: &Path) -> Result<(Self, Vec<Record<Q>>), Error> {
        let (records, torn) = read_with_rest(path)?;
        if let Some(whole) = torn {
            let file = fs::OpenOptions::new().write(true).open(path);
            let cut = file.and_then(|file| file.set_len(whole));
            cut.map_err(Error::io("write", path))?;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(Error::io("write", path))?;
        let path = path.to_path_buf();
        Ok((Self { path, file }, records))
    }

    /// Appends records in one write.
    pub(super) fn append<Q: Request>(&mut self, records: &[Record<Q>]) -> Result<(), Error> {
        let mut lines = Vec::new();
        for record in records {
            let line = serde_json::to_vec(record).map_err(|error| Error::Dataset {
                message: format!("record {}: {error}", record.id),
            })?;
            lines.extend(line);
            lines.push(b'\n');
        }
        let written = self.file.write_all(&lines);
        written.map_err(Error::io("write", &self.path))
    }
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
    Ok(read_with_rest(path)?.0)
}

/// The records, and the length up to which the file is whole where it is torn after it.
fn read_with_rest<Q: Request>(path: &Path) -> Result<(Vec<Record<Q>>, Option<u64>), Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), None)),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let (mut records, mut whole) = (Vec::new(), 0);
    for (i, line) in text.split_inclusive('\n').enumerate() {
        if !line.ends_with('\n') {
            return Ok((records, Some(whole as u64)));
        }
        whole += line.len();
        if line.trim().is_empty() {
            continue;
        }
        let record = serde_json::from_str(line).map_err(|error| Error::Record {
            path: path.into(),
            line: i + 1,
            message: format!("is not a record of this kind of task: {error}"),
        })?;
        records.push(record);
    }
    Ok((records, None))
}
