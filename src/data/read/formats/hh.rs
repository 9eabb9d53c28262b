//! Pairs of transcripts, as Anthropic-HH has them.

use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::context::in_context;
use crate::data::read::row::names::{INPUT, MESSAGES, PROMPT};
use crate::data::read::row::pair::preference;
use serde_json::Value;

pub(super) const FORM: Form = Form {
    format: Format::AnthropicHh,
    name: "hh",
    recognises: |columns| {
        let has_prompt = [&PROMPT, &INPUT, &MESSAGES]
            .iter()
            .any(|c| columns.knows(c));
        let is_text = |side: &str| columns.row.get(side).is_some_and(Value::is_string);
        !has_prompt && is_text("chosen") && is_text("rejected")
    },
    reads: &["chosen", "rejected", "weight", "system", "tools"],
    beside: &[],
    unweighted: None,
    parse: |columns, _| Ok(vec![in_context(columns, preference(columns)?)?]),
};
