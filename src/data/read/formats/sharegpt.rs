//! Conversations in `conversations`, as ShareGPT and those after it have them.

use crate::data::read::formats::choices::Choices;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::columns::Columns;
use crate::data::read::row::conversation::conversation;
use crate::data::read::row::pair::{is_pair, preference};
use crate::data::read::row::parsed::{Parsed, Wrong};

pub(super) const FORM: Form = Form {
    format: Format::ShareGpt,
    name: "sharegpt",
    recognises: |columns| {
        columns.has(&["conversations"]) && !columns.has(&["prompt"]) && !columns.has(&["messages"])
    },
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
    beside: &["id"],
    unweighted: None,
    parse: |columns, choices| Ok(vec![parse(columns, choices)?]),
};

fn parse(columns: &Columns<'_>, choices: &Choices) -> Result<Parsed, Wrong> {
    if is_pair(columns) {
        return preference(columns);
    }
    conversation(
        columns,
        columns.required("conversations")?,
        choices.every_turn,
    )
}
