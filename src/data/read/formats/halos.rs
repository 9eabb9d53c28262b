//! Feedback files of the HALOs library: an answer with a label, or two answers of which the label
//! names the better.

use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::answer::Answer;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::pair::pair;
use crate::data::read::row::parsed::{Parsed, Wrong};

pub(super) const FORM: Form = Form {
    format: Format::Halos,
    name: "halos",
    recognises: |columns| {
        columns.has(&["output_A", "output_B"]) || columns.has(&["prompt", "output", "label"])
    },
    reads: &[
        "prompt", "output", "output_A", "output_B", "label", "weight",
    ],
    reports_unread: true,
    unweighted: None,
    asks_apart: true,
    answers: &["output", "output_A", "output_B"],
    parse: |columns, _| Ok(vec![parse(columns)?]),
};

fn parse(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    let prompt = columns.required("prompt")?.prompt()?;
    let label = columns.required("label")?.thumb()?;
    if let Some(output) = columns.output {
        let answer = Answer::of(output)?;
        let prompt = answer.prompt(&prompt)?;
        return Ok(Parsed::binary(
            prompt,
            answer.text,
            label,
            columns.weight()?,
        ));
    }
    columns.unweighted("pairs")?;
    let a = Answer::of(columns.required("output_A")?)?;
    let b = Answer::of(columns.required("output_B")?)?;
    let (chosen, rejected) = if label { (a, b) } else { (b, a) };
    pair(&prompt, chosen, rejected)
}
