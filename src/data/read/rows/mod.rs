//! Rows of a file: JSON Lines, one JSON array or Parquet, plain or compressed.

mod json;
mod open;
mod row;
#[cfg(feature = "parquet")]
mod table;

pub(super) use row::{JsonRow, shown, wrong};

use crate::error::Error;
use json::{Elements, Strict};
use open::open;
use row::by_row;
use serde::Deserializer;
use serde_json::Value;
use std::io::{self, BufRead, Read};
use std::path::Path;

/// Bytes of a line of JSON Lines. A row longer than that is no feedback, and a file without line
/// ends would fill the memory.
const LONGEST: usize = 256 << 20;

/// Calls `row` with each row and its line (its place in an array or a table, from 1). One row is in
/// memory at a time.
pub(in crate::data) fn for_each_row(
    path: &Path,
    mut row: impl FnMut(usize, JsonRow) -> Result<(), Error>,
) -> Result<(), Error> {
    if path.is_dir() {
        let source = io::Error::new(io::ErrorKind::IsADirectory, "is a folder, not a file");
        return Err(Error::io("read", path)(source));
    }
    let mut reader = open(path)?;
    let start = skip_space(reader.as_mut()).map_err(Error::io("read", path))?;
    match start.byte {
        None => Err(Error::source(path, "is empty")),
        Some(b'[') => array(path, reader, start.lines, row),
        Some(b'P') if begins_with(reader.as_mut(), b"PAR1") => table(path, row),
        Some(b'v') if begins_with(reader.as_mut(), b"version https://git-lfs") => {
            let what = "is a Git LFS pointer, not the data: run `git lfs pull`";
            Err(Error::source(path, what))
        }
        Some(_) => lines(path, reader, start.lines, &mut row),
    }
}

#[cfg(feature = "parquet")]
use table::for_each as table;

#[cfg(not(feature = "parquet"))]
fn table(path: &Path, _row: impl FnMut(usize, JsonRow) -> Result<(), Error>) -> Result<(), Error> {
    Err(open::not_built(path, "is a Parquet file", "parquet"))
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

fn begins_with(reader: &mut dyn BufRead, start: &[u8]) -> bool {
    reader
        .fill_buf()
        .is_ok_and(|buffer| buffer.starts_with(start))
}

fn array(
    path: &Path,
    reader: Box<dyn BufRead>,
    passed: usize,
    mut row: impl FnMut(usize, JsonRow) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut index, mut refused) = (0, None);
    let mut json = serde_json::Deserializer::from_reader(reader);
    let read = json.deserialize_seq(Elements(|value| {
        index += 1;
        let done = object(path, index, value).and_then(|value| row(index, value));
        refused = done.err().map(by_row);
        refused.is_none()
    }));
    if let Some(error) = refused {
        return Err(error);
    }
    read.and_then(|()| json.end()).map_err(|error| {
        if error.is_io() {
            return Error::io("read", path)(error.into());
        }
        let line = passed + error.line();
        wrong(path, line, not_json(&error))
    })
}

fn lines(
    path: &Path,
    mut reader: Box<dyn BufRead>,
    passed: usize,
    row: &mut impl FnMut(usize, JsonRow) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    for line in passed + 1.. {
        bytes.clear();
        let mut limited = reader.as_mut().take(LONGEST as u64 + 1);
        let read = limited.read_until(b'\n', &mut bytes);
        if read.map_err(Error::io("read", path))? == 0 {
            break;
        }
        if bytes.len() > LONGEST {
            let most = LONGEST >> 20;
            return Err(wrong(path, line, format!("is longer than {most} MiB")));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let at = error.valid_up_to() + 1;
            wrong(path, line, format!("is not valid UTF-8 from byte {at} on"))
        })?;
        if text.trim().is_empty() {
            continue;
        }
        let Strict(value) = serde_json::from_str(text.trim())
            .map_err(|error| wrong(path, line, not_json(&error)))?;
        row(line, object(path, line, value)?)?;
    }
    Ok(())
}

/// What serde says, less its own count of lines, which begins where the text does.
fn not_json(error: &serde_json::Error) -> String {
    let (line, column, text) = (error.line(), error.column(), error.to_string());
    match text.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(what) => format!("is not valid JSON: {what} at column {column}"),
        None => format!("is not valid JSON: {text}"),
    }
}

fn object(path: &Path, line: usize, value: Value) -> Result<JsonRow, Error> {
    match value {
        Value::Object(row) => Ok(row),
        other => Err(wrong(
            path,
            line,
            format!("a row must be an object, got {}", shown(&other)),
        )),
    }
}
