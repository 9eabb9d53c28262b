//! Rows of JSON: lines, one array, or objects over several lines.

use super::below::{Below, below, is_by_columns};
use super::json::{Elements, Strict};
use super::limit::{BEGINNING, LONGEST, limited, too_long_beginning};
use super::row::{JsonRow, Known, by_row, shown, wrong};
use super::wrong_json::not_json;
use crate::error::Error;
use serde::Deserializer as _;
use serde_json::{Deserializer, Value};
use std::io::{BufRead, Read};
use std::path::Path;

/// What takes rows, with a line or a place.
pub(super) struct Rows<'a> {
    pub(super) path: &'a Path,
    pub(super) known: &'a Known<'a>,
    /// Names of what is beside the rows.
    pub(super) beside: Vec<String>,
    pub(super) take: &'a mut dyn FnMut(usize, JsonRow) -> Result<(), Error>,
}

impl Rows<'_> {
    /// The rows of one array; `passed` lines were before it.
    pub(super) fn array(&mut self, reader: impl Read, passed: usize) -> Result<(), Error> {
        let path = self.path;
        let (reader, left) = limited(reader);
        let (mut index, mut refused) = (0, None);
        let mut json = Deserializer::from_reader(reader);
        let read = json.deserialize_seq(Elements(|value| {
            index += 1;
            left.begin();
            let done = object(path, index, value).and_then(|value| (self.take)(index, value));
            refused = done.err().map(by_row);
            refused.is_none()
        }));
        if let Some(error) = refused {
            return Err(error);
        }
        read.and_then(|()| json.end()).map_err(|error| {
            if error.is_io() {
                let too_long = left.too_long(path, index + 1);
                return too_long.unwrap_or_else(|| Error::io("read", path)(error.into()));
            }
            let line = passed + error.line();
            wrong(path, line, not_json(&error, None))
        })
    }

    /// The rows of lines; of objects over several lines, if the first does not end with its line.
    pub(super) fn lines(
        &mut self,
        mut reader: Box<dyn BufRead>,
        passed: usize,
    ) -> Result<(), Error> {
        let path = self.path;
        let (mut bytes, mut is_first) = (Vec::new(), true);
        let mut only = None;
        for line in passed + 1.. {
            bytes.clear();
            let mut limited = reader.as_mut().take(LONGEST as u64 + 1);
            let read = limited.read_until(b'\n', &mut bytes);
            if read.map_err(Error::io("read", path))? == 0 {
                break;
            }
            if bytes.len() > LONGEST {
                return Err(wrong(path, line, too_long_beginning(&bytes)));
            }
            let text = std::str::from_utf8(&bytes).map_err(|error| {
                let at = error.valid_up_to() + 1;
                wrong(path, line, format!("is not valid UTF-8 from byte {at} on"))
            })?;
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            if let Some((line, first)) = only.take() {
                self.row(line, first)?;
            }
            match serde_json::from_str(text) {
                Ok(Strict(value)) => {
                    let object = object(path, line, value)?;
                    match is_first {
                        true => only = Some((line, object)),
                        false => self.row(line, object)?,
                    }
                }
                Err(error) if is_first && error.is_eof() && text.starts_with('{') => {
                    let all = std::io::Cursor::new(std::mem::take(&mut bytes)).chain(reader);
                    return self.objects(all, line - 1);
                }
                Err(_) if is_first && is_words(text) => {
                    let message = format!(
                        "is not JSON, nor a table whose first line names columns that are read \
                         (.csv, .tsv); it begins with {}",
                        shown(&text.into())
                    );
                    return Err(wrong(path, line, message));
                }
                Err(error) => return Err(wrong(path, line, not_json(&error, Some(text)))),
            }
            is_first = false;
        }
        only.map_or(Ok(()), |(line, object)| self.only(line, object))
    }

    /// Objects one behind the other, over any number of lines.
    fn objects(&mut self, mut reader: impl Read, passed: usize) -> Result<(), Error> {
        let path = self.path;
        let mut begin = Vec::new();
        let read = reader.by_ref().take(BEGINNING).read_to_end(&mut begin);
        read.map_err(Error::io("read", path))?;
        let too_long = too_long_beginning(&begin);
        let (reader, left) = limited(std::io::Cursor::new(begin).chain(reader));
        let (mut index, mut only) = (0, None);
        for value in Deserializer::from_reader(reader).into_iter::<Strict>() {
            index += 1;
            if let Some(first) = only.take() {
                self.row(1, first).map_err(by_row)?;
            }
            match value {
                Ok(Strict(value)) => {
                    left.begin();
                    let object = object(path, index, value).map_err(by_row)?;
                    match index {
                        1 => only = Some(object),
                        _ => self.row(index, object).map_err(by_row)?,
                    }
                }
                Err(error) if error.is_io() => {
                    return Err(match left.is_spent() {
                        true => by_row(wrong(path, index, too_long)),
                        false => Error::io("read", path)(error.into()),
                    });
                }
                Err(error) => {
                    let line = passed + error.line();
                    return Err(wrong(path, line, not_json(&error, None)));
                }
            }
        }
        only.map_or(Ok(()), |object| self.only(1, object).map_err(by_row))
    }

    /// A row among others: a list of objects in it is its own.
    fn row(&mut self, place: usize, row: JsonRow) -> Result<(), Error> {
        if is_by_columns(&row) {
            return Err(wrong(
                self.path,
                place,
                "is a table by columns, where rows are needed: write it by rows, in pandas with \
                 orient=\"records\", lines=True",
            ));
        }
        (self.take)(place, row)
    }

    /// The one object of a file: a row, or an object with the rows below it.
    fn only(&mut self, place: usize, object: JsonRow) -> Result<(), Error> {
        let below = below(object, self.known);
        match below.map_err(|message| wrong(self.path, place, message))? {
            Err(row) => self.row(place, row),
            Ok(Below { rows, beside }) => {
                self.beside = beside;
                for (i, value) in rows.into_iter().enumerate() {
                    let row = self::object(self.path, i + 1, value);
                    row.and_then(|row| (self.take)(i + 1, row))
                        .map_err(by_row)?;
                }
                Ok(())
            }
        }
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

/// Whether a line begins as nothing of JSON does.
fn is_words(line: &str) -> bool {
    let start: String = line.chars().take_while(|c| c.is_alphabetic()).collect();
    let json = ["true", "false", "null", "NaN", "Infinity"];
    start.len() > 1 && !json.contains(&start.as_str())
}
