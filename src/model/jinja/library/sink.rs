//! Texts that are written at the template's expense.

use minijinja::{Error, ErrorKind, State};

/// Lists and mappings within each other that are looked into: Python has a bound of its own.
pub(super) const DEEPEST: usize = 500;

/// A refusal.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Charges for so many bytes.
pub(super) fn charge(state: &State, bytes: usize) -> Result<(), Error> {
    state.consume_fuel(1 + bytes as u64 / 64)
}

/// Whether values are nested so deep that nothing goes into them.
pub(super) fn deeper(depth: usize) -> Result<usize, Error> {
    if depth >= DEEPEST {
        return Err(refused(format!(
            "a value is nested more than {DEEPEST} deep"
        )));
    }
    Ok(depth + 1)
}

/// A text that grows as far as the fuel goes.
pub(super) struct Sink<'s, 'a, 'b> {
    state: &'s State<'a, 'b>,
    pub(super) text: String,
}

impl<'s, 'a, 'b> Sink<'s, 'a, 'b> {
    pub(super) fn new(state: &'s State<'a, 'b>) -> Self {
        Self {
            state,
            text: String::new(),
        }
    }

    /// For work beyond what is written.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Error> {
        charge(self.state, bytes)
    }

    pub(super) fn push(&mut self, part: &str) -> Result<(), Error> {
        charge(self.state, part.len())?;
        self.text += part;
        Ok(())
    }

    pub(super) fn repeat(&mut self, part: &str, times: usize) -> Result<(), Error> {
        charge(self.state, part.len().saturating_mul(times))?;
        self.text.extend(std::iter::repeat_n(part, times));
        Ok(())
    }
}
