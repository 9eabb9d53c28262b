//! Writes a cache into a folder.

use super::key::{Parts, hex};
use super::meta::{Content, INDEX, META, Meta, TOKENS};
use super::row::{IndexRow, IndexWriter};
use crate::data::encode::report::EncodeReport;
use crate::data::tokens::ids::TokenIds;
use crate::disk;
use crate::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// The files of a cache while they grow.
pub(super) struct CacheWriter {
    folder: PathBuf,
    tokens: Output,
    index: Output,
    rows: usize,
}

impl CacheWriter {
    /// In a folder that is there and empty.
    pub(super) fn create(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            folder: folder.into(),
            tokens: Output::create(folder.join(TOKENS))?,
            index: Output::create(folder.join(INDEX))?,
            rows: 0,
        })
    }

    pub(super) fn append<R: IndexRow>(&mut self, rows: &[R]) -> Result<(), Error> {
        for row in rows {
            row.write(self);
        }
        self.rows += rows.len();
        self.tokens.check()?;
        self.index.check()
    }

    /// Brings everything to the disk; `meta.json` last, after which the folder is whole.
    pub(super) fn finish(self, key: Parts, report: &EncodeReport) -> Result<(), Error> {
        let meta = Meta {
            key,
            rows: self.rows,
            tokens: self.tokens.finish()?,
            index: self.index.finish()?,
            report: report.into(),
        };
        let mut file = Output::create(self.folder.join(META))?;
        file.write(&meta.into_json()?);
        file.finish()?;
        disk::sync_folder(&self.folder)
    }
}

impl IndexWriter for CacheWriter {
    fn list(&mut self, list: &TokenIds) {
        self.tokens.write(bytemuck::cast_slice(list));
        let end = self.tokens.bytes / size_of::<u32>() as u64;
        self.number(end);
    }

    fn number(&mut self, bits: u64) {
        self.index.write(&bits.to_le_bytes());
    }
}

/// A file that counts and hashes what is written to it.
struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Xxh3Default,
    bytes: u64,
    /// The first thing that went wrong; nothing is written after it.
    failed: Option<io::Error>,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self, Error> {
        let file = File::create_new(&path).map_err(Error::io("create", &path))?;
        Ok(Self {
            path,
            file: BufWriter::with_capacity(1 << 20, file),
            hasher: Xxh3Default::new(),
            bytes: 0,
            failed: None,
        })
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.failed = self.file.write_all(bytes).err();
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn check(&mut self) -> Result<(), Error> {
        match self.failed.take() {
            None => Ok(()),
            Some(error) => Err(Error::io("write", &self.path)(error)),
        }
    }

    fn finish(mut self) -> Result<Content, Error> {
        self.check()?;
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error);
        let synced = file.and_then(|file| file.sync_all());
        synced.map_err(Error::io("write", &self.path))?;
        Ok(Content {
            bytes: self.bytes,
            xxh3: hex(self.hasher.digest128()),
        })
    }
}
