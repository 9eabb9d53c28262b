//! Two answers to one prompt, of which one is better.

use crate::data::example::Prompt;
use crate::data::read::row::answer::Answer;
use crate::data::read::row::asked::asked;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::names::{CHOSEN, COMPLETION, LABEL, MESSAGES, PROMPT, REJECTED};
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::row::transcript;
use crate::data::read::rows::shown;
use crate::data::reason::DropReason;
use serde_json::Value;

/// A pair, if both answer the same.
pub(in crate::data) fn pair(
    prompt: &Prompt,
    chosen: Answer,
    rejected: Answer,
) -> Result<Parsed, Wrong> {
    let asked = chosen.prompt(prompt, Some(&rejected))?;
    let other = rejected.prompt(prompt, Some(&chosen))?;
    if asked != other {
        return Ok(Parsed::Dropped(DropReason::PromptsDiffer));
    }
    match &asked {
        // Without a question there is nothing that either answers.
        Prompt::Messages(said) if said.iter().all(|turn| turn.role == "system") => {
            Ok(Parsed::Dropped(DropReason::EmptyPrompt))
        }
        Prompt::Text(text) => {
            let (chosen, rejected) = said_once(text, &chosen.text, &rejected.text);
            Ok(Parsed::pair(asked.clone(), chosen, rejected))
        }
        Prompt::Messages(_) => Ok(Parsed::pair(asked, chosen.text, rejected.text)),
    }
}

/// Both answers without the prompt, where both repeat it: a text that long is no accident.
fn said_once(prompt: &str, chosen: &str, rejected: &str) -> (String, String) {
    const ACCIDENT: usize = 16;
    let rest = |answer: &'_ str| answer.strip_prefix(prompt).map(str::to_string);
    match (rest(chosen), rest(rejected)) {
        (Some(chosen), Some(rejected)) if prompt.trim().len() >= ACCIDENT => (chosen, rejected),
        _ => (chosen.into(), rejected.into()),
    }
}

/// Whether a row has two answers of which one is better: what was rejected stands beside what was
/// chosen, beside an answer, or beside a conversation.
pub(in crate::data) fn is_pair(columns: &Columns<'_>) -> bool {
    let better = [&CHOSEN, &COMPLETION, &MESSAGES];
    columns.gives(&REJECTED) && better.iter().any(|better| columns.gives(better))
}

/// The pair of a row that [is one](is_pair): answers to a prompt, or conversations with their
/// answers, as messages or as transcripts.
pub(in crate::data) fn preference(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    let has_chosen = columns.knows(&CHOSEN);
    if has_chosen && columns.gives(&COMPLETION) && columns.gives(&LABEL) {
        return Err("is both a pair (chosen, rejected) and a completion with a label".into());
    }
    columns.unweighted("pairs")?;
    let rejected = columns.needs(&REJECTED)?;
    let chosen = match has_chosen {
        true => Some(columns.needs(&CHOSEN)?),
        false => columns.given(&COMPLETION)?,
    };
    let prompt = asked(columns)?;
    match (prompt, chosen) {
        (Some(prompt), Some(chosen)) => pair(&prompt, Answer::of(chosen)?, Answer::of(rejected)?),
        (None, Some(chosen)) => match columns.given(&MESSAGES)?.filter(|all| all.is_filled()) {
            // What was asked stands in a conversation of its own.
            Some(conversation) => {
                let prompt = conversation.messages()?.into();
                pair(&prompt, Answer::of(chosen)?, Answer::of(rejected)?)
            }
            None => whole(columns, chosen, rejected),
        },
        // The conversation ends with what was chosen.
        (prompt, None) => {
            let chosen = Answer::last(columns.needs(&MESSAGES)?.messages()?)?;
            let asked = prompt.unwrap_or(Prompt::Messages(Vec::new()));
            let prompt = chosen.prompt(&asked, None)?;
            pair(&prompt, chosen, Answer::of(rejected)?)
        }
    }
}

/// A pair of whole conversations, which must begin alike.
fn whole(columns: &Columns<'_>, chosen: Cell<'_>, rejected: Cell<'_>) -> Result<Parsed, Wrong> {
    let (better, worse) = (chosen.read()?, rejected.read()?);
    let (chosen, rejected) = match (better.as_ref(), worse.as_ref()) {
        (Value::Null, _) | (_, Value::Null) => return Err(DropReason::EmptyCompletion.into()),
        // It might have been asked, and is null.
        (Value::String(chosen), Value::String(_))
            if columns.knows(&PROMPT) && !transcript::begins(chosen) =>
        {
            return Err(DropReason::EmptyPrompt.into());
        }
        (Value::String(chosen), Value::String(rejected)) => (
            transcript::messages(chosen)?,
            transcript::messages(rejected)?,
        ),
        (Value::Array(_), Value::Array(_)) => (chosen.messages()?, rejected.messages()?),
        (better, worse) => {
            return Err(format!(
                "without \"prompt\", \"{}\" and \"{}\" must both be transcripts or both lists of \
                 messages, got {} and {}",
                chosen.column,
                rejected.column,
                shown(better),
                shown(worse)
            )
            .into());
        }
    };
    let (chosen, rejected) = (Answer::last(chosen)?, Answer::last(rejected)?);
    pair(&Prompt::Messages(Vec::new()), chosen, rejected)
}
