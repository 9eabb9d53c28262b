//! What the columns of a row say.

use crate::data::example::{Prompt, SftExample};
use crate::data::labels::ScoredExample;
use crate::data::read::formats::hh;
use crate::data::read::row::answer::{self, Answer, more_than_text};
use crate::data::read::row::messages::{TOOLS, messages_of, split_last};
use crate::data::read::row::parsed::{EMPTY, NO_PROMPT, Parsed, Said, Wrong};
use crate::data::read::rows::{Row, shown};
use crate::model::Message;
use serde_json::Value;

const NOT_IN_CONVERSATION: &str = "prompt is not in the conversation";

/// Texts or messages in columns named after what they are.
pub(in crate::data) fn parse(row: &Row) -> Result<Parsed, Wrong> {
    in_context(row, |row| {
        if is_pair(row) {
            return preference(row);
        }
        if row.contains_key("completion") {
            let (prompt, answer) = (wanted(row, "prompt")?, wanted(row, "completion")?);
            let answer = Answer::of(answer, "completion")?;
            return labelled(row, answer.prompt(&prompt_of(prompt)?)?, answer.text);
        }
        let messages = messages_of(wanted(row, "messages")?, "messages")?;
        let (prompt, completion) = split_last(messages, "messages")?;
        labelled(row, Prompt::Messages(prompt), completion)
    })
}

/// A conversation in `conversations`, as ShareGPT and those after it have it.
pub(in crate::data) fn conversation(row: &Row) -> Result<Parsed, Wrong> {
    in_context(row, |row| {
        if is_pair(row) {
            return preference(row);
        }
        let messages = messages_of(&row["conversations"], "conversations")?;
        let (prompt, completion) = split_last(messages, "conversations")?;
        labelled(row, Prompt::Messages(prompt), completion)
    })
}

/// An instruction with its input and what was said before, as Alpaca and those after it have them.
pub(in crate::data) fn instruction(row: &Row) -> Result<Parsed, Wrong> {
    in_context(row, |row| {
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
        let mut messages = history(row)?;
        messages.push(Message::new("user", asked));
        let prompt = Prompt::Messages(messages);
        if is_pair(row) {
            unweighted(row, "pairs")?;
            let (chosen, rejected) = (text(row, "chosen")?, text(row, "rejected")?);
            return Ok(Parsed::pair(prompt, chosen.into(), rejected.into()));
        }
        labelled(row, prompt, text(row, "output")?.into())
    })
}

/// What was asked and answered before.
fn history(row: &Row) -> Result<Vec<Message>, Wrong> {
    let wrong = |got: &Value| {
        format!(
            "\"history\" must be a list of [question, answer], got {}",
            shown(got)
        )
    };
    let turns = match row.get("history") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(turns)) => turns,
        Some(other) => return Err(wrong(other)),
    };
    let mut messages = Vec::new();
    for turn in turns {
        match turn.as_array().map(Vec::as_slice) {
            Some([Value::String(asked), Value::String(said)]) => {
                messages.push(Message::new("user", asked.as_str()));
                messages.push(Message::new("assistant", said.as_str()));
            }
            _ => return Err(wrong(turn)),
        }
    }
    Ok(messages)
}

/// What a row says, with the `system` and the `tools` that it gives the conversation.
fn in_context(
    row: &Row,
    parse: impl FnOnce(&Row) -> Result<Parsed, Wrong>,
) -> Result<Parsed, Wrong> {
    if let Some(reason) = more_than_text(row, is_pair(row))? {
        return Ok(Parsed::Dropped(reason));
    }
    let mut parsed = parse(row)?;
    let (system, tools) = (system(row)?, tools_of(row)?);
    let column = match (&system, &tools) {
        (None, None) => return Ok(parsed),
        (Some(_), _) => "system",
        _ => TOOLS,
    };
    match parsed.prompt_mut() {
        None => {}
        Some(Prompt::Text(_)) => {
            return Err(format!(
                "\"{column}\" is for conversations, and \"prompt\" is a text"
            ));
        }
        Some(Prompt::Messages(messages)) => {
            if let Some(system) = system {
                match messages.first() {
                    Some(first) if first.role == "system" && first.content == system.content => {}
                    Some(first) if first.role == "system" => {
                        return Err("\"system\" is not what the conversation begins with".into());
                    }
                    _ => messages.insert(0, system),
                }
            }
            if let Some(tools) = tools {
                let first = messages.first_mut();
                let first = first.ok_or("\"tools\" need a message before the answer, got none")?;
                first.extra.insert(TOOLS.into(), tools);
            }
        }
    }
    Ok(parsed)
}

/// A list of what can be called, or the same as text, as tables have it.
fn tools_of(row: &Row) -> Result<Option<Value>, Wrong> {
    let wrong = |value: &Value| format!("\"tools\" must be a list, got {}", shown(value));
    let tools = match row.get(TOOLS) {
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
    let label = match (row.get("label"), row.get("kto_tag")) {
        (Some(_), Some(_)) => return Err("has both a \"label\" and a \"kto_tag\"".into()),
        (Some(label), None) => Some(label_of(label, "label")?),
        (None, Some(label)) => Some(label_of(label, "kto_tag")?),
        (None, None) => None,
    };
    let Some(desirable) = label else {
        let score = score_of(row)?;
        return Ok(if completion.trim().is_empty() {
            Parsed::Dropped(EMPTY)
        } else if let Some(score) = score {
            Parsed::Said(Said::Scored(ScoredExample {
                prompt,
                completion,
                score,
            }))
        } else {
            Parsed::Said(Said::Sft(SftExample { prompt, completion }))
        });
    };
    Ok(Parsed::binary(
        prompt,
        completion,
        desirable,
        weight_of(row)?,
    ))
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
        (None, Some(conversation)) => messages_of(conversation, "conversations")?.into(),
        (None, None) => {
            return match (chosen, rejected) {
                (Value::String(chosen), Value::String(rejected)) => {
                    whole(hh::messages(chosen)?, hh::messages(rejected)?)
                }
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
    if let (Prompt::Text(asked), Value::Array(_), Value::Array(_)) = (&prompt, chosen, rejected) {
        // The conversation is on each side, and the prompt repeats a part of it.
        let chosen = messages_of(chosen, "chosen")?;
        let repeats = |message: &Message| message.content.trim() == asked.trim();
        if !chosen.iter().any(repeats) {
            return Ok(Parsed::Dropped(NOT_IN_CONVERSATION));
        }
        return whole(chosen, messages_of(rejected, "rejected")?);
    }
    let chosen = Answer::of(chosen, "chosen")?;
    answer::pair(&prompt, chosen, Answer::of(rejected, "rejected")?)
}

/// A pair of whole conversations, which must begin alike.
fn whole(chosen: Vec<Message>, rejected: Vec<Message>) -> Result<Parsed, Wrong> {
    let chosen = Answer::last(chosen, "chosen")?;
    let rejected = Answer::last(rejected, "rejected")?;
    answer::pair(&Prompt::Messages(Vec::new()), chosen, rejected)
}

fn system(row: &Row) -> Result<Option<Message>, Wrong> {
    match row.get("system") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(Message::new("system", text.as_str()))),
        Some(other) => Err(format!("\"system\" must be a text, got {}", shown(other))),
    }
}

/// The text in a column.
pub(in crate::data) fn text<'a>(row: &'a Row, column: &str) -> Result<&'a str, Wrong> {
    let value = wanted(row, column)?;
    value
        .as_str()
        .ok_or_else(|| format!("\"{column}\" must be a text, got {}", shown(value)))
}

pub(in crate::data) fn wanted<'a>(row: &'a Row, column: &str) -> Result<&'a Value, Wrong> {
    row.get(column)
        .ok_or_else(|| format!("\"{column}\" is missing; found {}", found(row)))
}

pub(in crate::data) fn unknown(row: &Row) -> Wrong {
    format!(
        "columns must be prompt + completion [+ label], messages [+ label], [prompt +] chosen + rejected, or those of a data set that is known (see Format); found {}",
        found(row)
    )
}

pub(in crate::data) fn found(row: &Row) -> String {
    if row.is_empty() {
        return "none".into();
    }
    row.keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// True, false, 1 or 0. Anything else may mean something else.
pub(in crate::data) fn label_of(label: &Value, column: &str) -> Result<bool, Wrong> {
    match label {
        Value::Bool(label) => Ok(*label),
        Value::Number(n) if n.as_i64() == Some(1) => Ok(true),
        Value::Number(n) if n.as_i64() == Some(0) => Ok(false),
        other => Err(format!(
            "\"{column}\" must be true or false, got {}",
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
pub(in crate::data) fn unweighted(row: &Row, what: &str) -> Result<(), Wrong> {
    match row.get("weight") {
        Some(weight) if weight.as_f64() != Some(1.0) => Err(format!(
            "\"weight\" is for rows with a label, {what} have none, got {}",
            shown(weight)
        )),
        _ => Ok(()),
    }
}

/// 1 where there is none.
pub(in crate::data) fn weight_of(row: &Row) -> Result<f64, Wrong> {
    let Some(weight) = row.get("weight") else {
        return Ok(1.0);
    };
    match weight.as_f64() {
        Some(number) if number >= 0.0 && (number as f32).is_finite() => Ok(number),
        _ => Err(format!(
            "\"weight\" must be a finite number that is not negative, got {}",
            shown(weight)
        )),
    }
}

pub(in crate::data) fn prompt_of(value: &Value) -> Result<Prompt, Wrong> {
    match value {
        Value::String(text) => Ok(Prompt::Text(text.clone())),
        list => Ok(Prompt::Messages(messages_of(list, "prompt")?)),
    }
}
