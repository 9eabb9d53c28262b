//! Pairs of transcripts, as Anthropic-HH has them.

use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::names::{INPUT, MESSAGES, PROMPT};
use crate::data::read::row::pair::preference;
use crate::data::read::row::transcript;
use serde_json::Value;

pub(super) const FORM: Form = Form {
    format: Format::AnthropicHh,
    name: "hh",
    recognises: |columns| {
        let has_prompt = [&PROMPT, &INPUT, &MESSAGES]
            .iter()
            .any(|c| columns.knows(c));
        let text = |side: &str| columns.row.get(side).and_then(Value::as_str);
        let both = text("chosen").zip(text("rejected"));
        // A prompt that is null is that of a row of columns, unless these are transcripts.
        let has_name = columns.row.contains_key(PROMPT.name);
        !has_prompt && both.is_some_and(|(chosen, _)| !has_name || transcript::begins(chosen))
    },
    reads: &["chosen", "rejected", "weight", "system", "tools"],
    beside: &[],
    unweighted: None,
    parse: |columns, _| Ok(vec![preference(columns)?]),
};
