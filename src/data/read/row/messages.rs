//! Messages as data sets write them.

use crate::data::read::row::parsed::Wrong;
use crate::data::read::rows::shown;
use crate::model::Message;
pub(in crate::data) use crate::model::TOOLS;
use serde_json::Value;

/// What a template may ask of a message besides its role and text.
const KEPT: [&str; 4] = ["tool_calls", "tool_call_id", "name", "reasoning_content"];

pub(in crate::data) fn messages_of(value: &Value, column: &str) -> Result<Vec<Message>, Wrong> {
    let Value::Array(messages) = value else {
        return Err(format!(
            "\"{column}\" must be a text or a list of messages, got {}",
            shown(value)
        ));
    };
    if messages.is_empty() {
        return Err(format!("\"{column}\" must not be an empty list"));
    }
    messages.iter().map(|m| message_of(m, column)).collect()
}

pub(in crate::data) fn message_of(value: &Value, column: &str) -> Result<Message, Wrong> {
    let field = |names: [&str; 2]| names.iter().find_map(|name| value.get(name));
    let role = field(["role", "from"]).and_then(Value::as_str);
    let content = match field(["content", "value"]) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(parts)) => Some(text_of(parts, column)?),
        // An assistant that calls a tool need not say anything.
        Some(Value::Null) | None if value["tool_calls"].is_array() => Some(String::new()),
        _ => None,
    };
    let (Some(role), Some(content)) = (role, content) else {
        return Err(format!(
            "a message in \"{column}\" must have a role and a text as content, got {}",
            shown(value)
        ));
    };
    let role = match role {
        "user" | "human" => "user",
        "assistant" | "gpt" => "assistant",
        "tool" | "observation" => "tool",
        "system" => role,
        other => {
            return Err(format!(
                "a message's role must be system, user, assistant or tool, got \"{other}\""
            ));
        }
    };
    let mut message = Message::new(role, content);
    for key in KEPT {
        match value.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Array(none)) if none.is_empty() => {}
            Some(kept) => {
                message.extra.insert(key.into(), kept.clone());
            }
        }
    }
    Ok(message)
}

/// The texts of a content in parts, one after the other.
fn text_of(parts: &[Value], column: &str) -> Result<String, Wrong> {
    let text = |part: &Value| {
        let text = part["text"].as_str().or(part["value"].as_str());
        match (part["type"].as_str(), text) {
            (Some("text") | None, Some(text)) => Ok(text.to_string()),
            _ => Err(format!(
                "a content in parts in \"{column}\" must be texts, got {}",
                shown(part)
            )),
        }
    };
    parts.iter().map(text).collect()
}

/// The last message, which must be the assistant's, apart from those before.
pub(in crate::data) fn split_last(
    mut messages: Vec<Message>,
    column: &str,
) -> Result<(Vec<Message>, String), Wrong> {
    match messages.pop() {
        Some(last) if last.role != "assistant" => Err(format!(
            "the last message of \"{column}\" must be the assistant's, got role \"{}\"",
            last.role
        )),
        Some(last) if last.extra.contains_key("tool_calls") => Err(format!(
            "the last message of \"{column}\" calls a tool: completions must be texts"
        )),
        Some(last) => Ok((messages, last.content)),
        None => Err(format!("\"{column}\" must not be empty")),
    }
}
