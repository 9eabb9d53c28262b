//! Pairs of transcripts, as Anthropic-HH has them.

use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::context::in_context;
use crate::data::read::row::pair::preference;

pub(super) const FORM: Form = Form {
    format: Format::AnthropicHh,
    name: "hh",
    recognises: |columns| {
        let sides = [columns.chosen, columns.rejected];
        columns.prompt.is_none()
            && sides
                .iter()
                .all(|side| side.is_some_and(|side| side.value.is_string()))
    },
    reads: &[
        "chosen",
        "rejected",
        "chosen_messages",
        "rejected_messages",
        "weight",
        "system",
        "tools",
    ],
    reports_unread: true,
    unweighted: None,
    asks_apart: false,
    answers: &["chosen", "rejected", "chosen_messages", "rejected_messages"],
    parse: |columns, _| Ok(vec![in_context(columns, preference(columns)?)?]),
};
