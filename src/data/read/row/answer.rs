//! What answers a prompt: a text, a message, or messages of which the last is it.

use crate::data::example::Prompt;
use crate::data::read::row::messages::{message_of, messages_of, split_last};
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::rows::{Row, shown};
use crate::model::Message;
use serde_json::Value;

const PROMPTS_DIFFER: &str = "prompts of chosen and rejected differ";
const CALLS: &str = "completion calls a tool";
const REASONS: &str = "completion has reasoning beside its text";

/// An answer, and what was said between the prompt and it.
pub(in crate::data) struct Answer {
    before: Vec<Message>,
    pub(in crate::data) text: String,
}

impl Answer {
    pub(in crate::data) fn of(value: &Value, column: &str) -> Result<Self, Wrong> {
        match value {
            Value::String(text) => Ok(Self {
                before: Vec::new(),
                text: text.clone(),
            }),
            Value::Object(_) => Self::last(vec![message_of(value, column)?], column),
            list => Self::last(messages_of(list, column)?, column),
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
                "a \"prompt\" that is a text needs a text or one message as answer, got {} messages",
                before.len() + 1
            )),
        }
    }
}

/// A pair, if both answer the same.
pub(in crate::data) fn pair(
    prompt: &Prompt,
    chosen: Answer,
    rejected: Answer,
) -> Result<Parsed, Wrong> {
    let (asked, other) = (chosen.prompt(prompt)?, rejected.prompt(prompt)?);
    if asked != other {
        return Ok(Parsed::Dropped(PROMPTS_DIFFER));
    }
    Ok(Parsed::pair(asked, chosen.text, rejected.text))
}

/// Columns whose last message is an answer; in a row with a pair, the first two are what was asked.
const ANSWERS: [&str; 10] = [
    "messages",
    "conversations",
    "completion",
    "chosen",
    "rejected",
    "chosen_messages",
    "rejected_messages",
    "output",
    "output_A",
    "output_B",
];

/// Why an answer of the row is more than the text that it would become, if one is.
pub(in crate::data) fn more_than_text(
    row: &Row,
    is_pair: bool,
) -> Result<Option<&'static str>, Wrong> {
    let columns = &ANSWERS[if is_pair { 2 } else { 0 }..];
    for answer in columns.iter().filter_map(|column| row.get(*column)) {
        let last = answer.as_array().map_or(Some(answer), |list| list.last());
        let Some(Value::Object(last)) = last else {
            continue;
        };
        let calls = last.get("tool_calls").and_then(Value::as_array);
        if calls.is_some_and(|calls| !calls.is_empty()) {
            return Ok(Some(CALLS));
        }
        let reasoning = last.get("reasoning_content").and_then(Value::as_str);
        if reasoning.is_some_and(|text| !text.trim().is_empty()) {
            return Ok(Some(REASONS));
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
