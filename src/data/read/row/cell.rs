//! A column of a row, and the checks of what is in it.

use crate::data::example::Prompt;
use crate::data::read::row::messages::{is_answer, messages_of};
use crate::data::read::row::parsed::Wrong;
use crate::data::read::row::written;
use crate::data::read::rows::{JsonRow, is_empty, shown};
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;
use std::borrow::Cow;

/// What a row has in a column. Each check says in its error which column it was.
#[derive(Clone, Copy, Debug)]
pub(in crate::data) struct Cell<'r> {
    pub(in crate::data) column: &'r str,
    pub(in crate::data) value: &'r Value,
}

impl<'r> Cell<'r> {
    /// The cell, where the row has the column, be it null.
    pub(in crate::data) fn of(row: &'r JsonRow, column: &str) -> Option<Self> {
        let (column, value) = row.get_key_value(column)?;
        Some(Self { column, value })
    }

    /// Whether there is something in it.
    pub(in crate::data) fn is_given(self) -> bool {
        !self.value.is_null()
    }

    /// Whether there is something in it that is not empty.
    pub(in crate::data) fn is_filled(self) -> bool {
        !is_empty(self.value)
    }

    /// A text.
    pub(in crate::data) fn text(self) -> Result<&'r str, Wrong> {
        let text = self.value.as_str();
        text.ok_or_else(|| self.must_be("a text"))
    }

    /// True or false, or 1 or 0; also as tables write them, as `1.0` and as text. Anything else may
    /// mean something else.
    pub(in crate::data) fn thumb(self) -> Result<bool, Wrong> {
        let text = self.value.as_str().map(|text| text.trim().to_lowercase());
        match (self.value, self.as_number(), text.as_deref()) {
            (Value::Null, ..) => Err(DropReason::NoLabel.into()),
            (Value::Bool(thumb), ..) => Ok(*thumb),
            (_, Some(1.0), _) | (_, _, Some("true")) => Ok(true),
            (_, Some(0.0), _) | (_, _, Some("false")) => Ok(false),
            _ => Err(self.must_be("true or false")),
        }
    }

    /// A number, or a text that is one, as tables have it.
    pub(in crate::data) fn number(self) -> Result<f64, Wrong> {
        let number = self.as_number();
        number.ok_or_else(|| self.must_be("a number"))
    }

    /// The number that it is, if it is a finite one.
    pub(in crate::data) fn as_number(self) -> Option<f64> {
        let number = match self.value {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_f64(),
        };
        number.filter(|number: &f64| number.is_finite())
    }

    /// A text that is continued as it stands, or messages.
    pub(in crate::data) fn prompt(self) -> Result<Prompt, Wrong> {
        match self.read()?.as_ref() {
            Value::Null => Err(DropReason::EmptyPrompt.into()),
            Value::String(text) => Ok(Prompt::Text(text.clone())),
            value => Ok(Prompt::Messages(messages_of(value, self.column)?)),
        }
    }

    /// Messages, one at least.
    pub(in crate::data) fn messages(self) -> Result<Vec<Message>, Wrong> {
        messages_of(self.read()?.as_ref(), self.column)
    }

    /// The value; what a text writes as a list of messages is that list.
    pub(in crate::data) fn read(self) -> Result<Cow<'r, Value>, Wrong> {
        match self.value {
            Value::String(text) => Ok(match written::messages(text, self.column)? {
                Some(list) => Cow::Owned(list),
                None => Cow::Borrowed(self.value),
            }),
            value => Ok(Cow::Borrowed(value)),
        }
    }

    /// The value of an answer; what a text writes as a list of messages is that list where it is a
    /// conversation. Other texts may be like it: people ask for code and for JSON.
    pub(in crate::data) fn answer(self) -> Result<Cow<'r, Value>, Wrong> {
        match (self.value, self.read()) {
            (text @ Value::String(_), Ok(read)) if !read.is_string() && !is_answer(&read) => {
                Ok(Cow::Borrowed(text))
            }
            (text @ Value::String(_), Err(Wrong::Error(_))) => {
                Err(Wrong::useless(DropReason::PrintedList, text))
            }
            (_, read) => read,
        }
    }

    /// What is wrong with it.
    pub(in crate::data) fn must_be(self, what: &str) -> Wrong {
        let (column, got) = (self.column, shown(self.value));
        format!("\"{column}\" must be {what}, got {got}").into()
    }
}
