//! An instruction with its input and what was said before, as Alpaca and those after it have them.

use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::answer::Answer;
use crate::data::read::row::asked::asked;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::context::in_context;
use crate::data::read::row::labelled::labelled;
use crate::data::read::row::names::PROMPT;
use crate::data::read::row::pair::{is_pair, preference};
use crate::data::read::row::parsed::{Parsed, Wrong};

pub(super) const FORM: Form = Form {
    format: Format::Alpaca,
    name: "alpaca",
    recognises: |columns| {
        let alone = |own: &[&str]| !own.iter().any(|column| columns.has(&[column]));
        (columns.has(&["instruction", "output"]) && alone(&["prompt", "completion"]))
            || (columns.has(&["instruction", "chosen", "rejected"]) && alone(&["prompt"]))
    },
    reads: &[
        "instruction",
        "input",
        "context",
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
    // The prompt that Alpaca makes of the others.
    beside: &["text"],
    unweighted: None,
    parse: |columns, _| Ok(vec![in_context(columns, parse(columns)?)?]),
};

fn parse(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    if is_pair(columns) {
        return preference(columns);
    }
    let prompt = match asked(columns)? {
        Some(prompt) => prompt,
        None => columns.needs(&PROMPT)?.prompt()?,
    };
    let answer = Answer::of(columns.required("output")?)?;
    let prompt = answer.prompt(&prompt)?;
    labelled(columns, prompt, answer.text)
}
