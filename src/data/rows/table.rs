//! Parquet files, a row at a time.

use super::{Row, object, wrong};
use crate::error::Error;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::path::Path;

/// Calls `row` with each row and its place, from 1.
pub(super) fn for_each(
    path: &Path,
    mut row: impl FnMut(usize, Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let damaged = |error: parquet::errors::ParquetError| Error::Dataset {
        message: format!(
            "{}: is not a Parquet file that can be read: {}",
            path.display(),
            error.to_string().replace('\n', " ")
        ),
    };
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let rows = reader.get_row_iter(None).map_err(damaged)?;
    for (index, values) in rows.enumerate() {
        let line = index + 1;
        let values = values.map_err(|error| wrong(path, line, error.to_string()))?;
        row(line, object(path, line, values.to_json_value())?)?;
    }
    Ok(())
}
