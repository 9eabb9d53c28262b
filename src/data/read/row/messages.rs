//! Messages as data sets write them.

use crate::data::example::not_learned;
use crate::data::read::row::parsed::Wrong;
use crate::data::read::row::weight::{self, is_context};
use crate::data::read::row::written;
use crate::data::read::rows::{is_empty, parse, shown, without_nulls};
use crate::data::reason::DropReason;
use crate::model::{Message, WEIGHT};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What a template may ask of a message besides its role, text and calls.
const KEPT: [&str; 3] = ["tool_call_id", "name", REASONING];

/// What the assistant thinks before it says something, and its other names.
const REASONING: &str = "reasoning_content";
const THOUGHTS: [&str; 2] = ["reasoning", "thinking"];

/// Keys that are read in other ways.
const READ: [&str; 9] = [
    "role",
    "from",
    "speaker",
    "content",
    "value",
    "text",
    "parts",
    "tool_calls",
    "function_call",
];

/// Who speaks, as data sets call them, in small letters.
const ROLES: [(&str, &[&str]); 4] = [
    ("system", &["system", "developer", "context"]),
    (
        "user",
        &["user", "human", "prompter", "customer", "instruction"],
    ),
    (
        "assistant",
        &[
            "assistant",
            "gpt",
            "bot",
            "chatbot",
            "model",
            "ai",
            "chatgpt",
            "bard",
            "claude",
            "llm",
            "agent",
        ],
    ),
    (
        "tool",
        &[
            "tool",
            "observation",
            "observations",
            "function",
            "ipython",
            "function_response",
            "tool_response",
            "tool_result",
            "function_result",
        ],
    ),
];

/// A turn of the assistant that is nothing but a call, as ShareGPT's kin has it.
const CALLS: [&str; 3] = ["function_call", "tool_call", "function-call"];

pub(in crate::data) fn messages_of(value: &Value, column: &str) -> Result<Vec<Message>, Wrong> {
    let messages = match value {
        Value::Array(messages) => messages,
        Value::Null => return Err(DropReason::EmptyConversation.into()),
        // One message.
        Value::Object(_) => return Ok(vec![message_of(value, column)?]),
        _ => {
            return Err(format!(
                "\"{column}\" must be a text or a list of messages, got {}",
                shown(value)
            )
            .into());
        }
    };
    if messages.is_empty() {
        return Err(DropReason::EmptyConversation.into());
    }
    messages.iter().map(|m| message_of(m, column)).collect()
}

fn message_of(value: &Value, column: &str) -> Result<Message, Wrong> {
    let strange = || -> Wrong {
        format!(
            "a message in \"{column}\" must have a role and a text as content, got {}",
            shown(value)
        )
        .into()
    };
    let calls = calls_of(value)?;
    let role = given(value, &["role", "from", "speaker"]).and_then(Value::as_str);
    let contents = ["content", "value", "text", "parts"];
    let content = match given(value, &contents) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => text_of(parts)?,
        Some(part @ Value::Object(_)) => text_of(std::slice::from_ref(part))?,
        // An assistant that calls a tool need not say anything.
        None if calls.is_some() => String::new(),
        None if contents.iter().any(|name| value.get(*name).is_some()) => {
            return Err(Wrong::useless(DropReason::NotText, value));
        }
        _ => return Err(strange()),
    };
    let role = role.ok_or_else(strange)?;
    let (name, content, calls) = match role_of(role) {
        Some(name) => (name, content, calls),
        None if CALLS.contains(&role.to_lowercase().as_str()) => {
            let calls = calls_in(&content);
            let unknown = || Wrong::useless(DropReason::UnknownRole, &json!(role));
            ("assistant", String::new(), Some(calls.ok_or_else(unknown)?))
        }
        None => return Err(Wrong::useless(DropReason::UnknownRole, &json!(role))),
    };
    let mut message = Message::new(name, content);
    let kept = KEPT.iter().map(|key| (*key, given(value, &[key])));
    let thought = given(value, &THOUGHTS).filter(|thought| thought.is_string());
    for (key, kept) in [(REASONING, thought), ("tool_calls", calls.as_ref())]
        .into_iter()
        .chain(kept)
    {
        match kept {
            None => {}
            Some(Value::Array(none)) if none.is_empty() => {}
            Some(kept) => {
                message.extra.insert(key.into(), without_nulls(kept));
            }
        }
    }
    if name == "assistant" && is_context(value)? {
        message.extra.insert(WEIGHT.into(), 0.into());
    }
    Ok(message)
}

/// What a message has under the first of these names that is not null.
fn given<'v>(message: &'v Value, names: &[&str]) -> Option<&'v Value> {
    let mut found = names.iter().filter_map(|name| message.get(*name));
    found.find(|value| !value.is_null())
}

/// The calls of a message: a list, that as text, or one call, as it was written before there were
/// several.
fn calls_of(message: &Value) -> Result<Option<Value>, Wrong> {
    let calls = match given(message, &["tool_calls"]) {
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => match written::list(text, "tool_calls")? {
            Some(list @ Value::Array(_)) => Some(list),
            _ if text.trim() == "null" => None,
            _ => {
                let got = shown(&json!(text));
                return Err(
                    format!("\"tool_calls\" of a message must be a list, got {got}").into(),
                );
            }
        },
        other => other.cloned(),
    };
    let is_none = |calls: &Value| calls.as_array().is_some_and(Vec::is_empty);
    Ok(calls.filter(|calls| !is_none(calls)).or_else(|| {
        let one = message.get("function_call").filter(|call| call.is_object());
        one.map(|call| json!([{"type": "function", "function": call}]))
    }))
}

/// Keys with something in them that nobody reads, of what is a list of messages.
pub(in crate::data) fn unread_keys(value: &Value) -> BTreeSet<&str> {
    let messages = match value {
        Value::Array(messages) => messages.as_slice(),
        one => std::slice::from_ref(one),
    };
    let has = |message: &Value, names: &[&str]| given(message, names).is_some();
    let messages = messages
        .iter()
        .filter(|m| has(m, &["role", "from"]) && has(m, &["content", "value", "parts"]))
        .filter_map(Value::as_object);
    let keys = messages.flatten().filter(|(key, value)| {
        let key = key.as_str();
        let is_read = READ.contains(&key)
            || KEPT.contains(&key)
            || THOUGHTS.contains(&key) && value.is_string()
            || weight::is_read(key);
        !is_read && !is_empty(value)
    });
    keys.map(|(key, _)| key.as_str()).collect()
}

/// Whether a value is what somebody answers: messages of known roles, or the assistant's one.
pub(in crate::data) fn is_answer(value: &Value) -> bool {
    let role = |message: &Value| {
        let role = given(message, &["role", "from", "speaker"])?.as_str()?;
        let is_call = CALLS.contains(&role.to_lowercase().as_str());
        role_of(role).or(is_call.then_some("assistant"))
    };
    match value {
        Value::Array(messages) => messages.iter().all(|message| role(message).is_some()),
        one => role(one) == Some("assistant"),
    }
}

/// The role of this name, in whichever letters.
fn role_of(name: &str) -> Option<&'static str> {
    let name = name.trim().to_lowercase();
    let named = |(_, names): &&(&str, &[&str])| names.contains(&name.as_str());
    ROLES.iter().find(named).map(|(role, _)| *role)
}

/// The calls that a turn of a role for calls writes as JSON.
fn calls_in(content: &str) -> Option<Value> {
    let written = parse(content).ok()?;
    let calls = match written {
        Value::Array(calls) => calls,
        one => vec![one],
    };
    let call = |call: Value| {
        call.get("name")?.as_str()?;
        Some(json!({"type": "function", "function": call}))
    };
    calls.into_iter().map(call).collect()
}

/// The texts of a content in parts, one after the other.
fn text_of(parts: &[Value]) -> Result<String, Wrong> {
    let text = |part: &Value| {
        let text = part
            .as_str()
            .or(part["text"].as_str())
            .or(part["value"].as_str());
        match (part["type"].as_str(), text) {
            (Some("text" | "input_text" | "output_text") | None, Some(text)) => {
                Ok(text.to_string())
            }
            _ if part.is_null() => Ok(String::new()),
            _ => Err(Wrong::useless(DropReason::NotText, part)),
        }
    };
    parts.iter().map(text).collect()
}

/// The last message, which must be the assistant's, apart from those before.
pub(in crate::data) fn split_last(
    mut messages: Vec<Message>,
) -> Result<(Vec<Message>, String), Wrong> {
    let Some(last) = messages.pop() else {
        return Err(DropReason::EmptyConversation.into());
    };
    if last.role != "assistant" {
        return Err(Wrong::useless(DropReason::NotAnswered, &json!(last.role)));
    }
    match not_learned(&last) {
        Some(reason) => Err(reason.into()),
        None => Ok((messages, last.content)),
    }
}

/// The messages up to the last that is an answer to be learned from, if there is one.
pub(in crate::data) fn up_to_answer(messages: &mut Vec<Message>) {
    let is_none = |last: &Message| last.role != "assistant" || not_learned(last).is_some();
    while messages.last().is_some_and(is_none) {
        messages.pop();
    }
}

/// What the system says: a text, or parts of one.
pub(in crate::data) fn system_of(value: &Value) -> Result<Option<String>, Wrong> {
    match value {
        Value::String(text) => Ok(Some(text.clone())),
        Value::Array(parts) => text_of(parts).map(Some),
        Value::Object(object) => text_in(object),
        _ => Ok(None),
    }
}

fn text_in(object: &Map<String, Value>) -> Result<Option<String>, Wrong> {
    let names = ["parts", "content", "text"];
    let mut given = names.iter().filter_map(|name| object.get(*name));
    match given.find(|value| !value.is_null()) {
        Some(Value::Array(parts)) => text_of(parts).map(Some),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        _ => Ok(None),
    }
}
