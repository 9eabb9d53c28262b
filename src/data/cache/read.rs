//! Opens a cache, if all of it is as it was written.

use super::key::{Parts, hex};
use super::meta::{Content, INDEX, Meta, TOKENS};
use super::row::{IndexReader, IndexRow};
use crate::data::encode::report::EncodeReport;
use crate::data::tokens::file::TokenFile;
use crate::data::tokens::ids::TokenIds;
use crate::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3Default;

/// What is in a folder.
pub(super) enum Opened<R> {
    /// A cache.
    Whole(Vec<R>, EncodeReport),
    /// No folder.
    Missing,
    /// Something else, and how it shows.
    Damaged(String),
}

/// Checks everything before anything is used.
pub(super) fn open<R: IndexRow>(folder: &Path, key: &Parts) -> Result<Opened<R>, Error> {
    if !folder.exists() {
        return Ok(Opened::Missing);
    }
    if !folder.is_dir() {
        return Ok(Opened::Damaged("is not a folder".into()));
    }
    let Some(json) = Meta::read(folder)? else {
        return Ok(Opened::Damaged("meta.json is missing".into()));
    };
    let meta = match Meta::from_json(&json) {
        Ok(meta) if meta.key == *key => meta,
        Ok(_) => return Ok(Opened::Damaged("meta.json has another key".into())),
        Err(damage) => return Ok(Opened::Damaged(damage)),
    };
    let opened = tokens(&folder.join(TOKENS), &meta.tokens)
        .and_then(|file| rows(&folder.join(INDEX), &meta, Arc::new(file)));
    match opened {
        Ok((rows, report)) => Ok(Opened::Whole(rows, report)),
        Err(Problem::Damage(damage)) => Ok(Opened::Damaged(damage)),
        Err(Problem::Error(error)) => Err(error),
    }
}

enum Problem {
    Damage(String),
    Error(Error),
}

/// Maps the file after reading it once: through the file rather than the map, so that memory stays
/// as it is.
fn tokens(path: &Path, content: &Content) -> Result<TokenFile, Problem> {
    let mut input = Input::open(path, content)?;
    let read = io::copy(&mut input, &mut io::sink());
    read.map_err(|error| unreadable(path, error))?;
    input.check()?;
    TokenFile::map(input.file.get_ref()).map_err(|error| unreadable(path, error))
}

fn rows<R: IndexRow>(
    path: &Path,
    meta: &Meta,
    tokens: Arc<TokenFile>,
) -> Result<(Vec<R>, EncodeReport), Problem> {
    let mut index = Index {
        input: Input::open(path, &meta.index)?,
        tokens,
        end: 0,
        report: meta.report.restore(meta.rows),
        lengths: Vec::new(),
        failed: None,
    };
    let words = meta.index.bytes / size_of::<u64>() as u64;
    if words != (meta.rows * R::WORDS) as u64 {
        return Err(Problem::Damage(
            "index.bin has another number of rows".into(),
        ));
    }
    let mut rows = Vec::with_capacity(meta.rows);
    for _ in 0..meta.rows {
        rows.push(R::read(&mut index));
        if let Some(error) = index.failed.take() {
            return Err(unreadable(path, error));
        }
        let lengths = &index.lengths;
        index.report.count(lengths[0], &lengths[1..], false, false);
        index.lengths.clear();
    }
    index.input.check()?;
    if index.end != index.tokens.ids().len() {
        return Err(Problem::Damage("index.bin ends before tokens.bin".into()));
    }
    Ok((rows, index.report))
}

/// The index while it is read.
struct Index {
    input: Input,
    tokens: Arc<TokenFile>,
    /// Where the last text ended.
    end: usize,
    report: EncodeReport,
    /// Lengths of the row's texts.
    lengths: Vec<usize>,
    /// Why what was read is of no use.
    failed: Option<io::Error>,
}

impl IndexReader for Index {
    fn text(&mut self) -> TokenIds {
        let text = self.list();
        self.lengths.push(text.len());
        text
    }

    fn list(&mut self) -> TokenIds {
        let start = self.end;
        let end = usize::try_from(self.number()).unwrap_or(usize::MAX);
        // A range that is not one must not be made: it would panic when it is looked at.
        let length = end
            .checked_sub(start)
            .filter(|_| end <= self.tokens.ids().len());
        let length = length.and_then(|length| u32::try_from(length).ok());
        let length = length.unwrap_or_else(|| {
            self.failed = Some(io::ErrorKind::InvalidData.into());
            0
        });
        self.end = start + length as usize;
        TokenIds::mapped(self.tokens.clone(), start, length)
    }

    fn number(&mut self) -> u64 {
        let mut bytes = [0; size_of::<u64>()];
        if let Err(error) = self.input.read_exact(&mut bytes) {
            self.failed = Some(error);
        }
        u64::from_le_bytes(bytes)
    }
}

/// A file that has to have a content.
struct Input {
    name: String,
    file: BufReader<File>,
    hasher: Xxh3Default,
    content: Content,
}

impl Input {
    fn open(path: &Path, content: &Content) -> Result<Self, Problem> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = opened.map_err(|error| unreadable(path, error))?;
        if bytes != content.bytes {
            let expected = content.bytes;
            return Err(Problem::Damage(format!(
                "{name} has {bytes} bytes, not {expected}"
            )));
        }
        Ok(Self {
            name,
            file: BufReader::with_capacity(1 << 20, file),
            hasher: Xxh3Default::new(),
            content: content.clone(),
        })
    }

    /// After everything was read.
    fn check(&self) -> Result<(), Problem> {
        if hex(self.hasher.digest128()) == self.content.xxh3 {
            return Ok(());
        }
        let name = &self.name;
        Err(Problem::Damage(format!(
            "{name} does not have its checksum"
        )))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// A file that is missing, short or nonsense is damage; that the system refuses is not.
fn unreadable(path: &Path, error: io::Error) -> Problem {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    match error.kind() {
        InvalidData | NotFound | UnexpectedEof => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Problem::Damage(format!("{name}: {error}"))
        }
        _ => Problem::Error(Error::io("read", path)(error)),
    }
}
