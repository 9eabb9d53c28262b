//! Files as they are or compressed, told by their first bytes: pointers and decompressed files keep the ending.

use crate::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// What is in the file, decompressed.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut reader = BufReader::new(file);
    let start = reader.fill_buf().map_err(Error::io("read", path))?;
    if start.starts_with(GZIP) {
        return gunzip(path, reader);
    }
    if start.starts_with(ZSTD) {
        return unzstd(path, reader);
    }
    Ok(Box::new(reader))
}

#[cfg(feature = "gzip")]
fn gunzip(_path: &Path, reader: BufReader<File>) -> Result<Box<dyn BufRead>, Error> {
    let decoder = flate2::bufread::MultiGzDecoder::new(reader);
    Ok(Box::new(BufReader::new(decoder)))
}

#[cfg(not(feature = "gzip"))]
fn gunzip(path: &Path, _reader: BufReader<File>) -> Result<Box<dyn BufRead>, Error> {
    Err(not_built(path, "is compressed", "gzip"))
}

#[cfg(feature = "zstd")]
fn unzstd(path: &Path, reader: BufReader<File>) -> Result<Box<dyn BufRead>, Error> {
    let decoder = zstd::stream::read::Decoder::with_buffer(reader);
    let decoder = decoder.map_err(Error::io("read", path))?;
    Ok(Box::new(BufReader::new(decoder)))
}

#[cfg(not(feature = "zstd"))]
fn unzstd(path: &Path, _reader: BufReader<File>) -> Result<Box<dyn BufRead>, Error> {
    Err(not_built(path, "is compressed", "zstd"))
}

/// For a kind of file that needs a feature.
#[allow(dead_code)] // with all features on
pub(super) fn not_built(path: &Path, what: &str, feature: &str) -> Error {
    Error::Dataset {
        message: format!(
            "{}: {what}: build burn-kto with feature `{feature}`",
            path.display()
        ),
    }
}
