//! Texts or messages in columns named after what they are.

use crate::data::example::Prompt;
use crate::data::read::formats::choices::Choices;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::answer::Answer;
use crate::data::read::row::asked::asked;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::conversation::conversation;
use crate::data::read::row::labelled::labelled;
use crate::data::read::row::names::{
    CHOSEN, COMPLETION, HISTORY, LABEL, MESSAGES, PROMPT, REJECTED, SCORE, SYSTEM, TOOLS,
};
use crate::data::read::row::pair::{is_pair, preference};
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::reason::DropReason;

pub(super) const FORM: Form = Form {
    format: Format::Columns,
    name: "columns",
    recognises: |columns| {
        let answers = [&COMPLETION, &MESSAGES];
        answers.iter().any(|column| columns.knows(column))
            || (columns.knows(&CHOSEN) && columns.knows(&REJECTED))
            || is_text(columns)
    },
    reads: &[
        "prompt",
        "input",
        "context",
        "history",
        "completion",
        "messages",
        "chosen",
        "rejected",
        "chosen_messages",
        "rejected_messages",
        "rejected_response",
        "text",
        "label",
        "kto_tag",
        "weight",
        "score",
        "system",
        "tools",
    ],
    // Of UltraFeedback as pairs and what is made like it.
    beside: &["prompt_id", "score_chosen", "score_rejected"],
    unweighted: None,
    parse: |columns, choices| Ok(vec![parse(columns, choices)?]),
};

fn parse(columns: &Columns<'_>, choices: &Choices) -> Result<Parsed, Wrong> {
    if is_pair(columns) {
        return preference(columns);
    }
    let own = |column| Cell::of(columns.row, column).is_some_and(Cell::is_filled);
    // A conversation is whole, so it goes before an answer of another name, but not before what
    // is called just so.
    let is_answered = columns.fills(&COMPLETION) && !columns.fills(&PROMPT);
    let has_turns = columns.fills(&MESSAGES) || !columns.gives(&COMPLETION);
    if columns.gives(&MESSAGES) && has_turns && !own(COMPLETION.name) {
        let cell = columns.needs(&MESSAGES)?;
        if !(is_answered && is_open(cell)?) {
            return conversation(columns, cell, choices.every_turn);
        }
    }
    if columns.gives(&COMPLETION) {
        let prompt = match asked(columns)? {
            Some(prompt) => prompt,
            None if columns.fills(&MESSAGES) => columns.needs(&MESSAGES)?.prompt()?,
            None => columns.needs(&PROMPT)?.prompt()?,
        };
        let answer = Answer::of(columns.needs(&COMPLETION)?)?;
        let prompt = answer.prompt(&prompt, None)?;
        return labelled(columns, prompt, answer.text);
    }
    if is_text(columns) {
        return text(columns);
    }
    // Null, or an answer without another.
    Err(match columns.knows(&MESSAGES) {
        true => DropReason::EmptyConversation.into(),
        false => DropReason::EmptyCompletion.into(),
    })
}

/// Whether a conversation waits for its answer.
fn is_open(conversation: Cell<'_>) -> Result<bool, Wrong> {
    let messages = conversation.messages()?;
    Ok(messages.last().is_some_and(|last| last.role != "assistant"))
}

/// Whether a row is a text and nothing else.
fn is_text(columns: &Columns<'_>) -> bool {
    let others = [&PROMPT, &COMPLETION, &MESSAGES, &CHOSEN, &REJECTED];
    columns.has(&["text"]) && !others.iter().any(|column| columns.gives(column))
}

/// A text that is learned as a whole.
fn text(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    // A text has no place for any of these.
    let more = [&LABEL, &SCORE, &SYSTEM, &TOOLS, &HISTORY];
    if let Some(column) = more.iter().find(|column| columns.fills(column)) {
        return Err(format!(
            "has a \"{}\" of a \"text\", where a prompt and its answer are needed: found {}",
            column.name,
            columns.found()
        )
        .into());
    }
    let cell = columns.required("text")?;
    if cell.value.is_null() {
        return Err(DropReason::EmptyCompletion.into());
    }
    let text = cell.text()?;
    labelled(columns, Prompt::Text(String::new()), text.into())
}
