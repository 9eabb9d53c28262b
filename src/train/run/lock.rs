//! One run in a folder at a time.

use crate::disk;
use crate::error::Error;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the file in the output folder, which is there while a run goes on.
const NAME: &str = "run.lock";

/// How often a file is opened again that is not the one of its name.
const TRIES: usize = 5;

/// An output folder that is held for one run: while this lives, another one is refused.
///
/// The system lets go of it however the process ends. Folders that were made for it and are still
/// empty at the end go with it.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    file: File,
    /// Why others are not kept away: some network file systems have no locks.
    unguarded: Option<String>,
    /// Whether the file can be told from another one of its name.
    is_told: bool,
    /// Folders that were not there before, the innermost first.
    made: Vec<PathBuf>,
}

impl Lock {
    /// Makes the folder if it is not there, and holds it.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where another run goes on in it, and where it cannot be written to.
    pub(crate) fn take(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            folder: folder.into(),
            held: Mutex::new(Held::new(folder)?),
        })
    }

    /// What to say where the file system has no locks.
    pub(super) fn warning(&self) -> Option<String> {
        let folder = self.folder.display();
        let held = self.held();
        held.unguarded.as_ref().map(|why| {
            format!("{folder} cannot be locked, so another run in it goes unnoticed: {why}")
        })
    }

    /// Makes and holds the folder anew where somebody took it away.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub(super) fn renew(&self) -> Result<(), Error> {
        let mut held = self.held();
        if !held.is_at(&self.folder) {
            *held = Held::new(&self.folder)?;
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Replaced as a whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let held = self.held();
        // Best effort: a file that stays holds nobody up.
        if held.is_at(&self.folder) {
            let _ = fs::remove_file(self.folder.join(NAME));
        }
        held.give_back();
    }
}

impl Held {
    fn new(folder: &Path) -> Result<Self, Error> {
        let absent = folder.ancestors().take_while(|folder| {
            let named = !folder.as_os_str().is_empty();
            named && !folder.exists()
        });
        let made: Vec<PathBuf> = absent.map(Path::to_path_buf).collect();
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join(NAME);
        let mut tries = 0..TRIES;
        loop {
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(Error::io("create", &path))?;
            let is_told = disk::is_at(&file, &path);
            let unguarded = match file.try_lock() {
                // Its holder may have removed it in between: what stands there now counts. On some
                // network file systems no file is the one that it was opened as.
                Ok(()) if !is_told && tries.next().is_some() => continue,
                Ok(()) => None,
                Err(TryLockError::WouldBlock) => {
                    let path = folder.into();
                    return Err(Error::Busy { path });
                }
                Err(TryLockError::Error(error)) => Some(error.to_string()),
            };
            // For people who wonder whose it is.
            let _ = writeln!(&file, "{:<10}", std::process::id());
            return Ok(Self {
                file,
                unguarded,
                is_told,
                made,
            });
        }
    }

    fn is_at(&self, folder: &Path) -> bool {
        let path = folder.join(NAME);
        disk::is_at(&self.file, &path) || !self.is_told && path.exists()
    }

    /// Removes the folders that were made and hold nothing.
    fn give_back(&self) {
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_once_and_left_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("made/on/the/way");
        for _ in 0..2 {
            let lock = Lock::take(&folder).unwrap();
            let error = Lock::take(&folder).unwrap_err();
            assert!(error.is_busy(), "{error}");
            assert!(folder.join(NAME).exists());
            drop(lock);
            assert!(!home.path().join("made").exists());
        }
        fs::create_dir_all(&folder).unwrap();
        // As a killed process leaves it.
        fs::write(folder.join(NAME), "123\n").unwrap();
        drop(Lock::take(&folder).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        assert!(folder.exists(), "it was there before");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_was_taken_away_is_held_anew() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("run");
        let lock = Lock::take(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        lock.renew().unwrap();
        assert!(Lock::take(&folder).unwrap_err().is_busy());
        drop(lock);
        assert!(!folder.exists());
    }
}
