//! A column of a row, and the checks of what is in it.

use crate::data::example::Prompt;
use crate::data::read::row::messages::messages_of;
use crate::data::read::row::parsed::Wrong;
use crate::data::read::rows::{JsonRow, shown};
use crate::model::Message;
use serde_json::Value;

/// What a row has in a column. Each check says in its error which column it was.
#[derive(Clone, Copy, Debug)]
pub(in crate::data) struct Cell<'r> {
    pub(in crate::data) column: &'static str,
    pub(in crate::data) value: &'r Value,
}

impl<'r> Cell<'r> {
    /// The cell, where the row has the column, be it null.
    pub(in crate::data) fn of(row: &'r JsonRow, column: &'static str) -> Option<Self> {
        row.get(column).map(|value| Self { column, value })
    }

    /// The cell, where null is as good as absent.
    pub(in crate::data) fn given(row: &'r JsonRow, column: &'static str) -> Option<Self> {
        Self::of(row, column).filter(|cell| !cell.value.is_null())
    }

    /// A text.
    pub(in crate::data) fn text(self) -> Result<&'r str, Wrong> {
        let text = self.value.as_str();
        text.ok_or_else(|| self.must_be("a text"))
    }

    /// True, false, 1 or 0. Anything else may mean something else.
    pub(in crate::data) fn thumb(self) -> Result<bool, Wrong> {
        match self.value {
            Value::Bool(thumb) => Ok(*thumb),
            Value::Number(n) if n.as_i64() == Some(1) => Ok(true),
            Value::Number(n) if n.as_i64() == Some(0) => Ok(false),
            _ => Err(self.must_be("true or false")),
        }
    }

    /// A number.
    pub(in crate::data) fn number(self) -> Result<f64, Wrong> {
        let number = self.value.as_f64();
        number.ok_or_else(|| self.must_be("a number"))
    }

    /// A text that is continued as it stands, or messages.
    pub(in crate::data) fn prompt(self) -> Result<Prompt, Wrong> {
        match self.value {
            Value::String(text) => Ok(Prompt::Text(text.clone())),
            _ => Ok(Prompt::Messages(self.messages()?)),
        }
    }

    /// Messages, one at least.
    pub(in crate::data) fn messages(self) -> Result<Vec<Message>, Wrong> {
        messages_of(self.value, self.column)
    }

    /// What is wrong with it.
    pub(in crate::data) fn must_be(self, what: &str) -> Wrong {
        let (column, got) = (self.column, shown(self.value));
        format!("\"{column}\" must be {what}, got {got}")
    }
}
