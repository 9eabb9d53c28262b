//! Files as they are or compressed, told by their first bytes: pointers and decompressed files keep
//! the ending.

use crate::error::Error;
use std::fs::File;
#[cfg(feature = "gzip")]
use std::io::{self, Read};
use std::io::{BufRead, BufReader};
use std::path::Path;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Behind a byte from 0x50 to 0x5f: a frame to be passed over, as parallel compressors write first.
const SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// What is in the file, decompressed.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut reader = BufReader::new(file);
    let start = reader.fill_buf().map_err(Error::io("read", path))?;
    if start.starts_with(GZIP) {
        return gunzip(path, reader);
    }
    let skippable = matches!(start, [0x50..=0x5f, rest @ ..] if rest.starts_with(SKIPPABLE));
    if start.starts_with(ZSTD) || skippable {
        return unzstd(path, reader);
    }
    Ok(Box::new(reader))
}

#[cfg(feature = "gzip")]
fn gunzip(_path: &Path, reader: BufReader<File>) -> Result<Box<dyn BufRead>, Error> {
    let member = Some(flate2::bufread::GzDecoder::new(reader));
    Ok(Box::new(BufReader::new(Members { member })))
}

/// Gzip streams one behind the other, as `cat` leaves them. Behind the last there may be zeros, as
/// tapes and block devices have; flate2's own would say of anything else only that the file ends
/// too soon.
#[cfg(feature = "gzip")]
struct Members {
    member: Option<flate2::bufread::GzDecoder<BufReader<File>>>,
}

#[cfg(feature = "gzip")]
impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let next = next_byte(member.get_mut())?;
            let rest = self.member.take().map(|member| member.into_inner());
            match next {
                None => {}
                Some(byte) if byte == GZIP[0] => {
                    self.member = rest.map(flate2::bufread::GzDecoder::new);
                }
                Some(_) => {
                    let what = "something that is not gzip is behind the end of its gzip stream";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
            }
        }
        Ok(0)
    }
}

/// The first that is not zero, still in the reader.
#[cfg(feature = "gzip")]
fn next_byte(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = reader.fill_buf()?;
        if let Some(at) = buffer.iter().position(|byte| *byte != 0) {
            let byte = buffer[at];
            reader.consume(at);
            return Ok(Some(byte));
        }
        match buffer.len() {
            0 => return Ok(None),
            zeros => reader.consume(zeros),
        }
    }
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
pub(super) fn not_built(path: &Path, what: &str, feature: &'static str) -> Error {
    Error::Feature {
        what: format!("{}: {what}", path.display()),
        feature,
    }
}
