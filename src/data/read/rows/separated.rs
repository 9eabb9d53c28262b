//! Tables as text: a line of names, then a row a record, with commas, tabs or semicolons between.

use super::limit::{Left, limited};
use super::row::{JsonRow, wrong};
use crate::error::Error;
use csv::{ByteRecord, ErrorKind, ReaderBuilder};
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead, Read};
use std::path::Path;

/// Calls `row` with each record and its line; cells are texts, empty ones null. `passed` lines were
/// before the names.
pub(super) fn for_each(
    path: &Path,
    reader: Box<dyn BufRead>,
    delimiter: u8,
    passed: usize,
    mut row: impl FnMut(usize, JsonRow) -> Result<(), Error>,
) -> Result<(), Error> {
    let (reader, left) = limited(reader);
    let mut table = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(reader);
    let mut record = ByteRecord::new();
    if !next(path, &mut table, &mut record, &left, passed)? {
        return Err(Error::source(path, "is empty"));
    }
    let names = names(path, &record, passed + 1)?;
    // The line of a record whose last field has several.
    let mut open = None;
    while next(path, &mut table, &mut record, &left, passed)? {
        let line = record.position().map_or(0, |at| at.line() as usize) + passed;
        let last = record.iter().next_back().unwrap_or_default();
        open = last.contains(&b'\n').then_some(line);
        let cells = record.iter().zip(&names).map(|(bytes, name)| {
            let text = text(path, line, bytes)?;
            let value = match text {
                "" => Value::Null,
                text => text.into(),
            };
            Ok((name.clone(), value))
        });
        row(line, cells.collect::<Result<JsonRow, Error>>()?)?;
    }
    match open.filter(|_| left.last() != b'"') {
        Some(line) => Err(wrong(path, line, "has a quote that is not closed")),
        None => Ok(()),
    }
}

/// Reads the next record, if there is one.
fn next<R: Read>(
    path: &Path,
    table: &mut csv::Reader<R>,
    record: &mut ByteRecord,
    left: &Left,
    passed: usize,
) -> Result<bool, Error> {
    left.begin();
    let line = table.position().line() as usize + passed;
    table.read_byte_record(record).map_err(|error| {
        if let Some(too_long) = left.too_long(path, line) {
            return match too_long {
                Error::Row { message, .. } => {
                    wrong(path, line, format!("{message}: is a quote not closed?"))
                }
                other => other,
            };
        }
        match error.into_kind() {
            ErrorKind::Io(source) => Error::io("read", path)(source),
            ErrorKind::UnequalLengths {
                pos,
                expected_len,
                len,
            } => {
                let line = pos.map_or(line, |at| at.line() as usize + passed);
                let message = format!(
                    "has {len} fields, where the first line names {expected_len} columns: a field \
                     with the separator, a quote or a line end in it stands in quotes"
                );
                wrong(path, line, message)
            }
            other => wrong(path, line, format!("is not CSV: {other:?}")),
        }
    })
}

/// The names of the columns, each once. One without a name has its number: an index that was
/// written along.
fn names(path: &Path, record: &ByteRecord, line: usize) -> Result<Vec<String>, Error> {
    let mut seen = HashSet::new();
    let name = |(i, bytes): (usize, &[u8])| {
        let name = text(path, line, bytes)?.trim();
        let name = match name {
            "" => format!("column {}", i + 1),
            name => name.to_string(),
        };
        if !seen.insert(name.clone()) {
            return Err(wrong(
                path,
                line,
                format!("column \"{name}\" is there twice"),
            ));
        }
        Ok(name)
    };
    record.iter().enumerate().map(name).collect()
}

fn text<'b>(path: &Path, line: usize, bytes: &'b [u8]) -> Result<&'b str, Error> {
    std::str::from_utf8(bytes)
        .map_err(|_| wrong(path, line, "is not valid UTF-8: save the table as UTF-8"))
}
