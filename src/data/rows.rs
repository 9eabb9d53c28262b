//! JSON rows of a file: JSON Lines or one array, plain or gzip.

use crate::error::Error;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

pub(super) type Row = Map<String, Value>;

/// Calls `row` with each row and its line (its index in an array, from 1). JSON Lines are read line by line, whatever the file's size.
pub(super) fn for_each_row(
    path: &Path,
    mut row: impl FnMut(usize, Row) -> Result<(), Error>,
) -> Result<(), Error> {
    if path.is_dir() {
        let source = io::Error::new(io::ErrorKind::IsADirectory, "is a folder, not a file");
        return Err(Error::io("read", path)(source));
    }
    let mut reader = open(path)?;
    let start = skip_space(reader.as_mut()).map_err(Error::io("read", path))?;
    match start.byte {
        None => Err(Error::Dataset {
            message: format!("{}: is empty", path.display()),
        }),
        Some(b'[') => array(path, reader, start.lines, row),
        Some(b'v') if looks_like_lfs(reader.as_mut()) => Err(Error::Dataset {
            message: format!(
                "{}: is a Git LFS pointer, not the data: run `git lfs pull`",
                path.display()
            ),
        }),
        Some(_) => lines(path, reader, start.lines, &mut row),
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut reader = BufReader::new(file);
    // By content rather than by name: pointers and decompressed files keep the ending.
    let magic = reader.fill_buf().map_err(Error::io("read", path))?;
    if magic.starts_with(&[0x1f, 0x8b]) {
        return gunzip(path, reader);
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
    Err(Error::Dataset {
        message: format!(
            "{}: is compressed: build burn-kto with feature `gzip`",
            path.display()
        ),
    })
}

struct Start {
    /// The first byte that is not space, still in the reader.
    byte: Option<u8>,
    /// Lines passed on the way.
    lines: usize,
}

/// Passes a byte order mark and white space.
fn skip_space(reader: &mut dyn BufRead) -> io::Result<Start> {
    let mut lines = 0;
    if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    loop {
        let buffer = reader.fill_buf()?;
        let Some(&byte) = buffer.first() else {
            return Ok(Start { byte: None, lines });
        };
        if !byte.is_ascii_whitespace() {
            let byte = Some(byte);
            return Ok(Start { byte, lines });
        }
        lines += usize::from(byte == b'\n');
        reader.consume(1);
    }
}

fn looks_like_lfs(reader: &mut dyn BufRead) -> bool {
    reader
        .fill_buf()
        .is_ok_and(|buffer| buffer.starts_with(b"version https://git-lfs"))
}

fn array(
    path: &Path,
    mut reader: Box<dyn BufRead>,
    passed: usize,
    mut row: impl FnMut(usize, Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    let read = reader.read_to_end(&mut bytes);
    read.map_err(Error::io("read", path))?;
    let values: Vec<Value> = serde_json::from_slice(&bytes).map_err(|error| {
        let line = passed + error.line();
        wrong(path, line, format!("is not valid JSON: {error}"))
    })?;
    for (index, value) in values.into_iter().enumerate() {
        row(index + 1, object(path, index + 1, value)?)?;
    }
    Ok(())
}

fn lines(
    path: &Path,
    mut reader: Box<dyn BufRead>,
    passed: usize,
    row: &mut impl FnMut(usize, Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    for line in passed + 1.. {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes);
        if read.map_err(Error::io("read", path))? == 0 {
            break;
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let at = error.valid_up_to() + 1;
            wrong(path, line, format!("is not valid UTF-8 from byte {at} on"))
        })?;
        if text.trim().is_empty() {
            continue;
        }
        let value = serde_json::from_str(text.trim()).map_err(|error| {
            // serde counts lines within the text, which has one.
            let error = error.to_string().replace(" at line 1 column", " at column");
            wrong(path, line, format!("is not valid JSON: {error}"))
        })?;
        row(line, object(path, line, value)?)?;
    }
    Ok(())
}

fn object(path: &Path, line: usize, value: Value) -> Result<Row, Error> {
    match value {
        Value::Object(row) => Ok(row),
        other => Err(wrong(
            path,
            line,
            format!("a row must be an object, got {}", shown(&other)),
        )),
    }
}

pub(super) fn wrong(path: &Path, line: usize, message: impl Into<String>) -> Error {
    Error::Record {
        path: path.into(),
        line,
        message: message.into(),
    }
}

/// A value for an error message: its JSON, cut short.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
