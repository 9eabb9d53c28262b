//! What people wrote stays text, whatever it spells.
//!
//! A chat template puts special tokens between turns, and a tokenizer knows them by their text.
//! Feedback that spells such a text would end its turn and begin another; a template that edits
//! texts may even make one of what spells none. So it is looked at what comes out: a conversation
//! is written a second time with stand-ins for the characters of what people wrote
//! ([`veil`](super::veil)), and a token that has one of them is text.

use super::marks::{CLOSE, OPEN, Spellings, is_word};
use super::veil::{Shown, Veil};
use crate::data::example::Prompt;
use crate::error::Error;
use crate::model::{ChatTemplate, Marked, Message, Tokenizer, WEIGHT};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::ops::Range;

/// Marks special tokens in what people wrote.
pub(super) struct Guard {
    /// In what the assistant says: tokens that are special.
    answers: Spellings,
    /// In all else: also those that the template writes. They end turns too, but an assistant may
    /// have them on purpose, such as `<think>`.
    others: Spellings,
    /// `None` where texts are trusted.
    veil: Option<Veil>,
}

/// A conversation as the template writes it, and what of it the assistant said.
type Written = (String, Vec<Range<usize>>);

impl Guard {
    pub(super) fn new(tokenizer: &dyn Tokenizer, template: &dyn ChatTemplate) -> Self {
        let (special, added) = (tokenizer.special_tokens(), tokenizer.added_tokens());
        let template = template.definition().unwrap_or_default();
        let written = |token: &String| {
            // A definition may be JSON.
            let quoted = json!(token).to_string();
            let found = template.contains(token) || template.contains(quoted.trim_matches('"'));
            found && !token.trim().is_empty() && !is_word(token)
        };
        let marks = added.iter().filter(|token| written(token)).cloned();
        let folded = tokenizer.folded_tokens();
        let others: Vec<String> = special.iter().cloned().chain(marks).collect();
        let veil = Veil::new(&special, &others, &added, &literals(&template));
        let answers = Spellings::new(special, &added, &folded);
        let others = Spellings::new(others, &added, &folded);
        Self {
            veil: Some(veil.folded(others.all)),
            answers,
            others,
        }
    }

    /// Without any special token.
    pub(super) fn off() -> Self {
        let none = || Spellings::new(Vec::new(), &[], &[]);
        Self {
            answers: none(),
            others: none(),
            veil: None,
        }
    }

    /// What the assistant says, with marks; and whether it spells a token that is marked.
    pub(super) fn text<'t>(&self, text: &'t str) -> (Cow<'t, str>, bool) {
        self.answers.mark(text)
    }

    /// The text of a prompt, ready to be answered, with marks; and whether it spells a token that
    /// is marked.
    ///
    /// # Errors
    ///
    /// Where the template refuses.
    pub(super) fn prompt(
        &self,
        template: &dyn ChatTemplate,
        prompt: &Prompt,
    ) -> Result<(String, bool), Error> {
        match prompt {
            Prompt::Text(text) => {
                let (text, found) = self.others.mark(text);
                Ok((text.into_owned(), found))
            }
            Prompt::Messages(messages) => self.conversation(template, messages, true),
        }
    }

    /// A conversation's text with marks, and whether somebody spelt a token in it.
    ///
    /// # Errors
    ///
    /// Where the template refuses.
    pub(super) fn conversation(
        &self,
        template: &dyn ChatTemplate,
        messages: &[Message],
        generation_prompt: bool,
    ) -> Result<(String, bool), Error> {
        let write = |messages: &[Message]| {
            let text = template.render(messages, generation_prompt)?;
            Ok(Some((text, Vec::new())))
        };
        let ((text, _), found) = self.guarded(messages, write)?.unwrap_or_default();
        Ok((text, found))
    }

    /// Does the same for a conversation of which the template marks what the assistant said; `None`
    /// where it marks nothing.
    ///
    /// # Errors
    ///
    /// Where the template refuses.
    pub(super) fn marked(
        &self,
        template: &dyn ChatTemplate,
        messages: &[Message],
    ) -> Result<(Option<Marked>, bool), Error> {
        let written = self.guarded(messages, |messages| template.render_marked(messages))?;
        Ok(written.map_or((None, false), |(marked, found)| (Some(marked), found)))
    }

    fn guarded(
        &self,
        messages: &[Message],
        write: impl Fn(&[Message]) -> Result<Option<Written>, Error>,
    ) -> Result<Option<(Written, bool)>, Error> {
        let messages = &*for_template(messages);
        let Some((text, said)) = write(messages)? else {
            return Ok(None);
        };
        // Marks that are not the guard's own are no marks. They are as long as what takes their
        // place.
        let text = text.replace([OPEN, CLOSE], "\u{FFFD}");
        let as_it_is = ((text, said), false);
        let Some(veil) = &self.veil else {
            return Ok(Some(as_it_is));
        };
        let Some(hidden) = veil.hide(messages) else {
            return Ok(Some(as_it_is));
        };
        let veiled = write(&hidden).map_err(|error| match error {
            Error::Tokenize { message } => Error::Tokenize {
                message: format!("{message}: it looks at texts, of which a turn may be forged"),
            },
            other => other,
        });
        let Some((veiled, said)) = veiled? else {
            return Ok(Some(as_it_is));
        };
        let shown = Shown::new(&veiled, &said);
        let (foreign, own) = self.tokens(&shown);
        // The template looks at what people wrote, as for `</think>`: its text is as it would have
        // been where nobody wrote a token, unless it has others than its own.
        let text = &as_it_is.0.0;
        if shown.text != *text && !self.others.all && own == self.spelt(text) {
            return Ok(Some(as_it_is));
        }
        let found = !foreign.is_empty();
        let places = match self.others.all {
            true => shown.runs(),
            false => foreign,
        };
        Ok(Some((shown.marked(&places), found)))
    }

    /// Where somebody's characters are part of a token, and the tokens that are the template's own
    /// or the assistant's to have.
    fn tokens(&self, shown: &Shown) -> (Vec<Range<usize>>, Vec<&str>) {
        let (mut foreign, mut own) = (Vec::new(), Vec::new());
        for (at, token) in self.others.find(&shown.text) {
            let place = at..at + token.len();
            let (others, answers) = shown.whose(&place);
            if others || answers && self.answers.has(token) {
                foreign.push(place);
            } else {
                own.push(token);
            }
        }
        (foreign, own)
    }

    fn spelt(&self, text: &str) -> Vec<&str> {
        self.others.find(text).map(|(_, token)| token).collect()
    }
}

/// The messages as a template may see them: which of them are context only is none of its business.
fn for_template(messages: &[Message]) -> Cow<'_, [Message]> {
    let mut shown = Cow::Borrowed(messages);
    if messages.iter().any(|m| m.extra.contains_key(WEIGHT)) {
        for message in shown.to_mut() {
            message.extra.remove(WEIGHT);
        }
    }
    shown
}

/// The texts in quotes that a template is written with; its definition may be JSON.
fn literals(definition: &str) -> Vec<String> {
    fn sources(value: Value, to: &mut Vec<String>) {
        match value {
            Value::String(text) => to.push(text),
            Value::Array(items) => items.into_iter().for_each(|item| sources(item, to)),
            _ => {}
        }
    }
    let mut texts = Vec::new();
    match serde_json::from_str(definition) {
        Ok(value) => sources(value, &mut texts),
        Err(_) => texts.push(definition.to_string()),
    }
    let mut literals = Vec::new();
    for text in &texts {
        for quote in ['\'', '"'] {
            literals.extend(text.split(quote).skip(1).map(str::to_string));
        }
    }
    literals
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
