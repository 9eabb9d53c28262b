//! Parquet files, a row at a time.

use super::row::{JsonRow, by_row, short, wrong};
use crate::error::Error;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, reader::RowIter};
use parquet::schema::types::Type;
use serde_json::{Map, Number, Value};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Calls `row` with each row and its place, from 1.
pub(super) fn for_each(
    path: &Path,
    mut row: impl FnMut(usize, JsonRow) -> Result<(), Error>,
) -> Result<(), Error> {
    let of_file = |message: String| Error::source(path, short(&message));
    if !is_plain(path).map_err(Error::io("read", path))? {
        let why = "is Parquet that is compressed or comes through a pipe: it must be a plain file, as its index is at the end";
        return Err(of_file(why.into()));
    }
    let file = File::open(path).map_err(Error::io("read", path))?;
    let damaged = |why| of_file(format!("is not a Parquet file that can be read: {why}"));
    let reader = guarded(|| SerializedFileReader::new(file)).map_err(damaged)?;
    check(reader.metadata().file_metadata().schema(), 0).map_err(of_file)?;
    let mut rows = RowIter::from_file_into(Box::new(reader));
    for place in 1.. {
        let next = guarded(|| rows.next().transpose());
        let Some(values) = next.map_err(|why| damaged(format!("row {place}: {why}")))? else {
            break;
        };
        let values = object(values.get_column_iter());
        let values = values.map_err(|message| wrong(path, place, message));
        values
            .and_then(|values| row(place, values))
            .map_err(by_row)?;
    }
    Ok(())
}

/// Parquet is read from its end, so it must be there to be sought in.
fn is_plain(path: &Path) -> io::Result<bool> {
    // A pipe would be waited for, were it opened again.
    if !fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut start = [0; 4];
    let read = File::open(path)?.read(&mut start)?;
    Ok(start[..read] == *b"PAR1")
}

/// Some damaged files make the parquet crate panic, which is as good as an error of its own:
/// what it was at is not used again.
fn guarded<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("it is damaged".into()),
    }
}

/// Levels of a schema: lists have three each, and JSON may have 128. Deeper ones would overflow the
/// stack.
const DEEPEST: usize = 3 * 128;

/// Names come once, as keys of JSON do: of two columns of a name one would be lost without a word.
fn check(schema: &Type, level: usize) -> Result<(), String> {
    if !schema.is_group() {
        return Ok(());
    }
    if level > DEEPEST {
        return Err(format!("its columns are nested deeper than {DEEPEST}"));
    }
    let mut names = HashSet::new();
    for column in schema.get_fields() {
        if !names.insert(column.name()) {
            return Err(format!("column \"{}\" is there twice", column.name()));
        }
        check(column, level + 1)?;
    }
    Ok(())
}

fn object<'a>(fields: impl Iterator<Item = (&'a String, &'a Field)>) -> Result<JsonRow, String> {
    fields
        .map(|(name, field)| Ok((name.clone(), value(name, field)?)))
        .collect()
}

/// A field as JSON; `name` is of the column that it is in.
fn value(name: &str, field: &Field) -> Result<Value, String> {
    let float = |number: f64| match Number::from_f64(number) {
        Some(number) => Ok(Value::Number(number)),
        None => Err(format!("\"{name}\" is {number}")),
    };
    match field {
        Field::Float16(number) => float(f64::from(*number)),
        Field::Float(number) => float(f64::from(*number)),
        Field::Double(number) => float(*number),
        // Texts are often written without saying that they are.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(format!("\"{name}\" is bytes that are not UTF-8")),
        },
        Field::Group(row) => Ok(Value::Object(object(row.get_column_iter())?)),
        Field::ListInternal(list) => {
            let items = list.elements().iter();
            items.map(|item| value(name, item)).collect()
        }
        Field::MapInternal(entries) => {
            let mut map = Map::new();
            for (key, entry) in entries.entries() {
                let key = match value(name, key)? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                if map.contains_key(&key) {
                    return Err(format!("\"{name}\" has the key \"{key}\" twice"));
                }
                map.insert(key, value(name, entry)?);
            }
            Ok(Value::Object(map))
        }
        plain => Ok(plain.to_json_value()),
    }
}
