//! A row, and what is wrong with it.

use crate::error::Error;
use serde_json::{Map, Value};
use std::path::Path;

/// A line, an element of an array, or a row of a table: columns by name, values as JSON has them.
pub(in crate::data) type JsonRow = Map<String, Value>;

/// What is known of rows where files are read.
pub(in crate::data) struct Known<'a> {
    /// Whether an object's columns are those of a row.
    pub(in crate::data) is_row: &'a dyn Fn(&JsonRow) -> bool,
    /// Whether a name is of a column that some row has.
    pub(in crate::data) is_column: &'a dyn Fn(&str) -> bool,
}

/// Says row rather than line: arrays and tables have no lines.
pub(super) fn by_row(error: Error) -> Error {
    match error {
        Error::Record {
            path,
            line: row,
            message,
        } => Error::Row { path, row, message },
        other => other,
    }
}

/// An error with its line.
pub(in crate::data) fn wrong(path: &Path, line: usize, message: impl AsRef<str>) -> Error {
    Error::Record {
        path: path.into(),
        line,
        message: short(message.as_ref()),
    }
}

/// Characters of a message: what it quotes may be as long as the row.
const LONGEST_MESSAGE: usize = 400;

/// A message on one line, cut short, whatever it quotes.
pub(in crate::data) fn short(message: &str) -> String {
    let escaped = |c: char| match is_unseen(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    let mut characters = message.chars();
    let mut short: String = characters
        .by_ref()
        .take(LONGEST_MESSAGE)
        .map(escaped)
        .collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

/// Whether a character is not seen but changes what is: control characters, and those that turn
/// the direction of a text or stand for nothing.
fn is_unseen(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    c.is_control() || is_format
}

/// A value for an error message: its JSON, cut short.
pub(in crate::data) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
