//! Two answers to one prompt, of which one is better.

use crate::data::example::Prompt;
use crate::data::read::row::answer::Answer;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::row::transcript;
use crate::data::read::rows::shown;
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;

/// A pair, if both answer the same.
pub(in crate::data) fn pair(
    prompt: &Prompt,
    chosen: Answer,
    rejected: Answer,
) -> Result<Parsed, Wrong> {
    let (asked, other) = (chosen.prompt(prompt)?, rejected.prompt(prompt)?);
    if asked != other {
        return Ok(Parsed::Dropped(DropReason::PromptsDiffer));
    }
    Ok(Parsed::pair(asked, chosen.text, rejected.text))
}

/// The pair of a row that [is one](Columns::is_pair): answers to a prompt, or conversations with
/// their answers, as messages or as transcripts.
pub(in crate::data) fn preference(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    if columns.completion.is_some() && columns.has_label() {
        return Err("is both a pair (chosen, rejected) and a completion with a label".into());
    }
    columns.unweighted("pairs")?;
    if let (Some(chosen), Some(rejected)) = (columns.chosen_messages, columns.rejected_messages) {
        return whole(chosen.messages()?, rejected.messages()?);
    }
    let (chosen, rejected) = (columns.required("chosen")?, columns.required("rejected")?);
    let prompt = match (columns.prompt, columns.conversations) {
        (Some(prompt), _) => prompt.prompt()?,
        (None, Some(conversation)) => conversation.messages()?.into(),
        (None, None) => {
            return match (chosen.value, rejected.value) {
                (Value::String(chosen), Value::String(rejected)) => whole(
                    transcript::messages(chosen)?,
                    transcript::messages(rejected)?,
                ),
                (Value::Array(_), Value::Array(_)) => {
                    whole(chosen.messages()?, rejected.messages()?)
                }
                (chosen, rejected) => Err(format!(
                    "without \"prompt\", \"chosen\" and \"rejected\" must both be transcripts or both lists \
                     of messages, got {} and {}",
                    shown(chosen),
                    shown(rejected)
                )),
            };
        }
    };
    if let (Prompt::Text(asked), Value::Array(_), Value::Array(_)) =
        (&prompt, chosen.value, rejected.value)
    {
        // The conversation is on each side, and the prompt repeats a part of it.
        let chosen = chosen.messages()?;
        let repeats = |message: &Message| message.content.trim() == asked.trim();
        if !chosen.iter().any(repeats) {
            return Ok(Parsed::Dropped(DropReason::PromptNotInConversation));
        }
        return whole(chosen, rejected.messages()?);
    }
    pair(&prompt, Answer::of(chosen)?, Answer::of(rejected)?)
}

/// A pair of whole conversations, which must begin alike.
fn whole(chosen: Vec<Message>, rejected: Vec<Message>) -> Result<Parsed, Wrong> {
    let chosen = Answer::last(chosen, "chosen")?;
    let rejected = Answer::last(rejected, "rejected")?;
    pair(&Prompt::Messages(Vec::new()), chosen, rejected)
}
