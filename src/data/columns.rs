//! What the columns of a row say.

use super::example::{BinaryExample, PreferenceExample, Prompt, SftExample};
use super::rows::{Row, shown};
use super::score::ScoredExample;
use super::transcript;
use crate::model::Message;
use serde_json::Value;

/// A row, whichever of the known forms it has.
#[derive(Debug)]
pub(super) enum Parsed {
    Sft(SftExample),
    Binary(BinaryExample),
    Preference(PreferenceExample),
    Scored(ScoredExample),
    /// Not an error of the file, but of no use.
    Dropped(&'static str),
}

pub(super) const EMPTY: &str = "completion is empty";
pub(super) const PROMPTS_DIFFER: &str = "prompts of chosen and rejected differ";

/// What is wrong, for the caller to put the path and line before.
type Wrong = String;

pub(super) fn parse(row: &Row) -> Result<Parsed, Wrong> {
    if row.contains_key("chosen") && row.contains_key("rejected") {
        if row.contains_key("completion") && row.contains_key("label") {
            return Err("is both a pair (chosen, rejected) and a completion with a label".into());
        }
        unweighted(row, "pairs")?;
        return preference(row);
    }
    let (prompt, completion) = if row.contains_key("completion") {
        let (prompt, answer) = (wanted(row, "prompt")?, wanted(row, "completion")?);
        (prompt_of(prompt)?, completion_of(answer, "completion")?)
    } else if let Some(messages) = row.get("messages") {
        let (prompt, completion) = split_last(messages_of(messages, "messages")?, "messages")?;
        (Prompt::Messages(prompt), completion)
    } else {
        return Err(unknown(row));
    };
    if completion.trim().is_empty() {
        return Ok(Parsed::Dropped(EMPTY));
    }
    match row.get("label") {
        None => Ok(match score_of(row)? {
            Some(score) => Parsed::Scored(ScoredExample {
                prompt,
                completion,
                score,
            }),
            None => Parsed::Sft(SftExample { prompt, completion }),
        }),
        Some(label) => Ok(Parsed::Binary(BinaryExample {
            prompt,
            completion,
            desirable: label_of(label)?,
            weight: row.get("weight").map_or(Ok(1.0), weight_of)?,
        })),
    }
}

fn preference(row: &Row) -> Result<Parsed, Wrong> {
    let (chosen, rejected) = (&row["chosen"], &row["rejected"]);
    let prompt = match (row.get("prompt"), row.get("conversations")) {
        (Some(prompt), _) => Some(prompt_of(prompt)?),
        (None, Some(turns)) => Some(Prompt::Messages(messages_of(turns, "conversations")?)),
        (None, None) => None,
    };
    let sides = match (prompt, chosen, rejected) {
        // The whole conversation is on each side.
        (None, Value::String(chosen), Value::String(rejected)) => {
            [("chosen", chosen), ("rejected", rejected)]
                .map(|(name, text)| split_last(transcript::messages(text)?, name))
        }
        (None, Value::Array(_), Value::Array(_)) => [("chosen", chosen), ("rejected", rejected)]
            .map(|(name, value)| split_last(messages_of(value, name)?, name)),
        (None, ..) => {
            return Err(format!(
                "without \"prompt\", \"chosen\" and \"rejected\" must both be transcripts or both lists of messages, got {} and {}",
                shown(chosen),
                shown(rejected)
            ));
        }
        // The conversation is on each side, and the prompt repeats a part of it.
        (Some(Prompt::Text(_)), Value::Array(c), Value::Array(r)) if c.len() > 1 && r.len() > 1 => {
            [("chosen", chosen), ("rejected", rejected)]
                .map(|(name, value)| split_last(messages_of(value, name)?, name))
        }
        (Some(Prompt::Text(_)), Value::Array(_) | Value::Object(_), _)
        | (Some(Prompt::Text(_)), _, Value::Array(_) | Value::Object(_)) => {
            return Err("a \"prompt\" that is a text needs \"chosen\" and \"rejected\" as texts, or both as whole conversations".into());
        }
        (Some(prompt), ..) => {
            let chosen = completion_of(chosen, "chosen")?;
            let rejected = completion_of(rejected, "rejected")?;
            return Ok(pair(prompt, chosen, rejected));
        }
    };
    let [chosen, rejected] = sides;
    let ((prompt, chosen), (other, rejected)) = (chosen?, rejected?);
    if prompt != other {
        return Ok(Parsed::Dropped(PROMPTS_DIFFER));
    }
    Ok(pair(Prompt::Messages(prompt), chosen, rejected))
}

fn pair(prompt: Prompt, chosen: String, rejected: String) -> Parsed {
    if chosen.trim().is_empty() || rejected.trim().is_empty() {
        return Parsed::Dropped(EMPTY);
    }
    Parsed::Preference(PreferenceExample {
        prompt,
        chosen,
        rejected,
    })
}

fn wanted<'a>(row: &'a Row, column: &str) -> Result<&'a Value, Wrong> {
    row.get(column)
        .ok_or_else(|| format!("\"{column}\" is missing; found {}", found(row)))
}

fn unknown(row: &Row) -> Wrong {
    format!(
        "columns must be prompt + completion [+ label], messages [+ label], or [prompt +] chosen + rejected; found {}",
        found(row)
    )
}

fn found(row: &Row) -> String {
    if row.is_empty() {
        return "none".into();
    }
    row.keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// True, false, 1 or 0. Anything else may mean something else.
fn label_of(label: &Value) -> Result<bool, Wrong> {
    match label {
        Value::Bool(label) => Ok(*label),
        Value::Number(n) if n.as_i64() == Some(1) => Ok(true),
        Value::Number(n) if n.as_i64() == Some(0) => Ok(false),
        other => Err(format!(
            "\"label\" must be true or false, got {}",
            shown(other)
        )),
    }
}

/// A score, which makes sense only without a label; `None` where there is none.
fn score_of(row: &Row) -> Result<Option<f64>, Wrong> {
    unweighted(row, "rows without a label")?;
    match row.get("score") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(score)) => Ok(score.as_f64()),
        Some(other) => Err(format!("\"score\" must be a number, got {}", shown(other))),
    }
}

/// Weights are for thumbs; elsewhere they would be lost without a word.
fn unweighted(row: &Row, what: &str) -> Result<(), Wrong> {
    match row.get("weight") {
        Some(weight) if weight.as_f64() != Some(1.0) => Err(format!(
            "\"weight\" is for rows with a label, {what} have none, got {}",
            shown(weight)
        )),
        _ => Ok(()),
    }
}

fn weight_of(weight: &Value) -> Result<f64, Wrong> {
    match weight.as_f64() {
        Some(number) if number >= 0.0 && (number as f32).is_finite() => Ok(number),
        _ => Err(format!(
            "\"weight\" must be a finite number that is not negative, got {}",
            shown(weight)
        )),
    }
}

fn prompt_of(value: &Value) -> Result<Prompt, Wrong> {
    match value {
        Value::String(text) => Ok(Prompt::Text(text.clone())),
        list => Ok(Prompt::Messages(messages_of(list, "prompt")?)),
    }
}

/// A text, a message, or a list of messages of which the last is it.
fn completion_of(value: &Value, column: &str) -> Result<String, Wrong> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Object(_) => Ok(message_of(value, column)?.content),
        list => Ok(split_last(messages_of(list, column)?, column)?.1),
    }
}

fn messages_of(value: &Value, column: &str) -> Result<Vec<Message>, Wrong> {
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

fn message_of(value: &Value, column: &str) -> Result<Message, Wrong> {
    let field = |names: [&str; 2]| names.iter().find_map(|name| value.get(name)?.as_str());
    let (Some(role), Some(content)) = (field(["role", "from"]), field(["content", "value"])) else {
        return Err(format!(
            "a message in \"{column}\" must have a role and a text as content, got {}",
            shown(value)
        ));
    };
    let role = match role {
        "user" | "human" => "user",
        "assistant" | "gpt" => "assistant",
        "system" | "tool" => role,
        other => {
            return Err(format!(
                "a message's role must be system, user, assistant or tool, got \"{other}\""
            ));
        }
    };
    Ok(Message::new(role, content))
}

/// The last message, which must be the assistant's, apart from those before.
fn split_last(mut messages: Vec<Message>, column: &str) -> Result<(Vec<Message>, String), Wrong> {
    match messages.pop() {
        Some(last) if last.role == "assistant" => Ok((messages, last.content)),
        Some(last) => Err(format!(
            "the last message of \"{column}\" must be the assistant's, got role \"{}\"",
            last.role
        )),
        None => Err(format!("\"{column}\" must not be empty")),
    }
}
