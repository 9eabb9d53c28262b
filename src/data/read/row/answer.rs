//! What answers a prompt: a text, a message, or messages of which the last is it.

use crate::data::example::Prompt;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::messages::{message_of, split_last};
use crate::data::read::row::parsed::Wrong;
use crate::data::read::rows::{JsonRow, shown};
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;

/// An answer, and what was said between the prompt and it.
pub(in crate::data) struct Answer {
    before: Vec<Message>,
    pub(in crate::data) text: String,
}

impl Answer {
    /// A text, a message, or messages of which the last is the answer.
    pub(in crate::data) fn of(cell: Cell<'_>) -> Result<Self, Wrong> {
        let column = cell.column;
        match cell.value {
            Value::String(text) => Ok(Self {
                before: Vec::new(),
                text: text.clone(),
            }),
            value @ Value::Object(_) => Self::last(vec![message_of(value, column)?], column),
            _ => Self::last(cell.messages()?, column),
        }
    }

    /// The last message, behind those before.
    pub(in crate::data) fn last(messages: Vec<Message>, column: &str) -> Result<Self, Wrong> {
        let (before, text) = split_last(messages, column)?;
        Ok(Self { before, text })
    }

    /// The prompt with what was said after it. An answer may also be the whole conversation, which
    /// begins with the prompt.
    pub(in crate::data) fn prompt(&self, prompt: &Prompt) -> Result<Prompt, Wrong> {
        let before = &self.before;
        match prompt {
            prompt if before.is_empty() => Ok(prompt.clone()),
            Prompt::Messages(asked) if before.starts_with(asked) => Ok(before.clone().into()),
            Prompt::Messages(asked) => Ok([asked.as_slice(), before].concat().into()),
            Prompt::Text(_) => Err(format!(
                "a \"prompt\" that is a text needs a text or one message as answer, \
                 got {} messages",
                before.len() + 1
            )),
        }
    }
}

/// Columns that hold a whole conversation.
const CONVERSATIONS: [&str; 2] = ["messages", "conversations"];

/// Why an answer of the row, which is in one of these columns, is more than the text that it would
/// become, if one is. A conversation `is_asked` where the answers stand beside it.
pub(in crate::data) fn more_than_text(
    row: &JsonRow,
    answers: &[&str],
    is_asked: bool,
) -> Result<Option<DropReason>, Wrong> {
    let others = answers
        .iter()
        .filter(|column| !CONVERSATIONS.contains(column));
    let conversations = CONVERSATIONS.iter().filter(|_| !is_asked);
    for answer in conversations
        .chain(others)
        .filter_map(|column| row.get(*column))
    {
        let last = answer.as_array().map_or(Some(answer), |list| list.last());
        let Some(Value::Object(last)) = last else {
            continue;
        };
        let calls = last.get("tool_calls").and_then(Value::as_array);
        if calls.is_some_and(|calls| !calls.is_empty()) {
            return Ok(Some(DropReason::CallsTool));
        }
        let reasoning = last.get("reasoning_content").and_then(Value::as_str);
        if reasoning.is_some_and(|text| !text.trim().is_empty()) {
            return Ok(Some(DropReason::HasReasoning));
        }
        match last.get("loss_weight") {
            None | Some(Value::Null) => {}
            Some(weight) if weight.as_f64() == Some(1.0) => {}
            Some(weight) => {
                return Err(format!(
                    "\"loss_weight\" of an answer must be 1, got {}",
                    shown(weight)
                ));
            }
        }
    }
    Ok(None)
}
