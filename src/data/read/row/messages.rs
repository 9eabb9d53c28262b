//! Messages as data sets write them.

use crate::data::read::row::parsed::Wrong;
use crate::data::read::row::weight::is_context;
use crate::data::read::rows::{parse, shown, without_nulls};
use crate::data::reason::DropReason;
use crate::model::{Message, WEIGHT};
use serde_json::{Map, Value, json};

/// What a template may ask of a message besides its role and text.
const KEPT: [&str; 4] = ["tool_calls", "tool_call_id", "name", "reasoning_content"];

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
    let field = |names: [&str; 3]| names.iter().find_map(|name| value.get(*name));
    let calls = value["tool_calls"].as_array();
    let role = field(["role", "from", "speaker"]).and_then(Value::as_str);
    let content = match field(["content", "value", "text"]).or(value.get("parts")) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => text_of(parts)?,
        // An assistant that calls a tool need not say anything.
        Some(Value::Null) | None if calls.is_some_and(|calls| !calls.is_empty()) => String::new(),
        Some(part @ Value::Object(_)) => text_of(std::slice::from_ref(part))?,
        Some(Value::Null) => return Err(Wrong::useless(DropReason::NotText, value)),
        _ => return Err(strange()),
    };
    let role = role.ok_or_else(strange)?;
    let (name, content, calls) = match role_of(role) {
        Some(name) => (name, content, None),
        None if CALLS.contains(&role.to_lowercase().as_str()) => {
            let calls = calls_in(&content);
            let unknown = || Wrong::useless(DropReason::UnknownRole, &json!(role));
            ("assistant", String::new(), Some(calls.ok_or_else(unknown)?))
        }
        None => return Err(Wrong::useless(DropReason::UnknownRole, &json!(role))),
    };
    let mut message = Message::new(name, content);
    let kept = KEPT.iter().map(|key| (*key, value.get(*key)));
    for (key, kept) in kept.chain([("tool_calls", calls.as_ref())]) {
        match kept {
            None | Some(Value::Null) => {}
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
    if last.extra.contains_key("tool_calls") {
        return Err(DropReason::CallsTool.into());
    }
    let reasoning = last.extra.get("reasoning_content").and_then(Value::as_str);
    if reasoning.is_some_and(|text| !text.trim().is_empty()) {
        return Err(DropReason::HasReasoning.into());
    }
    if last.extra.contains_key(WEIGHT) {
        return Err(DropReason::ContextOnly.into());
    }
    Ok((messages, last.content))
}

/// The messages up to the last that is an answer to be learned from, if there is one.
pub(in crate::data) fn up_to_answer(messages: &mut Vec<Message>) {
    while messages.last().is_some_and(|last| {
        last.role != "assistant"
            || last.extra.contains_key(WEIGHT)
            || last.extra.contains_key("tool_calls")
    }) {
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
    match (
        object.get("parts"),
        object.get("content").or(object.get("text")),
    ) {
        (Some(Value::Array(parts)), _) => text_of(parts).map(Some),
        (_, Some(Value::String(text))) => Ok(Some(text.clone())),
        _ => Ok(None),
    }
}
