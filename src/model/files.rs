//! Files of a model's folder.

use crate::error::Error;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A file that is there as more than its name.
pub(super) fn read(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
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
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let value = serde_json::from_str(&text);
    value.map_err(|error| failed(path, error.to_string()))
}

pub(super) fn failed(path: &Path, message: impl Into<String>) -> Error {
    Error::Model {
        path: PathBuf::from(path),
        message: message.into(),
    }
}
