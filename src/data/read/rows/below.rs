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
}

/// What an object is: a row if its columns are those of one, or if there are no rows below it.
pub(super) fn below(mut object: JsonRow, is_row: &dyn Fn(&JsonRow) -> bool) -> Below {
    let is_list = |value: &Value| match value {
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_object),
        _ => false,
    };
    let lists = object.iter().filter(|(_, value)| is_list(value));
    let lists: Vec<String> = lists.map(|(name, _)| name.clone()).collect();
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
