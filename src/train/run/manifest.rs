//! What the files of a checkpoint were when they were written.

use crate::disk;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3Default;

pub(super) const NAME: &str = "manifest.json";

/// `manifest.json`: every other file of the folder, by its name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    files: BTreeMap<String, Content>,
}

/// Size of a file and XXH3 of 128 bits of what is in it.
#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Content {
    bytes: u64,
    xxh3: String,
}

/// Writes down what is in a folder and brings it to the disk: it is whole then.
pub(super) fn seal(folder: &Path) -> Result<(), Error> {
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files)?;
    let path = folder.join(NAME);
    let text = serde_json::to_string_pretty(&Manifest { files });
    let text = text.map_err(|error| damaged(&path, error.to_string()))?;
    disk::replace(&path, (text + "\n").as_bytes())?;
    disk::sync_tree(folder)
}

/// Checks that a folder holds what was written to it; `false` where it does not say what that is.
///
/// # Errors
///
/// [`Error::Checkpoint`] names the first file that is missing or another than was written.
pub(super) fn verify(folder: &Path) -> Result<bool, Error> {
    let path = folder.join(NAME);
    if path.is_dir() {
        return Err(damaged(&path, "is not a file"));
    }
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(Error::io("read", &path))?,
    };
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| damaged(&path, format!("is damaged: {error}")))?;
    for (name, written) in manifest.files {
        let path = folder.join(name);
        match fs::metadata(&path) {
            Ok(data) if !data.is_file() => return Err(damaged(&path, "is not a file")),
            Ok(data) if data.len() != written.bytes => {
                let (got, bytes) = (data.len(), written.bytes);
                let message = format!("is damaged: it has {got} bytes of the {bytes} written");
                return Err(damaged(&path, message));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged(&path, "is missing"));
            }
            other => other.map_err(Error::io("read", &path))?,
        };
        if content(&path)? != written {
            let message = "is damaged: its content is not what was written (checksum)";
            return Err(damaged(&path, message));
        }
    }
    Ok(true)
}

/// All files below a folder; those of folders in it behind their name.
fn collect(
    folder: &Path,
    before: &str,
    files: &mut BTreeMap<String, Content>,
) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{before}{name}");
        match path.is_dir() {
            true => collect(&path, &format!("{name}/"), files)?,
            false => _ = files.insert(name, content(&path)?),
        }
    }
    Ok(())
}

fn content(path: &Path) -> Result<Content, Error> {
    let hashed = || {
        let (mut file, mut hasher, mut bytes) = (File::open(path)?, Xxh3Default::new(), 0);
        let mut part = vec![0; 1 << 20];
        loop {
            match file.read(&mut part)? {
                0 => break,
                read => {
                    hasher.update(&part[..read]);
                    bytes += read as u64;
                }
            }
        }
        let xxh3 = format!("{:032x}", hasher.digest128());
        Ok(Content { bytes, xxh3 })
    };
    hashed().map_err(Error::io("read", path))
}

fn damaged(path: &Path, message: impl Into<String>) -> Error {
    Error::Checkpoint {
        path: path.into(),
        message: message.into(),
    }
}
