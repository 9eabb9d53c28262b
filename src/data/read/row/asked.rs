//! What was asked, with all that a row has besides that belongs to it.

use crate::data::example::Prompt;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::messages::messages_of;
use crate::data::read::row::names::{CHOSEN, COMPLETION, Column, HISTORY, INPUT, PROMPT, SYSTEM};
use crate::data::read::row::overlap::{apart, begins};
use crate::data::read::row::parsed::Wrong;
use crate::data::read::rows::shown;
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;

/// The prompt, if the row has one: its column, or what belongs to a prompt where that stands alone;
/// with its `input` behind it and its `history` before it.
///
/// A text is continued as it stands where its columns say no more than that: a `prompt` beside a
/// `completion`, or `chosen` and `rejected`. Where they speak of a question and its answer, or of a
/// system and a history, it is what a user says.
pub(in crate::data) fn asked(columns: &Columns<'_>) -> Result<Option<Prompt>, Wrong> {
    match found(columns)? {
        Some((cell, more)) => asked_in(columns, cell, more).map(Some),
        None => Ok(None),
    }
}

/// The prompt that is in a column of the row, with what belongs to it.
pub(in crate::data) fn asked_in(
    columns: &Columns<'_>,
    cell: Cell<'_>,
    more: Option<Cell<'_>>,
) -> Result<Prompt, Wrong> {
    let prompt = with_more(cell, more)?;
    refuse_documents(columns)?;
    let history = match columns.given(&HISTORY)? {
        Some(history) => turns(history)?,
        None => Vec::new(),
    };
    let is_said = cell.column != PROMPT.name || says_more(columns) || !history.is_empty();
    Ok(match prompt {
        Prompt::Text(text) if is_said && text.trim().is_empty() => {
            return Err(DropReason::EmptyPrompt.into());
        }
        Prompt::Text(text) if is_said => {
            let turn = Message::new("user", text);
            Prompt::Messages([history, vec![turn]].concat())
        }
        Prompt::Messages(messages) => {
            let (system, turns) = apart(messages);
            let history = match begins(&turns, &history) {
                true => Vec::new(),
                false => history,
            };
            Prompt::Messages([system, history, turns].concat())
        }
        text => text,
    })
}

/// The prompt's column, and the one that belongs to it.
fn found<'r>(columns: &Columns<'r>) -> Result<Option<(Cell<'r>, Option<Cell<'r>>)>, Wrong> {
    // An empty text is still what another stands behind.
    let prompt = columns.given(&PROMPT)?;
    let is_text = prompt.is_some_and(|prompt| prompt.value.is_string());
    let is_alone = !columns.fills(&INPUT);
    if let Some(prompt) = prompt.filter(|prompt| is_text || is_alone || prompt.is_filled()) {
        return Ok(Some((prompt, more(columns)?)));
    }
    // `input` and `context`: what is asked, and what belongs to it.
    let given = |name| columns.named(name).filter(|cell| cell.is_given());
    let (input, context) = (given(INPUT.name), given("context"));
    let Some(prompt) = input.or(context) else {
        return Ok(None);
    };
    columns.read_as(&PROMPT, prompt);
    Ok(Some((prompt, context.filter(|_| input.is_some()))))
}

/// What belongs to a prompt beside it.
pub(in crate::data) fn more<'r>(columns: &Columns<'r>) -> Result<Option<Cell<'r>>, Wrong> {
    Ok(columns.find(&INPUT)?.filter(|more| more.is_filled()))
}

/// A text with another behind it.
fn with_more(cell: Cell<'_>, more: Option<Cell<'_>>) -> Result<Prompt, Wrong> {
    let prompt = cell.prompt()?;
    let Some(more) = more else {
        return Ok(prompt);
    };
    match (prompt, more.value) {
        (prompt, Value::String(none)) if none.is_empty() => Ok(prompt),
        (Prompt::Text(text), Value::String(more)) if text.trim().is_empty() => {
            Ok(Prompt::Text(more.clone()))
        }
        (Prompt::Text(text), Value::String(more)) => Ok(Prompt::Text(format!("{text}\n{more}"))),
        (_, value) => Err(format!(
            "\"{}\" belongs to what \"{}\" asks, so both must be texts: put it into the prompt, or \
             take the column out; got {}",
            more.column,
            cell.column,
            shown(value)
        )
        .into()),
    }
}

/// Whether other columns show that a conversation is meant, also where they are empty: else rows of
/// one file would be written in two ways.
fn says_more(columns: &Columns<'_>) -> bool {
    let is_named = |column: &Column| {
        let own = columns.row.get(column.name).is_some_and(|v| !v.is_null());
        columns.gives(column) && !own
    };
    // Beside what was chosen an answer is not read, whatever its name.
    let answer = match columns.gives(&CHOSEN) {
        true => &CHOSEN,
        false => &COMPLETION,
    };
    columns.knows(&SYSTEM) || columns.knows(&HISTORY) || is_named(answer)
}

fn refuse_documents(columns: &Columns<'_>) -> Result<(), Wrong> {
    match columns.named("documents").map(|cell| cell.value) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(none)) if none.is_empty() => Ok(()),
        Some(Value::String(none)) if none.is_empty() => Ok(()),
        Some(other) => Err(format!(
            "\"documents\" belong to what is asked, and are not read: write them into the prompt, \
             or take the column out; got {}",
            shown(other)
        )
        .into()),
    }
}

/// What was said before: messages, or questions with their answers.
fn turns(history: Cell<'_>) -> Result<Vec<Message>, Wrong> {
    let must_be = "a list of [question, answer] or of messages";
    let read = match history.value {
        Value::String(text) if text.trim().is_empty() => return Ok(Vec::new()),
        Value::String(text) => crate::data::read::row::written::list(text, history.column)?,
        value => Some(value.clone()),
    };
    let Some(Value::Array(turns)) = read else {
        return Err(history.must_be(must_be));
    };
    if turns.iter().any(Value::is_object) {
        return messages_of(&Value::Array(turns), history.column);
    }
    let mut messages = Vec::new();
    for turn in &turns {
        match turn.as_array().map(Vec::as_slice) {
            Some([Value::String(question), Value::String(answer)]) => {
                messages.push(Message::new("user", question.as_str()));
                messages.push(Message::new("assistant", answer.as_str()));
            }
            _ => {
                return Err(Cell {
                    value: turn,
                    ..history
                }
                .must_be(must_be));
            }
        }
    }
    Ok(messages)
}
