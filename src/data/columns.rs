//! What the columns of a row say.

use super::example::{BinaryExample, PreferenceExample, Prompt, SftExample};
use super::format::{Parsed, Wrong};
use super::messages::{TOOLS, message_of, messages_of, split_last};
use super::rows::{Row, shown};
use super::score::ScoredExample;
use super::transcript;
use crate::model::Message;
use serde_json::Value;

pub(super) const EMPTY: &str = "completion is empty";
pub(super) const PROMPTS_DIFFER: &str = "prompts of chosen and rejected differ";
pub(super) const NO_PROMPT: &str = "prompt is empty";
const CALLS: &str = "completion calls a tool";

/// Texts or messages in columns named after what they are.
pub(super) fn parse(row: &Row) -> Result<Parsed, Wrong> {
    with_tools(row, texts_or_messages)
}

/// A conversation in `conversations`, as ShareGPT and those after it have it.
pub(super) fn conversation(row: &Row) -> Result<Parsed, Wrong> {
    with_tools(row, turns_and_answer)
}

fn texts_or_messages(row: &Row) -> Result<Parsed, Wrong> {
    if is_pair(row) {
        return preference(row);
    }
    let (prompt, completion) = if row.contains_key("completion") {
        let (prompt, answer) = (wanted(row, "prompt")?, wanted(row, "completion")?);
        (prompt_of(prompt)?, completion_of(answer, "completion")?)
    } else {
        let messages = messages_of(wanted(row, "messages")?, "messages")?;
        let (prompt, completion) = split_last(messages, "messages")?;
        (Prompt::Messages(prompt), completion)
    };
    labelled(row, prompt, completion)
}

fn turns_and_answer(row: &Row) -> Result<Parsed, Wrong> {
    if is_pair(row) {
        return preference(row);
    }
    let (prompt, completion) = split_last(turns(row, &row["conversations"])?, "conversations")?;
    labelled(row, Prompt::Messages(prompt), completion)
}

/// An instruction and its input, as Alpaca and those after it have them.
pub(super) fn instruction(row: &Row) -> Result<Parsed, Wrong> {
    let mut asked = text(row, "instruction")?.to_string();
    match row.get("input") {
        None | Some(Value::Null) => {}
        Some(Value::String(input)) if input.is_empty() => {}
        Some(Value::String(input)) => {
            asked.push('\n');
            asked += input;
        }
        Some(other) => return Err(format!("\"input\" must be a text, got {}", shown(other))),
    }
    if asked.trim().is_empty() {
        return Ok(Parsed::Dropped(NO_PROMPT));
    }
    let mut messages = system(row)?;
    messages.push(Message::new("user", asked));
    labelled(
        row,
        Prompt::Messages(messages),
        text(row, "output")?.to_string(),
    )
}

/// What a row says, with the tools that it offers at the beginning of its conversation. What is answered must be a text, and not a call.
fn with_tools(row: &Row, parse: fn(&Row) -> Result<Parsed, Wrong>) -> Result<Parsed, Wrong> {
    let calls = |answer: &Value| {
        let last = answer.as_array().map_or(Some(answer), |list| list.last());
        let calls = last.and_then(|last| last.get("tool_calls"));
        calls
            .and_then(Value::as_array)
            .is_some_and(|c| !c.is_empty())
    };
    let answers = row
        .iter()
        .filter(|(column, _)| ANSWERS.contains(&column.as_str()));
    if answers.into_iter().any(|(_, answer)| calls(answer)) {
        return Ok(Parsed::Dropped(CALLS));
    }
    let mut parsed = parse(row)?;
    let tools = tools_of(row)?;
    if let (Some(tools), Some(Prompt::Messages(messages))) = (tools, parsed.prompt_mut()) {
        let first = messages.first_mut();
        let first = first.ok_or("\"tools\" need a message before the answer, got none")?;
        first.extra.insert(TOOLS.into(), tools);
    }
    Ok(parsed)
}

/// Columns whose last message is an answer.
const ANSWERS: [&str; 7] = [
    "messages",
    "completion",
    "chosen",
    "rejected",
    "chosen_messages",
    "rejected_messages",
    "conversations",
];

/// A list of what can be called, or the same as text, as tables have it.
fn tools_of(row: &Row) -> Result<Option<Value>, Wrong> {
    let wrong = |value: &Value| format!("\"tools\" must be a list, got {}", shown(value));
    let tools = match row.get("tools") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(text @ Value::String(json)) => serde_json::from_str(json).map_err(|_| wrong(text))?,
        Some(value) => value.clone(),
    };
    match &tools {
        Value::Array(list) if list.is_empty() => Ok(None),
        Value::Array(_) => Ok(Some(tools)),
        Value::Null => Ok(None),
        other => Err(wrong(other)),
    }
}

fn is_pair(row: &Row) -> bool {
    let both = |a, b| row.contains_key(a) && row.contains_key(b);
    both("chosen", "rejected") || both("chosen_messages", "rejected_messages")
}

/// A thumb, a score or a demonstration, by the columns besides.
fn labelled(row: &Row, prompt: Prompt, completion: String) -> Result<Parsed, Wrong> {
    if completion.trim().is_empty() {
        return Ok(Parsed::Dropped(EMPTY));
    }
    match row.get("label").or(row.get("kto_tag")) {
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
    if row.contains_key("completion") && row.contains_key("label") {
        return Err("is both a pair (chosen, rejected) and a completion with a label".into());
    }
    unweighted(row, "pairs")?;
    if let (Some(chosen), Some(rejected)) =
        (row.get("chosen_messages"), row.get("rejected_messages"))
    {
        return whole(
            messages_of(chosen, "chosen_messages")?,
            messages_of(rejected, "rejected_messages")?,
        );
    }
    let (chosen, rejected) = (&row["chosen"], &row["rejected"]);
    let prompt = match (row.get("prompt"), row.get("conversations")) {
        (Some(prompt), _) => prompt_of(prompt)?,
        (None, Some(conversation)) => Prompt::Messages(turns(row, conversation)?),
        (None, None) => {
            return match (chosen, rejected) {
                (Value::String(chosen), Value::String(rejected)) => whole(
                    transcript::messages(chosen)?,
                    transcript::messages(rejected)?,
                ),
                (Value::Array(_), Value::Array(_)) => whole(
                    messages_of(chosen, "chosen")?,
                    messages_of(rejected, "rejected")?,
                ),
                _ => Err(format!(
                    "without \"prompt\", \"chosen\" and \"rejected\" must both be transcripts or both lists of messages, got {} and {}",
                    shown(chosen),
                    shown(rejected)
                )),
            };
        }
    };
    match (&prompt, chosen, rejected) {
        // The conversation is on each side, and the prompt repeats a part of it.
        (Prompt::Text(_), Value::Array(c), Value::Array(r)) if c.len() > 1 && r.len() > 1 => whole(
            messages_of(chosen, "chosen")?,
            messages_of(rejected, "rejected")?,
        ),
        (Prompt::Text(_), Value::Array(_) | Value::Object(_), _)
        | (Prompt::Text(_), _, Value::Array(_) | Value::Object(_)) => {
            Err("a \"prompt\" that is a text needs \"chosen\" and \"rejected\" as texts, or both as whole conversations".into())
        }
        _ => {
            let chosen = completion_of(chosen, "chosen")?;
            Ok(pair(prompt, chosen, completion_of(rejected, "rejected")?))
        }
    }
}

/// A pair of whole conversations, which must begin alike.
fn whole(chosen: Vec<Message>, rejected: Vec<Message>) -> Result<Parsed, Wrong> {
    let (prompt, chosen) = split_last(chosen, "chosen")?;
    let (other, rejected) = split_last(rejected, "rejected")?;
    if prompt != other {
        return Ok(Parsed::Dropped(PROMPTS_DIFFER));
    }
    Ok(pair(Prompt::Messages(prompt), chosen, rejected))
}

/// What was said, after what `system` says.
fn turns(row: &Row, conversation: &Value) -> Result<Vec<Message>, Wrong> {
    let mut turns = system(row)?;
    turns.extend(messages_of(conversation, "conversations")?);
    Ok(turns)
}

fn system(row: &Row) -> Result<Vec<Message>, Wrong> {
    match row.get("system") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Message::new("system", text.as_str())]),
        Some(other) => Err(format!("\"system\" must be a text, got {}", shown(other))),
    }
}

/// The text in a column.
pub(super) fn text<'a>(row: &'a Row, column: &str) -> Result<&'a str, Wrong> {
    let value = wanted(row, column)?;
    value
        .as_str()
        .ok_or_else(|| format!("\"{column}\" must be a text, got {}", shown(value)))
}

pub(super) fn pair(prompt: Prompt, chosen: String, rejected: String) -> Parsed {
    if chosen.trim().is_empty() || rejected.trim().is_empty() {
        return Parsed::Dropped(EMPTY);
    }
    Parsed::Preference(PreferenceExample {
        prompt,
        chosen,
        rejected,
    })
}

pub(super) fn wanted<'a>(row: &'a Row, column: &str) -> Result<&'a Value, Wrong> {
    row.get(column)
        .ok_or_else(|| format!("\"{column}\" is missing; found {}", found(row)))
}

pub(super) fn unknown(row: &Row) -> Wrong {
    format!(
        "columns must be prompt + completion [+ label], messages [+ label], [prompt +] chosen + rejected, or those of a data set that is known (see Format); found {}",
        found(row)
    )
}

pub(super) fn found(row: &Row) -> String {
    if row.is_empty() {
        return "none".into();
    }
    row.keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// True, false, 1 or 0. Anything else may mean something else.
pub(super) fn label_of(label: &Value) -> Result<bool, Wrong> {
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

pub(super) fn prompt_of(value: &Value) -> Result<Prompt, Wrong> {
    match value {
        Value::String(text) => Ok(Prompt::Text(text.clone())),
        list => Ok(Prompt::Messages(messages_of(list, "prompt")?)),
    }
}

/// A text, a message, or a list of messages of which the last is it.
pub(super) fn completion_of(value: &Value, column: &str) -> Result<String, Wrong> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Object(_) => Ok(split_last(vec![message_of(value, column)?], column)?.1),
        list => Ok(split_last(messages_of(list, column)?, column)?.1),
    }
}
