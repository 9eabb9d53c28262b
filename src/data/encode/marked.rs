//! Conversations of which all that the assistant said is scored, as the chat template marks it.

use crate::data::encode::marks::encode_with_offsets;
use crate::error::Error;
use crate::model::{Marked, Message, Tokenizer, WEIGHT};
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

/// The text with the marks of turns that are learned from; `None` where some are context only and
/// the marks do not tell which.
pub(in crate::data) fn learned(
    marked: Option<Marked>,
    messages: &[Message],
) -> Option<Option<Marked>> {
    let turns: Vec<&Message> = messages.iter().filter(|m| m.role == "assistant").collect();
    let is_context = |message: &&Message| message.extra.contains_key(WEIGHT);
    if !turns.iter().any(is_context) {
        return Some(marked);
    }
    let Some((text, said)) = marked else {
        return Some(None);
    };
    if said.len() != turns.len() {
        return None;
    }
    let said = said.into_iter().zip(&turns);
    let said = said.filter(|(_, turn)| !is_context(turn));
    Some(Some((text, said.map(|(span, _)| span).collect())))
}

/// How long the parts are that are scored and not, by turns; the first is scored.
pub(in crate::data) fn runs(scored: &[bool]) -> Vec<u32> {
    let lengths = scored.chunk_by(|a, b| a == b).map(<[bool]>::len);
    lengths
        .map(|n| u32::try_from(n).unwrap_or(u32::MAX))
        .collect()
}
