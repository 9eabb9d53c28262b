//! The output folder of a run.

use crate::disk;
use crate::error::Error;
use crate::train::run::checkpoint::{Checkpoint, Position, Snapshot};
use crate::train::run::hook::Hook;
use crate::train::run::journal::{self, Journal};
use crate::train::run::lock::Lock;
use burn::module::Module;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

/// How often to begin anew where a removal still goes on, and how long to wait before.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// A text that stands in the folder from the start of the run: its name, and what it says.
pub(crate) type Document = (&'static str, String);

/// What shows that a run stands in a folder.
pub(crate) fn occupied(folder: &Path) -> Option<&'static str> {
    Checkpoint::new(folder).found().or_else(|| {
        // A run that failed before its first line has nothing to lose.
        let lines = fs::metadata(folder.join(journal::NAME)).ok()?;
        (lines.len() > 0).then_some(journal::NAME)
    })
}

/// A folder that is held for a run which has not begun: nothing of what stands in it was touched.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) lock: Arc<Lock>,
    pub(super) documents: Vec<Document>,
}

impl Place {
    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::new(&self.path)
    }

    /// Writes the documents, cuts the journal off behind the step, and clears away what saves left
    /// that were cut off. Also says what looks wrong.
    pub(super) fn begin<M>(self, at: &Position<M>) -> Result<(RunFolder, Vec<String>), Error> {
        let checkpoint = self.checkpoint();
        checkpoint.settle(at.from.as_deref())?;
        for (name, text) in &self.documents {
            disk::replace(&self.path.join(name), text.as_bytes())?;
        }
        let (journal, lost) = Journal::open(&self.path, at.step, at.evaluation_due)?;
        let mut warnings: Vec<String> = at.warning.iter().cloned().collect();
        warnings.extend(self.lock.warning());
        if lost > 0 {
            let (path, step) = (self.path.join(journal::NAME), at.step);
            let path = path.display();
            warnings.push(format!("{path} lacks {lost} of the {step} steps before"));
        }
        let folder = RunFolder {
            place: self,
            checkpoint,
            journal: Arc::new(Mutex::new(journal)),
        };
        Ok((folder, warnings))
    }
}

/// The folder of a run that goes on.
pub(super) struct RunFolder {
    place: Place,
    checkpoint: Checkpoint,
    journal: Arc<Mutex<Journal>>,
}

impl RunFolder {
    /// The journal, as one who listens.
    pub(super) fn listener(&self) -> Box<dyn Hook> {
        Box::new(self.journal.clone())
    }

    /// Makes anew what somebody took away while the run goes on, the folder itself too; what that
    /// was, for a warning.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, and where another run began in the folder meanwhile.
    pub(super) fn keep(&self) -> Result<Option<String>, Error> {
        let mut kept = self.written_again();
        for _ in 0..TRIES {
            match &kept {
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                    sleep(PAUSE);
                    kept = self.written_again();
                }
                _ => break,
            }
        }
        kept
    }

    fn written_again(&self) -> Result<Option<String>, Error> {
        let Place {
            path,
            lock,
            documents,
        } = &self.place;
        lock.renew()?;
        let mut gone = Vec::new();
        for (name, text) in documents {
            let document = path.join(name);
            if !document.exists() {
                disk::replace(&document, text.as_bytes())?;
                gone.push(*name);
            }
        }
        if self.journal().renew()? {
            gone.push(journal::NAME);
        }
        Ok((!gone.is_empty()).then(|| {
            let (folder, gone) = (path.display(), gone.join(", "));
            format!("{folder}: taken away while the run went on, and written again: {gone}")
        }))
    }

    /// Replaces the checkpoint; the journal up to it is on the disk before.
    pub(super) fn save<M: Module>(
        &self,
        snapshot: Snapshot<'_, M>,
        more: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<&Path, Error> {
        self.journal().sync()?;
        self.checkpoint.save(snapshot, more)?;
        Ok(self.checkpoint.folder())
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        // A line is written in one piece.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
