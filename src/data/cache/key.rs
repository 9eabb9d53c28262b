//! What a cache was made of.

use crate::data::encode::encoder::Encoder;
use crate::data::read::reader::Reader;
use crate::data::read::source::files::files;
use crate::error::Error;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// What the examples of a [`TokenCache`](super::TokenCache) are made of: the contents of files, and
/// whatever else decides which examples there are.
///
/// Tokenizer, chat template and limits need not be named: the cache asks the encoder.
///
/// Make the key before the files are read: a cache that is built of files that have changed since
/// then is an error, and not kept.
///
/// ```
/// use burn_kto::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("feedback.jsonl");
/// # std::fs::write(&path, "{}").unwrap();
/// let key = CacheKey::default().with_file(&path)?.with("held out", 0.1).with("seed", 42);
/// let strict = CacheKey::default().with_source(&Reader::new().with_strict(), &path)?;
/// assert_ne!(strict, CacheKey::default().with_source(&Reader::new(), &path)?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CacheKey {
    parts: BTreeMap<String, String>,
    /// By the name of their part.
    files: Vec<(String, PathBuf)>,
    sources: usize,
}

impl PartialEq for CacheKey {
    /// Where files are does not count.
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for CacheKey {}

impl CacheKey {
    /// Adds the content of a file; its name and place do not count.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or only once, as a pipe.
    pub fn with_file(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let name = format!("file {}", self.files.len() + 1);
        self.add(name, path.as_ref())?;
        Ok(self)
    }

    /// Adds all files that `reader` would read at `path`, and the reader's settings. Each call is
    /// another source.
    ///
    /// # Errors
    ///
    /// Where there are none, or one cannot be read, or only once.
    pub fn with_source(mut self, reader: &Reader, path: impl AsRef<Path>) -> Result<Self, Error> {
        self.sources += 1;
        let source = format!("source {}", self.sources);
        for (i, file) in files(path.as_ref())?.files.into_iter().enumerate() {
            self.add(format!("{source} file {}", i + 1), &file)?;
        }
        self.parts
            .insert(format!("{source} reader"), format!("{reader:?}"));
        Ok(self)
    }

    fn add(&mut self, name: String, path: &Path) -> Result<(), Error> {
        self.parts.insert(name.clone(), file_hash(path)?);
        self.files.push((name, path.into()));
        Ok(())
    }

    /// Refuses files that are no longer what they were when the key was made.
    pub(super) fn verify(&self) -> Result<(), Error> {
        self.files.iter().try_for_each(|(name, path)| {
            if self.parts.get(name) == Some(&file_hash(path)?) {
                return Ok(());
            }
            Err(unusable(path, "changed while it was read"))
        })
    }

    /// Adds a setting. The last value of a name counts.
    pub fn with(mut self, name: impl Display, value: impl Display) -> Self {
        // A namespace of its own, so that no setting can stand for a file or for the tokenizer.
        let name = format!("setting {name}");
        self.parts.insert(name, value.to_string());
        self
    }

    /// With all that ids depend on besides the examples.
    pub(super) fn complete(
        &self,
        encoder: &Encoder<'_>,
        kind: &str,
        format: u32,
    ) -> Result<Parts, Error> {
        let mut parts = self.parts.clone();
        for (name, value) in encoder.definition()? {
            // A tokenizer is megabytes.
            let long = value.len() > 64;
            let value = if long {
                hex(xxh3_128(value.as_bytes()))
            } else {
                value
            };
            parts.insert(format!("encoder {name}"), value);
        }
        parts.insert("kind".into(), kind.into());
        parts.insert("format".into(), format.to_string());
        // What the encoder does with a text may change from one release to the next.
        parts.insert("burn-kto".into(), env!("CARGO_PKG_VERSION").into());
        // Ids are mapped as they are, so each order of bytes has caches of its own.
        let little = cfg!(target_endian = "little");
        parts.insert("little-endian".into(), little.to_string());
        Ok(parts)
    }
}

/// A complete key, part by part.
pub(super) type Parts = BTreeMap<String, String>;

/// 128 bits of a complete key, which name its folder.
pub(super) fn name(parts: &Parts) -> String {
    let mut hasher = Xxh3Default::new();
    for text in parts.iter().flat_map(|(name, value)| [name, value]) {
        // Behind its length, so that borders count.
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hex(hasher.digest128())
}

pub(super) fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}

fn unusable(path: &Path, message: &str) -> Error {
    Error::source(path, format!("{message}, so nothing can be cached of it"))
}

fn file_hash(path: &Path) -> Result<String, Error> {
    // Before it is opened: a pipe would wait for who writes.
    let meta = std::fs::metadata(path).map_err(Error::io("read", path))?;
    if !meta.is_file() {
        return Err(unusable(path, "is not a file that can be read twice"));
    }
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut hasher = Xxh3Default::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if read == 0 {
            return Ok(hex(hasher.digest128()));
        }
        hasher.update(&buffer[..read]);
    }
}
