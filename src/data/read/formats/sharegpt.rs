//! Conversations in `conversations`, as ShareGPT and those after it have them.

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::columns::Columns;
use crate::data::read::row::context::in_context;
use crate::data::read::row::labelled::labelled;
use crate::data::read::row::messages::split_last;
use crate::data::read::row::pair::preference;
use crate::data::read::row::parsed::{Parsed, Wrong};

pub(super) const FORM: Form = Form {
    format: Format::ShareGpt,
    name: "sharegpt",
    recognises: |columns| columns.conversations.is_some() && columns.prompt.is_none(),
    reads: &[
        "conversations",
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
        "conversations",
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
    let messages = columns.required("conversations")?.messages()?;
    let (prompt, completion) = split_last(messages, "conversations")?;
    labelled(columns, Prompt::Messages(prompt), completion)
}
