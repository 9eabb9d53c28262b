//! An instruction with its input and what was said before, as Alpaca and those after it have them.

use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::answer::Answer;
use crate::data::read::row::asked::{asked, asked_in, more};
use crate::data::read::row::columns::Columns;
use crate::data::read::row::labelled::labelled;
use crate::data::read::row::names::PROMPT;
use crate::data::read::row::pair::{is_pair, preference};
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::reason::DropReason;

pub(super) const FORM: Form = Form {
    format: Format::Alpaca,
    name: "alpaca",
    recognises: |columns| {
        let alone = |own: &[&str]| !own.iter().any(|column| columns.has(&[column]));
        (columns.has(&["instruction", "output"]) && alone(&["completion"]))
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
    parse: |columns, _| Ok(vec![parse(columns)?]),
};

fn parse(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    if is_pair(columns) {
        return preference(columns);
    }
    // Whatever a `prompt` beside it says: it may be made of all of them, the answer too.
    let instruction = columns.required("instruction")?;
    let prompt = match instruction.is_given() {
        true => {
            columns.read_as(&PROMPT, instruction);
            asked_in(columns, instruction, more(columns)?)?
        }
        // The input stands alone.
        false => asked(columns)?.ok_or(DropReason::EmptyPrompt)?,
    };
    let answer = Answer::of(columns.required("output")?)?;
    let prompt = answer.prompt(&prompt, None)?;
    labelled(columns, prompt, answer.text)
}
