//! Feedback files of the HALOs library: an answer with a label, or two answers of which the label
//! names the better.

use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::answer::Answer;
use crate::data::read::row::asked::asked;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::names::PROMPT;
use crate::data::read::row::pair::pair;
use crate::data::read::row::parsed::{Parsed, Wrong};

pub(super) const FORM: Form = Form {
    format: Format::Halos,
    name: "halos",
    recognises: |columns| {
        columns.has(&["output_A", "output_B", "label"])
            || (columns.has(&["prompt", "output", "label"]) && !columns.has(&["instruction"]))
    },
    reads: &[
        "prompt", "input", "history", "output", "output_A", "output_B", "label", "weight",
        "system", "tools",
    ],
    beside: &[
        "prompt_id",
        "reward",
        "reward_A",
        "reward_B",
        "type",
        "split",
        "attributes",
    ],
    unweighted: None,
    parse: |columns, _| Ok(vec![parse(columns)?]),
};

fn parse(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    let prompt = match asked(columns)? {
        Some(prompt) => prompt,
        None => columns.needs(&PROMPT)?.prompt()?,
    };
    let label = columns.required("label")?.thumb()?;
    let is_pair = columns.has(&["output_A", "output_B"]);
    let output = columns.named("output");
    if let Some(output) = output.filter(|output| output.is_given() || !is_pair) {
        let answer = Answer::of(output)?;
        let prompt = answer.prompt(&prompt, None)?;
        let weight = columns.weight()?;
        return Ok(Parsed::binary(prompt, answer.text, label, weight));
    }
    columns.unweighted("pairs")?;
    let a = Answer::of(columns.required("output_A")?)?;
    let b = Answer::of(columns.required("output_B")?)?;
    let (chosen, rejected) = if label { (a, b) } else { (b, a) };
    pair(&prompt, chosen, rejected)
}
