//! Rows that stand in a list below the one object of a file, as `{"version": 1, "data": [..]}`.

use super::row::{JsonRow, Known, shown};
use serde_json::Value;

/// Rows below an object, and the names of what else it has.
pub(super) struct Below {
    pub(super) rows: Vec<Value>,
    pub(super) beside: Vec<String>,
}

/// What an object is that is alone in its file: `Err` with itself where it is a row, or where there
/// are no rows below it.
///
/// # Errors
///
/// Where it has several such lists, or something that rows need beside them: in each row it would
/// be read, and without a word it must not be lost.
pub(super) fn below(
    mut object: JsonRow,
    known: &Known<'_>,
) -> Result<Result<Below, JsonRow>, String> {
    if (known.is_row)(&object) {
        return Ok(Err(object));
    }
    // Lists of something else are no rows.
    let lists = object
        .iter()
        .filter(|(_, value)| has_rows(value, known.is_row));
    let lists: Vec<String> = lists.map(|(name, _)| name.clone()).collect();
    let [list] = &lists[..] else {
        return match lists.is_empty() {
            true => Ok(Err(object)),
            false => {
                let names = lists.join(", ");
                Err(format!(
                    "has lists of rows below {names}: leave the one that is to be read"
                ))
            }
        };
    };
    let rows = object.remove(list);
    let beside = object.iter().filter(|(_, value)| !value.is_null());
    let beside: Vec<String> = beside.map(|(name, _)| name.clone()).collect();
    if let Some(needed) = beside.iter().find(|name| (known.is_column)(name)) {
        return Err(format!(
            "has rows below \"{list}\", and beside them \"{needed}\", which belongs into each of \
             them: write it there, or leave it out"
        ));
    }
    let Some(Value::Array(rows)) = rows else {
        return Ok(Err(object));
    };
    let rows = rows.into_iter().map(out_of_viewer);
    Ok(Ok(Below {
        rows: rows.collect::<Result<_, _>>()?,
        beside,
    }))
}

fn has_rows(value: &Value, is_row: &dyn Fn(&JsonRow) -> bool) -> bool {
    let Value::Array(items) = value else {
        return false;
    };
    let first = items.first().and_then(Value::as_object);
    let first = first.map(|first| viewed(first).unwrap_or(first));
    items.iter().all(Value::is_object) && first.is_some_and(is_row)
}

/// The row that the Hub's viewer of data sets writes in an object of its own.
fn viewed(object: &JsonRow) -> Option<&JsonRow> {
    let row = object.get("row").and_then(Value::as_object)?;
    object.contains_key("row_idx").then_some(row)
}

/// A row, also of the viewer, which cuts long cells off.
fn out_of_viewer(value: Value) -> Result<Value, String> {
    let Some(row) = value.as_object().and_then(viewed) else {
        return Ok(value);
    };
    let cut = value.get("truncated_cells").and_then(Value::as_array);
    match cut.and_then(|cut| cut.first()) {
        Some(cut) => Err(format!(
            "is of the Hub's viewer, which cut {} off: read the data set itself, hf://owner/name",
            shown(cut)
        )),
        None => Ok(Value::Object(row.clone())),
    }
}

/// Whether an object is a whole table: in each of its columns a list of texts and numbers, all of
/// one length, or an object with the numbers of the rows as keys; or, as pandas' orient="split",
/// the names of columns beside lists of cells.
pub(super) fn is_by_columns(object: &JsonRow) -> bool {
    let list = |name: &str| object.get(name).and_then(Value::as_array);
    if let (Some(names), Some(rows)) = (list("columns"), list("data")) {
        let own = |key: &String| matches!(key.as_str(), "columns" | "index" | "data");
        return object.keys().all(own)
            && names.iter().all(Value::is_string)
            && rows.iter().all(Value::is_array);
    }
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    let lists = object.values().map(|value| match value {
        Value::Array(items) if items.iter().all(is_plain) => Some(items.len()),
        Value::Object(items) => {
            let mut keys = items.keys().enumerate();
            keys.all(|(i, key)| *key == i.to_string())
                .then_some(items.len())
        }
        _ => None,
    });
    let lengths: Option<Vec<usize>> = lists.collect();
    lengths.is_some_and(|lengths| {
        let first = lengths.first().copied().unwrap_or_default();
        lengths.len() > 1 && first > 0 && lengths.iter().all(|length| *length == first)
    })
}
