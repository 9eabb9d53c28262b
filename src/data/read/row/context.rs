//! What a row gives a conversation besides its messages.

use crate::data::example::Prompt;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::messages::system_of;
use crate::data::read::row::names;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::rows::{parse, without_nulls};
use crate::model::{Message, TOOLS};
use serde_json::Value;

/// Puts the system's words and the tools of the row into the prompt. A prompt that is a text
/// becomes what a user says.
pub(in crate::data) fn in_context(
    columns: &Columns<'_>,
    mut parsed: Parsed,
) -> Result<Parsed, Wrong> {
    let (system, tools) = (system(columns)?, tools(columns)?);
    let Some(prompt) = parsed.prompt_mut() else {
        return Ok(parsed);
    };
    if let Prompt::Text(text) = prompt {
        if system.is_none() && tools.is_none() {
            return Ok(parsed);
        }
        *prompt = Prompt::Messages(vec![Message::new("user", std::mem::take(text))]);
    }
    let Prompt::Messages(messages) = prompt else {
        return Ok(parsed);
    };
    if let Some(system) = system {
        match messages.first() {
            Some(first) if first.role == "system" && first.content == system => {}
            Some(first) if first.role == "system" => {
                return Err("\"system\" is not what the conversation begins with".into());
            }
            _ => messages.insert(0, Message::new("system", system)),
        }
    }
    if let Some(tools) = tools {
        let first = messages.first_mut();
        let first = first.ok_or("\"tools\" need a message before the answer, got none")?;
        first.extra.insert(TOOLS.into(), tools);
    }
    Ok(parsed)
}

/// What the system says, where it says something.
fn system(columns: &Columns<'_>) -> Result<Option<String>, Wrong> {
    let Some(cell) = columns.given(&names::SYSTEM)? else {
        return Ok(None);
    };
    let said = system_of(cell.value)?;
    let said = said.ok_or_else(|| cell.must_be("a text"))?;
    Ok(Some(said).filter(|text| !text.is_empty()))
}

/// A list of what can be called, or the same as text, as tables have it.
fn tools(columns: &Columns<'_>) -> Result<Option<Value>, Wrong> {
    let Some(cell) = columns.given(&names::TOOLS)? else {
        return Ok(None);
    };
    let must_be_list = || cell.must_be("a list");
    let tools = match cell.value {
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(json) => parse(json).map_err(|_| must_be_list())?,
        value => value.clone(),
    };
    match &tools {
        Value::Null => Ok(None),
        Value::Array(list) if list.is_empty() => Ok(None),
        Value::Array(_) => Ok(Some(without_nulls(&tools))),
        other => Err(Cell {
            value: other,
            ..cell
        }
        .must_be("a list")),
    }
}
