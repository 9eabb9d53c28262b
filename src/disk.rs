//! Files and folders that are there as a whole or not at all, also after the power has failed.
#![cfg_attr(
    not(all(feature = "train", feature = "llama", feature = "cache")),
    allow(dead_code) // each feature uses its part
)]

use crate::error::Error;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes a file in the place of one that may be there. Who looks finds the one or the other; where
/// it fails the old one stays as it was, and nothing beside it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = beside(path, "new");
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map_err(Error::io("write", path))?;
    sync_parent(path)
}

/// Puts a folder that is whole and on the disk in the place of one that may be there. At every
/// moment `folder` or `old` is whole; `old` goes when the new one has its name for good, or the
/// next time, where somebody reads in it.
pub(crate) fn replace_folder(new: &Path, folder: &Path, old: &Path) -> Result<(), Error> {
    if folder.exists() {
        remove(old)?;
        fs::rename(folder, old).map_err(Error::io("rename", folder))?;
    }
    fs::rename(new, folder).map_err(Error::io("rename", new))?;
    sync_parent(folder)?;
    let _ = remove(old);
    Ok(())
}

/// A file of burn's as memory. Burn's own way to load a record reads from the file when a number of
/// it is first needed, and panics where that has been replaced meanwhile.
#[cfg(feature = "train")]
pub(crate) fn bytes(path: &Path) -> Result<burn::tensor::Bytes, Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    Ok(burn::tensor::Bytes::from_bytes_vec(bytes))
}

/// Removes a folder with all that is in it; one that is not there is gone already.
pub(crate) fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}

/// Brings a folder and all that is in it to the disk.
pub(crate) fn sync_tree(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        match path.is_dir() {
            true => sync_tree(&path)?,
            false => sync(&path).map_err(Error::io("write", &path))?,
        }
    }
    sync_folder(folder)
}

/// Brings the names in a folder to the disk, where folders can be opened for that.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some network file systems bring names to the disk by themselves only, and a folder may
        // be one to search but not to read.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        other => other.map_err(Error::io("write", folder)),
    }
}

/// Brings the name of a file or folder to the disk.
pub(crate) fn sync_parent(path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    // What was copied may be read-only, which matters to Windows alone.
    let file = File::options().read(true).write(cfg!(windows)).open(path);
    file.and_then(|file| file.sync_all())
}

/// Whether an open file is the one that stands under a name: not where it was removed or replaced.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |data: fs::Metadata| (data.dev(), data.ino());
    let open = file.metadata().map(place);
    match fs::metadata(path).map(place) {
        Ok(there) => open.is_ok_and(|open| open == there),
        // What cannot be asked for just now is not gone.
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Whether a file stands under a name.
#[cfg(not(unix))]
pub(crate) fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// The same name with an ending more.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_replaced_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        // A folder has its name.
        let taken = folder.path().join("b");
        fs::create_dir(&taken).unwrap();
        assert!(replace(&taken, b"three").is_err());
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "nothing beside them");
    }

    #[test]
    fn one_folder_takes_the_place_of_another() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for text in ["one", "two"] {
            fs::create_dir(at("x.new")).unwrap();
            fs::write(at("x.new/text"), text).unwrap();
            sync_tree(&at("x.new")).unwrap();
            replace_folder(&at("x.new"), &at("x"), &at("x.old")).unwrap();
            assert_eq!(fs::read_to_string(at("x/text")).unwrap(), text);
        }
        assert!(!at("x.new").exists() && !at("x.old").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_replaced_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        replace(&path, b"one").unwrap();
        let file = File::open(&path).unwrap();
        assert!(is_at(&file, &path));
        replace(&path, b"one").unwrap();
        assert!(!is_at(&file, &path));
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path));
    }
}
