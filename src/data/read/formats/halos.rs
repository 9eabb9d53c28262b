//! Feedback files of the HALOs library: an answer with a label, or two answers of which the label
//! names the better.

use crate::data::read::formats::columns::{label_of, prompt_of, unweighted, wanted, weight_of};
use crate::data::read::row::answer::{self, Answer, more_than_text};
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::rows::Row;

pub(in crate::data) fn parse(row: &Row) -> Result<Parsed, Wrong> {
    if let Some(reason) = more_than_text(row, true)? {
        return Ok(Parsed::Dropped(reason));
    }
    let prompt = prompt_of(wanted(row, "prompt")?)?;
    let label = label_of(wanted(row, "label")?, "label")?;
    let answer = |column: &str| Answer::of(wanted(row, column)?, column);
    if row.contains_key("output") {
        let output = answer("output")?;
        let prompt = output.prompt(&prompt)?;
        return Ok(Parsed::binary(prompt, output.text, label, weight_of(row)?));
    }
    unweighted(row, "pairs")?;
    let (a, b) = (answer("output_A")?, answer("output_B")?);
    let (chosen, rejected) = if label { (a, b) } else { (b, a) };
    answer::pair(&prompt, chosen, rejected)
}
