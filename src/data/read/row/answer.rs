//! What answers a prompt: a text, a message, or messages of which the last is it.

use crate::data::example::Prompt;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::messages::{messages_of, split_last};
use crate::data::read::row::overlap::joined;
use crate::data::read::row::parsed::Wrong;
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;

/// An answer, and what was said between the prompt and it.
pub(in crate::data) struct Answer {
    before: Vec<Message>,
    pub(in crate::data) text: String,
    /// It is what somebody says in a conversation, not the rest of a text.
    is_said: bool,
}

impl Answer {
    /// A text, a message, or messages of which the last is the answer.
    pub(in crate::data) fn of(cell: Cell<'_>) -> Result<Self, Wrong> {
        match cell.answer()?.as_ref() {
            Value::Null => Err(DropReason::EmptyCompletion.into()),
            Value::String(text) => Ok(Self {
                before: Vec::new(),
                text: text.clone(),
                is_said: false,
            }),
            value => Self::last(messages_of(value, cell.column)?),
        }
    }

    /// The last message, behind those before.
    pub(in crate::data) fn last(messages: Vec<Message>) -> Result<Self, Wrong> {
        let (before, text) = split_last(messages)?;
        Ok(Self {
            before,
            text,
            is_said: true,
        })
    }

    /// The prompt with what was said after it. An answer may also be the whole conversation, which
    /// has the prompt in it; and the prompt may end with the answer, or with the `other` of a pair.
    pub(in crate::data) fn prompt(
        &self,
        prompt: &Prompt,
        other: Option<&Self>,
    ) -> Result<Prompt, Wrong> {
        let asked = match prompt {
            Prompt::Text(_) if !self.is_said => return Ok(prompt.clone()),
            Prompt::Text(none) if none.trim().is_empty() && !self.before.is_empty() => Vec::new(),
            Prompt::Text(asked) => vec![Message::new("user", asked.as_str())],
            Prompt::Messages(asked) => asked.clone(),
        };
        let is_answer = |text: &str| {
            let sides = [Some(self), other];
            let mut sides = sides.into_iter().flatten();
            sides.any(|side| side.text.trim() == text.trim())
        };
        joined(asked, &self.before, &is_answer).map(Prompt::Messages)
    }
}
