//! Rows of a file: JSON Lines, one JSON array, CSV or Parquet, plain or compressed.

mod below;
mod json;
mod kind;
mod limit;
mod open;
#[cfg(feature = "csv")]
mod record;
mod row;
#[cfg(feature = "csv")]
mod separated;
#[cfg(feature = "parquet")]
mod table;
mod text;
mod wrong_json;

pub(super) use json::{is_empty, parse, without_nulls};
pub(super) use limit::has_long_text;
pub(super) use row::{JsonRow, Known, short, shown, wrong};

use crate::error::Error;
use open::open;
use serde_json::Value;
use std::io::{self, BufRead};
use std::path::Path;
use text::Rows;

/// Calls `row` with each row and its line (its place in an array or a table, from 1). One row is in
/// memory at a time. Hands back the names of what the file has beside its rows and nobody reads.
pub(in crate::data) fn for_each_row(
    path: &Path,
    known: &Known<'_>,
    mut row: impl FnMut(usize, JsonRow) -> Result<(), Error>,
) -> Result<Vec<String>, Error> {
    if path.is_dir() {
        let source = io::Error::new(io::ErrorKind::IsADirectory, "is a folder, not a file");
        return Err(Error::io("read", path)(source));
    }
    let mut reader = open(path)?;
    let begin = reader.fill_buf().map_err(Error::io("read", path))?;
    if let Some(kind) = kind::unread(path, begin) {
        let message = format!(
            "is {kind}, which is not read: write JSON Lines (.jsonl), a JSON array, CSV or Parquet"
        );
        return Err(Error::source(path, message));
    }
    let start = skip_space(reader.as_mut()).map_err(Error::io("read", path))?;
    let mut rows = Rows {
        path,
        known,
        take: &mut row,
        beside: Vec::new(),
    };
    match start.byte {
        None => return Err(Error::source(path, "is empty")),
        Some(b'[') => rows.array(reader, start.lines)?,
        Some(b'{') => rows.lines(reader, start.lines)?,
        Some(b'P') if begins_with(reader.as_mut(), b"PAR1") => table(path, rows.take)?,
        Some(b'v') if begins_with(reader.as_mut(), b"version https://git-lfs") => {
            let what = "is a Git LFS pointer, not the data: run `git lfs pull`";
            return Err(Error::source(path, what));
        }
        Some(_) => match delimiter(path, reader.as_mut(), known.is_row)? {
            Some(delimiter) => separated(path, reader, delimiter, start.lines, rows.take)?,
            None => rows.lines(reader, start.lines)?,
        },
    }
    Ok(rows.beside)
}

#[cfg(feature = "parquet")]
use table::for_each as table;

#[cfg(not(feature = "parquet"))]
fn table(path: &Path, _row: impl FnMut(usize, JsonRow) -> Result<(), Error>) -> Result<(), Error> {
    Err(open::not_built(path, "is a Parquet file", "parquet"))
}

#[cfg(feature = "csv")]
use separated::for_each as separated;

#[cfg(not(feature = "csv"))]
fn separated(
    path: &Path,
    _reader: Box<dyn BufRead>,
    _delimiter: u8,
    _passed: usize,
    _row: impl FnMut(usize, JsonRow) -> Result<(), Error>,
) -> Result<(), Error> {
    Err(open::not_built(path, "is a CSV file", "csv"))
}

/// What a first line says that Excel reads and does not show, as `sep=;`.
fn separator(line: &str) -> Option<u8> {
    match line.as_bytes() {
        [b's', b'e', b'p', b'=', separator] => Some(*separator),
        _ => None,
    }
}

/// What separates the columns of a table that is a text, if it is one: as its first line says, by
/// its ending, or because its first line names columns of a row.
fn delimiter(
    path: &Path,
    reader: &mut dyn BufRead,
    is_row: &dyn Fn(&JsonRow) -> bool,
) -> Result<Option<u8>, Error> {
    let begin = reader.fill_buf().map_err(Error::io("read", path))?;
    let mut lines = begin.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.next().unwrap_or(begin);
    let line = String::from_utf8_lossy(line);
    if let Some(said) = separator(&line) {
        return Ok(Some(said));
    }
    let count = |delimiter: &u8| line.matches(char::from(*delimiter)).count();
    let likely = [b',', b'\t', b';'].into_iter().max_by_key(count);
    let likely = likely.filter(|delimiter| count(delimiter) > 0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    let ends = |ending: &str| name.ends_with(ending) || name.contains(&format!("{ending}."));
    if ends(".tsv") || ends(".tab") {
        return Ok(Some(b'\t'));
    }
    if ends(".csv") {
        let other = if line.contains('|') { b'|' } else { b',' };
        return Ok(Some(likely.unwrap_or(other)));
    }
    let names_columns = |delimiter: &u8| {
        let names = line.trim().split(char::from(*delimiter));
        let name = |name: &str| name.trim().trim_matches('"').to_string();
        let header: JsonRow = names.map(|text| (name(text), Value::Null)).collect();
        is_row(&header)
    };
    Ok(likely.filter(names_columns))
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
