//! Files of benchmarks: JSON Lines, plain or gzip.

use crate::error::Error;
use serde::de::DeserializeOwned;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The text of a file, decompressed where it begins as gzip does.
pub(in crate::eval) fn read_text(path: &Path) -> Result<String, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(wrong(
            path,
            1,
            "is a Git LFS pointer, not the data: run `git lfs pull`",
        ));
    }
    let mut text = String::new();
    let read = if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text)
    } else {
        (&bytes[..]).read_to_string(&mut text)
    };
    read.map_err(Error::io("read", path))?;
    Ok(text)
}

/// One object a line; lines of white space are passed over.
pub(in crate::eval) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let text = read_text(path)?;
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        rows.push(serde_json::from_str(line).map_err(|error| wrong(path, i + 1, error))?);
    }
    if rows.is_empty() {
        let message = format!("{}: has no row", path.display());
        return Err(Error::Dataset { message });
    }
    Ok(rows)
}

/// Files of a folder with this ending, by name.
pub(in crate::eval) fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(ending) && !name.starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        let source = std::io::Error::new(ErrorKind::NotFound, format!("no *{ending} in it"));
        return Err(Error::io("read", folder)(source));
    }
    Ok(paths)
}

pub(in crate::eval) fn wrong(path: &Path, line: usize, message: impl ToString) -> Error {
    Error::Record {
        path: path.into(),
        line,
        message: message.to_string(),
    }
}
