//! Records of a table that is a text. Readers of CSV take a quote that is not doubled as it comes,
//! and do not tell what stood in quotes; here the one is an error and the other decides what is
//! null.

use super::limit::{LONGEST, too_long};
use super::row::wrong;
use crate::error::Error;
use std::io::{BufRead, Bytes};
use std::path::Path;

/// A record and the line that it begins at.
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) cells: Vec<Cell>,
}

/// A field without its quotes.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) bytes: Vec<u8>,
    pub(super) quoted: bool,
}

/// Where in a field a byte stands.
#[derive(Clone, Copy)]
enum Place {
    Start,
    Bare,
    Quoted,
    /// Behind a quote in quotes: its field's end, or the first of two that stand for one.
    Closed,
}

/// Reads one record after another. Lines end with `\n`, `\r\n` or `\r`; empty ones are passed by.
pub(super) struct Records<'a, R> {
    path: &'a Path,
    bytes: Bytes<R>,
    delimiter: u8,
    /// The line of the next byte.
    line: usize,
    last: u8,
}

impl<'a, R: BufRead> Records<'a, R> {
    /// Reads from behind `passed` lines.
    pub(super) fn new(path: &'a Path, reader: R, delimiter: u8, passed: usize) -> Self {
        Self {
            path,
            bytes: reader.bytes(),
            delimiter,
            line: passed + 1,
            last: 0,
        }
    }

    /// The next record, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Record>, Error> {
        let mut byte = self.byte()?;
        while let Some(b'\r' | b'\n') = byte {
            byte = self.byte()?;
        }
        if byte.is_none() {
            return Ok(None);
        }
        let (line, mut length) = (self.line, 0);
        let (mut cells, mut cell, mut place) = (Vec::new(), Cell::default(), Place::Start);
        loop {
            match (place, byte) {
                (Place::Quoted, None) => {
                    return Err(wrong(self.path, line, "has a quote that is not closed"));
                }
                (Place::Quoted, Some(b'"')) => place = Place::Closed,
                (Place::Closed, Some(b'"')) => {
                    cell.bytes.push(b'"');
                    place = Place::Quoted;
                }
                (Place::Quoted, Some(byte)) => cell.bytes.push(byte),
                (_, None | Some(b'\r' | b'\n')) => {
                    cells.push(cell);
                    return Ok(Some(Record { line, cells }));
                }
                (_, Some(byte)) if byte == self.delimiter => {
                    cells.push(std::mem::take(&mut cell));
                    // A row of nothing but separators takes memory too.
                    length += size_of::<Cell>();
                    place = Place::Start;
                }
                (Place::Closed, Some(_)) => {
                    return Err(wrong(self.path, line, stray(&cell)));
                }
                (Place::Start, Some(b'"')) => {
                    cell.quoted = true;
                    place = Place::Quoted;
                }
                (_, Some(byte)) => {
                    cell.bytes.push(byte);
                    place = Place::Bare;
                }
            }
            length += 1;
            if length > LONGEST {
                let message = format!("{}: is a quote not closed?", too_long());
                return Err(wrong(self.path, line, message));
            }
            byte = self.byte()?;
        }
    }

    fn byte(&mut self) -> Result<Option<u8>, Error> {
        let byte = self.bytes.next().transpose();
        let byte = byte.map_err(Error::io("read", self.path))?;
        // A line ends before its next byte.
        let is_end = self.last == b'\n' || self.last == b'\r' && byte != Some(b'\n');
        self.line += usize::from(is_end);
        self.last = byte.unwrap_or_default();
        Ok(byte)
    }
}

/// What is wrong with a field that goes on behind its quotes.
fn stray(cell: &Cell) -> String {
    let doubled = "a quote in a field in quotes is written twice, \"\"";
    let what = "has a quote in a field in quotes with neither a separator nor a line end behind it";
    match cell.bytes.contains(&b'\\') {
        true => format!(
            "{what}: quotes seem to be escaped with a backslash, \\\", which CSV does not have: \
             {doubled}: in Spark with option(\"escape\", \"\\\"\"), in pandas with doublequote=True"
        ),
        false => format!("{what}: {doubled}"),
    }
}
