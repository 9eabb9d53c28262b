//! Token ids that outlive the process: tokenized once, memory-mapped ever after.
//!
//! ```text
//! cache/
//!   <hash of the key>/
//!     tokens.bin      ids of all texts one after another, u32
//!     index.bin       for each example where its texts end, and its numbers, u64
//!     meta.json       the key part by part, lengths and checksums, what was dropped
//!   <hash of the key>.lock       held while a process builds
//!   <hash of the key>.partial/   what is being built, or what a killed process left
//! ```

mod key;
mod meta;
mod progress;
mod read;
mod row;
mod write;

pub use key::CacheKey;
pub use row::CacheRow;

use super::encode::encoder::Encoder;
use super::encode::kind::Encode;
use super::encode::report::EncodeReport;
use crate::disk;
use crate::error::Error;
use key::Parts;
use progress::Display;
use read::{Opened, open};
use row::IndexRow;
use std::fs::{self, File};
use std::io::{ErrorKind, Write, stderr};
use std::path::{Path, PathBuf};
use write::CacheWriter;

/// The version of the files, a part of every key.
const FORMAT: u32 = 3;

/// Examples encoded at a time, which is what building holds in memory.
const CHUNK: usize = 16_384;

/// A folder of tokenized data sets, one for each key.
///
/// A data set is tokenized the first time, on all cores, with a progress bar, and memory-mapped
/// from then on: what training looks at is read from the disk without a copy, and what there is no
/// room for is forgotten. An example in memory is a few words, whatever its length.
///
/// - The key is what the ids depend on: the tokenizer, the chat template, the encoder's limits, the
///   contents of the data files and what the caller adds. Where any of it changes, another cache is
///   built beside the old one.
/// - A cache gets its name after all of it has reached the disk, so one that was interrupted is not
///   there. Lengths and checksums are verified whenever it is opened; where one is wrong, it is
///   built anew.
/// - Who builds holds a lock; others wait for it and find the cache built.
///
/// ```
/// use burn_kto::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("feedback.jsonl");
/// # std::fs::write(&path, r#"{"prompt": "2 + 2 =", "completion": " 4", "label": true}"#).unwrap();
/// let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 512);
/// let key = CacheKey::default().with_file(&path)?;
/// let cache = TokenCache::new(folder.path().join("tokens"));
/// let open = || {
///     cache.open_or_build(&encoder, &key, || Ok(read_binary(&path)?.examples.into_iter().map(Ok)))
/// };
/// assert!(open()?.built);
/// let again = open()?; // nothing was read but the cache
/// assert!(!again.built);
/// assert_eq!(again.examples[0].completion, [32, 52, 256]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenCache {
    folder: PathBuf,
    silent: bool,
}

/// What a [`TokenCache`] has for a key.
#[derive(Clone, Debug)]
pub struct CachedExamples<T> {
    /// The examples, in order, their ids in the cache.
    pub examples: Vec<T>,
    /// What became of the others, when they were encoded.
    pub report: EncodeReport,
    /// Whether the cache was built, rather than found.
    pub built: bool,
}

impl TokenCache {
    /// A cache in a folder, which is created when the first cache is built. Nothing else should be
    /// in it, and nobody should change what is.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            silent: false,
        }
    }

    /// Shows no progress and no messages on standard error.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Opens the examples that `key` stands for; where the cache has none, or a damaged one, it is
    /// built of `examples` first.
    ///
    /// Examples are asked for one after another and not kept, so they need not fit into memory
    /// either. They must follow from the key: it is all that is compared next time.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read or written, where a file of the key has changed, where the
    /// tokenizer or the template has no definition (see
    /// [`Tokenizer::definition`](crate::model::Tokenizer::definition)), and what `examples` or the
    /// encoder say.
    pub fn open_or_build<E, I>(
        &self,
        encoder: &Encoder<'_>,
        key: &CacheKey,
        examples: impl FnOnce() -> Result<I, Error>,
    ) -> Result<CachedExamples<E::Tokenized>, Error>
    where
        E: Encode<Tokenized: CacheRow>,
        I: IntoIterator<Item = Result<E, Error>>,
    {
        let sources = key;
        let key = key.complete(encoder, E::Tokenized::KIND, FORMAT)?;
        let name = key::name(&key);
        let folder = self.folder.join(&name);
        if let Opened::Whole(examples, report) = open(&folder, &key)? {
            return Ok(CachedExamples {
                examples,
                report,
                built: false,
            });
        }
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        // Until the end of this function; the system releases it if the process is killed.
        let _lock = lock(&self.folder.join(format!("{name}.lock")))?;
        // Someone else may have built it while we waited.
        match open(&folder, &key)? {
            Opened::Whole(examples, report) => {
                return Ok(CachedExamples {
                    examples,
                    report,
                    built: false,
                });
            }
            Opened::Damaged(damage) => {
                if !self.silent {
                    let name = folder.display();
                    let _ = writeln!(stderr(), "cache {name}: {damage}; built anew");
                }
                remove(&folder)?;
            }
            Opened::Missing => {}
        }
        // Nobody else has the lock, so what is here was left by a process that was killed.
        let partial = self.folder.join(format!("{name}.partial"));
        remove(&partial)?;
        fs::create_dir(&partial).map_err(Error::io("create", &partial))?;
        let built = self.build(&partial, key.clone(), encoder, examples);
        if let Err(error) = built.and_then(|()| sources.verify()) {
            // The first error is the one to tell.
            let _ = remove(&partial);
            return Err(error);
        }
        fs::rename(&partial, &folder).map_err(Error::io("create", &folder))?;
        disk::sync_folder(&self.folder)?;
        match open(&folder, &key)? {
            Opened::Whole(examples, report) => Ok(CachedExamples {
                examples,
                report,
                built: true,
            }),
            Opened::Missing => Err(unusable(&folder, "is gone as soon as it was built")),
            Opened::Damaged(damage) => Err(unusable(&folder, &damage)),
        }
    }

    fn build<E, I>(
        &self,
        folder: &Path,
        key: Parts,
        encoder: &Encoder<'_>,
        examples: impl FnOnce() -> Result<I, Error>,
    ) -> Result<(), Error>
    where
        E: Encode<Tokenized: CacheRow>,
        I: IntoIterator<Item = Result<E, Error>>,
    {
        let mut examples = examples()?.into_iter();
        let (least, most) = examples.size_hint();
        let display = Display::new(!self.silent, most.filter(|most| *most == least));
        let mut writer = CacheWriter::create(folder)?;
        let mut report = EncodeReport::default();
        let mut done = 0;
        loop {
            let chunk: Vec<E> = examples.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
            if chunk.is_empty() {
                break;
            }
            let encoded = E::encode(&chunk, encoder).map_err(|error| behind(done, error))?;
            writer.append(&encoded.examples)?;
            report.merge(encoded.report, done);
            done += chunk.len();
            display.advance(chunk.len());
        }
        writer.finish(key, &report)?;
        display.finish();
        Ok(())
    }
}

/// An error that counts examples counts those of a chunk.
fn behind(done: usize, error: Error) -> Error {
    match error {
        Error::Dataset { message } if done > 0 => Error::Dataset {
            message: format!("behind the first {done} examples: {message}"),
        },
        other => other,
    }
}

/// Waits until nobody else has it.
fn lock(path: &Path) -> Result<File, Error> {
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).open(path);
    let file = file.map_err(Error::io("create", path))?;
    file.lock().map_err(Error::io("lock", path))?;
    Ok(file)
}

/// Removes a folder, or whatever has its name.
fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(Error::io("remove", path))
}

fn unusable(folder: &Path, message: &str) -> Error {
    Error::Cache {
        path: folder.into(),
        message: message.into(),
    }
}
