//! Tables as text: a line of names, then a row a record, with commas, tabs or semicolons between.

use super::record::{Cell, Record, Records};
use super::row::{JsonRow, wrong};
use crate::error::Error;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// What tables write where there is nothing: of Python, of databases and of R. In quotes it is a
/// text.
const NULLS: [&[u8]; 9] = [
    b"None", b"null", b"NULL", b"NaN", b"nan", b"N/A", b"NA", b"<NA>", b"\\N",
];

/// Calls `row` with each record and its line; cells are texts, empty ones and [`NULLS`] null.
/// `passed` lines were before the names.
pub(super) fn for_each(
    path: &Path,
    reader: Box<dyn BufRead>,
    delimiter: u8,
    passed: usize,
    mut row: impl FnMut(usize, JsonRow) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut records = Records::new(path, BufReader::new(reader), delimiter, passed);
    let mut header = records.next()?;
    if header.as_ref().is_some_and(says_separator) {
        header = records.next()?;
    }
    let header = header.ok_or_else(|| Error::source(path, "is empty"))?;
    let names = names(path, &header)?;
    while let Some(Record { line, cells }) = records.next()? {
        if cells.len() != names.len() {
            let message = format!(
                "has {} fields, where the first line names {} columns: a field with the separator, \
                 a quote or a line end in it stands in quotes",
                cells.len(),
                names.len()
            );
            return Err(wrong(path, line, message));
        }
        let cells = cells.into_iter().zip(&names).map(|(cell, name)| {
            let is_null = cell.bytes.is_empty() || !cell.quoted && NULLS.contains(&&cell.bytes[..]);
            let value = match is_null {
                true => Value::Null,
                false => text(path, line, cell.bytes)?.into(),
            };
            Ok((name.clone(), value))
        });
        row(line, cells.collect::<Result<JsonRow, Error>>()?)?;
    }
    Ok(())
}

/// Whether a record is a line `sep=;`, cut at what it names.
fn says_separator(record: &Record) -> bool {
    matches!(&record.cells[..], [said, rest] if said.bytes == b"sep=" && rest.bytes.is_empty())
}

/// The names of the columns, each once. One without a name has its number: an index that was
/// written along.
fn names(path: &Path, header: &Record) -> Result<Vec<String>, Error> {
    let mut seen = HashSet::new();
    let name = |(i, cell): (usize, &Cell)| {
        let name = text(path, header.line, cell.bytes.clone())?;
        let name = match name.trim() {
            "" => format!("column {}", i + 1),
            name => name.to_string(),
        };
        if !seen.insert(name.clone()) {
            let message = format!("column \"{name}\" is there twice");
            return Err(wrong(path, header.line, message));
        }
        Ok(name)
    };
    header.cells.iter().enumerate().map(name).collect()
}

fn text(path: &Path, line: usize, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes)
        .map_err(|_| wrong(path, line, "is not valid UTF-8: save the table as UTF-8"))
}
