//! Files of a model's folder.

use crate::error::Error;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Bytes of a JSON file or a template at most; the longest that people have are a tenth of it.
pub(super) const LONGEST: u64 = 16 << 20;
/// Bytes of a tokenizer's file at most; those of 250,000 tokens have half of it.
pub(super) const LONGEST_TOKENIZER: u64 = 64 << 20;

/// Opens a regular file; links are followed. What has no end, a pipe or a device, is not opened.
pub(super) fn open(path: &Path) -> Result<File, Error> {
    let kind = fs::metadata(path).map_err(Error::io("read", path))?;
    if !kind.is_file() {
        let what = match kind.is_dir() {
            true => "is a folder, not a file",
            false => "is no regular file but a pipe, a socket or a device",
        };
        return Err(failed(path, what));
    }
    File::open(path).map_err(Error::io("read", path))
}

/// Reads a file that is there as more than its name.
pub(super) fn read(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    read_up_to(LONGEST, path, what)
}

/// Does what [`read`] does, with another limit in bytes.
pub(super) fn read_up_to(limit: u64, path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    let bytes = whole(path, limit)?;
    if bytes.starts_with(b"version https://git-lfs") {
        let message = format!("is a Git LFS pointer, not {what}: run `git lfs pull`");
        return Err(failed(path, message));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(failed(path, "is empty"));
    }
    Ok(bytes)
}

/// `None` where there is no such file.
pub(super) fn read_json(path: &Path) -> Result<Option<Value>, Error> {
    let bytes = match whole(path, LONGEST) {
        Ok(bytes) => bytes,
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let value = serde_json::from_slice(&bytes);
    value.map_err(|error| failed(path, error.to_string()))
}

/// What the system says of a file's length is not asked: it is 0 for files that it makes up.
fn whole(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let (mut bytes, file) = (Vec::new(), open(path)?);
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit {
        let message = format!("is longer than {limit} bytes, which no such file is");
        return Err(failed(path, message));
    }
    Ok(bytes)
}

/// Whether a file, a folder or a link of this name is there, even one that leads nowhere.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

pub(super) fn failed(path: &Path, message: impl Into<String>) -> Error {
    Error::Model {
        path: PathBuf::from(path),
        message: message.into(),
    }
}
