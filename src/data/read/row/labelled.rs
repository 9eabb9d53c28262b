//! One answer to a prompt, and what the columns besides say of it.

use crate::data::example::{Prompt, ScoredExample, SftExample};
use crate::data::read::row::columns::Columns;
use crate::data::read::row::names::{LABEL, REJECTED};
use crate::data::read::row::parsed::{Feedback, Nulls, Parsed, Wrong};
use crate::data::reason::DropReason;

/// A thumb, a score or a demonstration.
pub(in crate::data) fn labelled(
    columns: &Columns<'_>,
    prompt: Prompt,
    completion: String,
) -> Result<Parsed, Wrong> {
    if let Some(desirable) = columns.label()? {
        let weight = columns.weight()?;
        return Ok(Parsed::binary(prompt, completion, desirable, weight));
    }
    let score = columns.score()?;
    if completion.trim().is_empty() {
        return Ok(Parsed::Dropped(DropReason::EmptyCompletion));
    }
    Ok(Parsed::Kept(match score {
        Some(score) => Feedback::Scored(ScoredExample::new(prompt, completion, score)),
        None => {
            let nulls = Nulls {
                label: columns.knows(&LABEL),
                rejected: columns.knows(&REJECTED),
            };
            Feedback::Sft(SftExample::new(prompt, completion), nulls)
        }
    }))
}
