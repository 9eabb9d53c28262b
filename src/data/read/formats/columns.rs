//! Texts or messages in columns named after what they are.

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::answer::Answer;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::context::in_context;
use crate::data::read::row::labelled::labelled;
use crate::data::read::row::messages::split_last;
use crate::data::read::row::pair::preference;
use crate::data::read::row::parsed::{Parsed, Wrong};

pub(super) const FORM: Form = Form {
    format: Format::Columns,
    name: "columns",
    recognises: |columns| {
        columns.completion.is_some() || columns.messages.is_some() || columns.is_pair()
    },
    reads: &[
        "prompt",
        "completion",
        "messages",
        "chosen",
        "rejected",
        "chosen_messages",
        "rejected_messages",
        "label",
        "kto_tag",
        "weight",
        "score",
        "system",
        "tools",
    ],
    reports_unread: true,
    unweighted: None,
    asks_apart: false,
    answers: &[
        "messages",
        "completion",
        "chosen",
        "rejected",
        "chosen_messages",
        "rejected_messages",
    ],
    parse: |columns, _| Ok(vec![in_context(columns, parse(columns)?)?]),
};

fn parse(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    if columns.is_pair() {
        return preference(columns);
    }
    if let Some(completion) = columns.completion {
        let prompt = columns.required("prompt")?;
        let answer = Answer::of(completion)?;
        let prompt = answer.prompt(&prompt.prompt()?)?;
        return labelled(columns, prompt, answer.text);
    }
    let messages = columns.required("messages")?.messages()?;
    let (prompt, completion) = split_last(messages, "messages")?;
    labelled(columns, Prompt::Messages(prompt), completion)
}
