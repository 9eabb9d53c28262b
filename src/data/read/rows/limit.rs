//! How long a row may be.

use super::row::{by_row, wrong};
use crate::error::Error;
use serde_json::Value;
use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

/// Bytes of a row. One that is longer is no feedback, and a file without an end of a row would fill
/// the memory.
pub(super) const LONGEST: usize = 64 << 20;

/// Bytes of a text of a row; a longer one makes its row useless. A tokenizer takes forty times as
/// much memory as the text that it cuts.
const LONGEST_TEXT: usize = 16 << 20;

/// Whether each text of a value is short enough.
pub(in crate::data) fn has_long_text(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > LONGEST_TEXT,
        Value::Array(items) => items.iter().any(has_long_text),
        Value::Object(object) => object.values().any(has_long_text),
        _ => false,
    }
}

/// What is left of a row that is read now; whoever has a row begins the next.
#[derive(Clone)]
pub(super) struct Left {
    bytes: Rc<Cell<usize>>,
}

impl Left {
    pub(super) fn begin(&self) {
        self.bytes.set(LONGEST);
    }

    /// Whether a row was too long.
    pub(super) fn is_spent(&self) -> bool {
        self.bytes.get() == 0
    }

    /// The error of a row that was too long, if that is why reading failed.
    pub(super) fn too_long(&self, path: &Path, row: usize) -> Option<Error> {
        self.is_spent()
            .then(|| by_row(wrong(path, row, too_long())))
    }
}

/// What to say of a row that is too long.
pub(super) fn too_long() -> String {
    format!("is longer than {} MiB", LONGEST >> 20)
}

/// What to say of what is too long and begins so: a list may be that of all rows.
pub(super) fn too_long_beginning(bytes: &[u8]) -> String {
    let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(BEGINNING as usize)]);
    let text: String = begin.chars().filter(|c| !c.is_whitespace()).collect();
    let what = too_long();
    match text.contains("\":[{") {
        true => format!(
            "{what}: if it has rows in a list below it, write them one a line (JSON Lines), or as \
             the list alone"
        ),
        false => what,
    }
}

/// Bytes of an object in which the list of its rows begins.
pub(super) const BEGINNING: u64 = 4096;

/// A reader of one row after another, each within the limit.
pub(super) fn limited<R: Read>(reader: R) -> (BufReader<Limited<R>>, Left) {
    let left = Left {
        bytes: Rc::new(Cell::new(LONGEST)),
    };
    let limited = Limited {
        reader,
        left: left.clone(),
    };
    (BufReader::new(limited), left)
}

/// See [`limited`].
pub(super) struct Limited<R> {
    reader: R,
    left: Left,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.bytes.get();
        let most = buffer.len().min(left);
        let read = self.reader.read(&mut buffer[..most])?;
        self.left.bytes.set(left - read);
        if read == 0 && most < buffer.len() && left == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, too_long()));
        }
        Ok(read)
    }
}
