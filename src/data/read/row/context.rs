//! What a row gives a conversation besides its messages.

use crate::data::example::Prompt;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::messages::TOOLS;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::model::Message;

/// Puts the `system` and the `tools` of the row into the prompt.
pub(in crate::data) fn in_context(
    columns: &Columns<'_>,
    mut parsed: Parsed,
) -> Result<Parsed, Wrong> {
    let (system, tools) = (columns.system()?, columns.tools()?);
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
        }
    }
    Ok(parsed)
}
