//! A file of JSON lines that only grows, so that what was interrupted goes on where it was.

use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Open for appending.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens or creates, and returns what is there. A torn last line, of a run that was killed
    /// while it wrote, is dropped.
    pub(super) fn open<T: DeserializeOwned>(path: &Path) -> Result<(Self, Vec<T>), Error> {
        let (rows, torn) = read(path)?;
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
        Ok((Self { path, file }, rows))
    }

    /// Appends rows in one write.
    pub(super) fn append<T: Serialize>(&mut self, rows: &[T]) -> Result<(), Error> {
        let mut lines = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut lines, row)
                .map_err(std::io::Error::from)
                .map_err(Error::io("write", &self.path))?;
            lines.push(b'\n');
        }
        let written = self.file.write_all(&lines);
        written.map_err(Error::io("write", &self.path))
    }
}

/// The rows of a file, none where there is no file, and the length up to which it is whole where it
/// is torn after it.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, Option<u64>), Error> {
    // By bytes: a torn line may end within a character.
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), None)),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let (mut rows, mut whole) = (Vec::new(), 0);
    for (i, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if !line.ends_with(b"\n") {
            // What begins like a record and breaks off is one. Anything else is somebody's file.
            let begun = line.starts_with(b"{\"") || line == b"{";
            let torn = begun && serde_json::from_slice::<Value>(line).is_err();
            if torn || serde_json::from_slice::<T>(line).is_ok() {
                return Ok((rows, Some(whole as u64)));
            }
            return Err(Error::Record {
                path: path.into(),
                line: i + 1,
                message: "is not a record of this kind".into(),
            });
        }
        whole += line.len();
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row = serde_json::from_slice(line).map_err(|error| Error::Record {
            path: path.into(),
            line: i + 1,
            message: format!("is not a record of this kind: {error}"),
        })?;
        rows.push(row);
    }
    Ok((rows, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_record_is_dropped_and_a_file_of_another_kind_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let open = |text: &str| {
            fs::write(&path, text).unwrap();
            let rows = Lines::open::<std::collections::BTreeMap<String, u32>>(&path);
            (
                rows.map(|(_, rows)| rows.len()).ok(),
                fs::read_to_string(&path).unwrap(),
            )
        };
        assert_eq!(open("{\"a\":1}\n{\"a\":"), (Some(1), "{\"a\":1}\n".into()));
        assert_eq!(open("{\"a\":1}"), (Some(0), String::new()));
        assert_eq!(open("{"), (Some(0), String::new()));
        for other in ["[1, 2]", "text", "{\"a\": \"b\"}", "\u{1}\u{2}"] {
            assert_eq!(open(other), (None, other.into()));
        }
    }
}
