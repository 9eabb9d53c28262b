//! An instruction with its input and what was said before, as Alpaca and those after it have them.

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::context::in_context;
use crate::data::read::row::labelled::labelled;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;

pub(super) const FORM: Form = Form {
    format: Format::Alpaca,
    name: "alpaca",
    recognises: |columns| {
        (columns.has(&["instruction", "output"]) && columns.completion.is_none())
            || (columns.has(&["instruction", "chosen", "rejected"]) && columns.prompt.is_none())
    },
    reads: &[
        "instruction",
        "input",
        "history",
        "output",
        "chosen",
        "rejected",
        "label",
        "kto_tag",
        "weight",
        "score",
        "system",
        "tools",
    ],
    reports_unread: true,
    unweighted: None,
    asks_apart: false,
    answers: &["chosen", "rejected", "output"],
    parse: |columns, _| Ok(vec![in_context(columns, parse(columns)?)?]),
};

fn parse(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    let mut asked = columns.required("instruction")?.text()?.to_string();
    let input = columns.input.map(Cell::text).transpose()?;
    if let Some(input) = input.filter(|input| !input.is_empty()) {
        asked.push('\n');
        asked += input;
    }
    if asked.trim().is_empty() {
        return Ok(Parsed::Dropped(DropReason::EmptyPrompt));
    }
    let mut messages = columns.history.map_or(Ok(Vec::new()), turns)?;
    messages.push(Message::new("user", asked));
    let prompt = Prompt::Messages(messages);
    if columns.is_pair() {
        columns.unweighted("pairs")?;
        let chosen = columns.required("chosen")?.text()?;
        let rejected = columns.required("rejected")?.text()?;
        return Ok(Parsed::pair(prompt, chosen.into(), rejected.into()));
    }
    let output = columns.required("output")?.text()?;
    labelled(columns, prompt, output.into())
}

/// What was asked and answered before.
fn turns(history: Cell<'_>) -> Result<Vec<Message>, Wrong> {
    let must_be = "a list of [question, answer]";
    let Value::Array(turns) = history.value else {
        return Err(history.must_be(must_be));
    };
    let mut messages = Vec::new();
    for turn in turns {
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
