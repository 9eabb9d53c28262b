//! With what, and within which lengths, texts become token ids.

use super::guard::Guard;
use crate::data::example::Prompt;
use crate::error::Error;
use crate::model::{ChatTemplate, Message, Tokenizer, WEIGHT};
use std::borrow::Cow;

/// The settings of an [`Encoder`](crate::data::Encoder).
#[derive(Clone, Copy)]
pub(super) struct Settings<'a> {
    pub(super) tokenizer: &'a dyn Tokenizer,
    pub(super) template: &'a dyn ChatTemplate,
    /// Tokens of a sequence.
    pub(super) max_length: usize,
    /// Tokens of its prompt.
    pub(super) max_prompt_length: usize,
    /// Whether texts may spell special tokens.
    pub(super) trusted: bool,
    /// Whether a conversation is scored where its template marks it.
    pub(super) generation_marks: bool,
}

/// The messages as a template may see them: which of them are context only is none of its business.
pub(super) fn shown(messages: &[Message]) -> Cow<'_, [Message]> {
    let mut shown = Cow::Borrowed(messages);
    if messages.iter().any(|m| m.extra.contains_key(WEIGHT)) {
        for message in shown.to_mut() {
            message.extra.remove(WEIGHT);
        }
    }
    shown
}

impl Settings<'_> {
    pub(super) fn guard(&self) -> Guard {
        if self.trusted {
            return Guard::off();
        }
        Guard::new(self.tokenizer, self.template)
    }

    pub(super) fn prompt_text(&self, prompt: &Prompt) -> Result<String, Error> {
        match prompt {
            Prompt::Text(text) => Ok(text.clone()),
            Prompt::Messages(messages) => self.template.render(&shown(messages), true),
        }
    }

    /// What follows the prompt's text: for a conversation, up to the end of the assistant's turn as
    /// the template writes it. `None` where it writes past answers in another way than it begins
    /// the one to come; then the completion follows as it is.
    pub(super) fn completion_text(
        &self,
        prompt: &Prompt,
        text: &str,
        completion: &str,
    ) -> Result<Option<String>, Error> {
        let Prompt::Messages(messages) = prompt else {
            return Ok(Some(completion.to_string()));
        };
        let mut messages = shown(messages).into_owned();
        messages.push(Message::new("assistant", completion));
        let whole = self.template.render(&messages, false)?;
        let rest = whole.strip_prefix(text).map(str::trim_end);
        Ok(rest.map(str::to_string))
    }

    pub(super) fn with_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        match self.tokenizer.bos() {
            Some(bos) if ids.first() != Some(&bos) => ids.insert(0, bos),
            _ => {}
        }
        ids
    }

    /// The end of a prompt that is too long, behind its beginning of sequence; and whether anything
    /// was cut.
    pub(super) fn cut_prompt(&self, ids: Vec<u32>) -> (Vec<u32>, bool) {
        let limit = self.max_prompt_length;
        if ids.len() <= limit {
            return (ids, false);
        }
        let bos = self
            .tokenizer
            .bos()
            .filter(|bos| ids[0] == *bos && limit > 0);
        let keep = limit - usize::from(bos.is_some());
        let tail = ids[ids.len() - keep..].iter().copied();
        (bos.into_iter().chain(tail).collect(), true)
    }
}
