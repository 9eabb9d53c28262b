//! Rows that stand in a list below an object, as `{"version": 1, "data": [..]}`.

use super::row::JsonRow;
use serde_json::Value;

/// What an object is.
pub(super) enum Below {
    /// A row.
    Row(JsonRow),
    /// Rows in the one list that it has.
    Rows(Vec<Value>),
    /// Several such lists: their names.
    Several(String),
    /// A table written by its columns.
    Columns,
}

/// What an object is: a row if its columns are those of one, or if there are no rows below it.
pub(super) fn below(mut object: JsonRow, is_row: &dyn Fn(&JsonRow) -> bool) -> Below {
    let is_list = |value: &Value| match value {
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_object),
        _ => false,
    };
    let lists = object.iter().filter(|(_, value)| is_list(value));
    let lists: Vec<String> = lists.map(|(name, _)| name.clone()).collect();
    if is_by_columns(&object) {
        return Below::Columns;
    }
    if lists.is_empty() || is_row(&object) {
        return Below::Row(object);
    }
    // Lists of something else are no rows.
    let of_rows = lists.iter().filter(|name| {
        let first = object[name.as_str()].get(0).and_then(Value::as_object);
        first.is_some_and(is_row)
    });
    let of_rows: Vec<String> = of_rows.cloned().collect();
    match &of_rows[..] {
        [] => Below::Row(object),
        [name] => match object.remove(name) {
            Some(Value::Array(rows)) => Below::Rows(rows),
            _ => Below::Row(object),
        },
        names => Below::Several(names.join(", ")),
    }
}

/// Whether an object is a whole table: in each of its columns a list of texts and numbers, all of
/// one length, or an object with the numbers of the rows as keys.
fn is_by_columns(object: &JsonRow) -> bool {
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
