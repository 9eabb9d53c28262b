//! A conversation as one text.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// What was said.
    pub content: String,
    /// What else a template may ask for, such as `tool_calls`; empty as a rule. `tools` in the
    /// first message are those that may be called in the whole conversation: a template has them as
    /// its variable of that name.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Message {
    /// A turn of `role`.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
            extra: BTreeMap::new(),
        }
    }
}

/// Where the first message of a conversation has the tools that may be called in it.
pub(crate) const TOOLS: &str = "tools";

/// Where a turn of the assistant has 0 that is context only: it is not learned from, and no
/// template sees the key.
pub(crate) const WEIGHT: &str = "weight";

/// A conversation as one text, and the bytes of it that the assistant said.
pub type Marked = (String, Vec<Range<usize>>);

/// How a model expects a conversation to be written.
pub trait ChatTemplate: Send + Sync {
    /// The conversation as one text; with `generation_prompt`, ready for the assistant to answer.
    fn render(&self, messages: &[Message], generation_prompt: bool) -> Result<String, Error>;

    /// The conversation as one text, and which bytes of it the template marks as what the assistant
    /// said, in ascending order. `None` if it does not mark that, which is the default.
    ///
    /// # Errors
    ///
    /// Where the template refuses.
    fn render_marked(&self, messages: &[Message]) -> Result<Option<Marked>, Error> {
        let _ = messages;
        Ok(None)
    }

    /// Everything that the text depends on besides the conversation, as
    /// [`Tokenizer::definition`](super::Tokenizer::definition); none by default.
    fn definition(&self) -> Option<String> {
        None
    }

    /// All texts that it is written with: what it puts around and between messages, and what it
    /// compares with. `None` if it does not tell, which is the default; then it is harder to know
    /// what of a text is the template's, and takes longer.
    fn texts(&self) -> Option<Vec<String>> {
        None
    }
}

/// `Human:` / `Assistant:` transcripts as Anthropic-HH writes them, for models without a template
/// of their own.
///
/// ```
/// use burn_kto::prelude::*;
/// let text = PlainTemplate.render(&[Message::new("user", "Hello")], true).unwrap();
/// assert_eq!(text, "\n\nHuman: Hello\n\nAssistant:");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainTemplate;

impl ChatTemplate for PlainTemplate {
    fn definition(&self) -> Option<String> {
        Some("plain".into())
    }

    fn render(&self, messages: &[Message], generation_prompt: bool) -> Result<String, Error> {
        let mut text = String::new();
        for Message { role, content, .. } in messages {
            match role.as_str() {
                "user" => text += &format!("\n\nHuman: {content}"),
                "assistant" => text += &format!("\n\nAssistant: {content}"),
                _ => text += content,
            }
        }
        if generation_prompt {
            text += "\n\nAssistant:";
        }
        Ok(text)
    }
}
