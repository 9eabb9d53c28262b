//! Conversations of which all that the assistant said is scored, as the chat template marks it.

use crate::data::encode::marks::encode_with_offsets;
use crate::error::Error;
use crate::model::{Marked, Tokenizer};
use std::ops::Range;

/// The ids of a conversation, and which of them are scored: those of which a part is within a mark,
/// as transformers 5.24 has it.
pub(in crate::data) fn encode(
    tokenizer: &dyn Tokenizer,
    marked: Option<Marked>,
) -> Result<Vec<(u32, bool)>, Error> {
    let refused = |message: &str| Error::Tokenize {
        message: message.into(),
    };
    let (text, said) = marked.ok_or_else(|| {
        refused(
            "the chat template does not mark what the assistant says: it has no {% generation %}",
        )
    })?;
    let ids = encode_with_offsets(tokenizer, &text)?.ok_or_else(|| {
        refused("the tokenizer does not say where its tokens are in a text: it has no `encode_with_offsets`")
    })?;
    let mut said = said.into_iter().peekable();
    let mut within = |token: Range<usize>| {
        while said.next_if(|span| span.end <= token.start).is_some() {}
        said.peek().is_some_and(|span| span.start < token.end)
    };
    Ok(ids.into_iter().map(|(id, at)| (id, within(at))).collect())
}

/// How long the parts are that are scored and not, by turns; the first is scored.
pub(in crate::data) fn runs(scored: &[bool]) -> Vec<u32> {
    let lengths = scored.chunk_by(|a, b| a == b).map(<[bool]>::len);
    lengths
        .map(|n| u32::try_from(n).unwrap_or(u32::MAX))
        .collect()
}
