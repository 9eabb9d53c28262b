//! Feedback files of the HALOs library: an answer with a label, or two answers of which the label names the better.

use super::columns::{EMPTY, completion_of, label_of, pair, prompt_of, wanted};
use super::example::BinaryExample;
use super::format::{Parsed, Wrong};
use super::rows::Row;

pub(super) fn parse(row: &Row) -> Result<Parsed, Wrong> {
    let prompt = prompt_of(wanted(row, "prompt")?)?;
    let label = label_of(wanted(row, "label")?)?;
    if row.contains_key("output") {
        let output = completion_of(&row["output"], "output")?;
        return Ok(if output.trim().is_empty() {
            Parsed::Dropped(EMPTY)
        } else {
            Parsed::Binary(BinaryExample::new(prompt, output, label))
        });
    }
    let a = completion_of(wanted(row, "output_A")?, "output_A")?;
    let b = completion_of(wanted(row, "output_B")?, "output_B")?;
    let (chosen, rejected) = if label { (a, b) } else { (b, a) };
    Ok(pair(prompt, chosen, rejected))
}
