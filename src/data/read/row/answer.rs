//! What answers a prompt: a text, a message, or messages of which the last is it.

use crate::data::example::Prompt;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::messages::{messages_of, split_last};
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
        match cell.read()?.as_ref() {
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
    /// begins with the prompt; of a text, has it somewhere.
    pub(in crate::data) fn prompt(&self, prompt: &Prompt) -> Result<Prompt, Wrong> {
        let before = &self.before;
        match prompt {
            Prompt::Text(_) if !self.is_said => Ok(prompt.clone()),
            Prompt::Text(asked) => self.after(asked),
            Prompt::Messages(asked) if before.starts_with(asked) => Ok(before.clone().into()),
            Prompt::Messages(asked) => Ok([asked.as_slice(), before].concat().into()),
        }
    }

    /// A text that a user says, and what was said after it.
    fn after(&self, asked: &str) -> Result<Prompt, Wrong> {
        let before = &self.before;
        let repeats = |message: &Message| message.content.trim() == asked.trim();
        if before.iter().any(repeats) {
            return Ok(before.clone().into());
        }
        // It goes on where the assistant does; another's words are another conversation.
        match before.iter().find(|message| message.role != "system") {
            Some(first) if first.role != "assistant" => {
                Err(DropReason::PromptNotInConversation.into())
            }
            _ => {
                let (system, turns): (Vec<_>, Vec<_>) =
                    before.iter().cloned().partition(|m| m.role == "system");
                let asked = vec![Message::new("user", asked)];
                Ok([system, asked, turns].concat().into())
            }
        }
    }
}
