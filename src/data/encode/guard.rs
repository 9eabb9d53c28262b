//! What people wrote stays text, whatever it spells.
//!
//! A chat template puts special tokens between turns, and a tokenizer knows them by their text.
//! Feedback that spells such a text would end its turn and begin another; a template that edits
//! texts may even make one of what spells none. So it is looked at what comes out: a conversation
//! is written a second time with stand-ins for the characters of what people wrote
//! ([`veil`](super::veil)), and a token that has one of them is text.

use super::marks::{CLOSE, OPEN, Spellings, is_word};
use super::shown::{Shown, marked};
use super::veil::{Veil, wrote};
use crate::data::example::Prompt;
use crate::data::reason::DropReason;
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

/// By which a template may put tokens of its own in a text, where somebody wrote something else.
const EDITS: [&str; 3] = ["replace", "split", "join"];

/// A conversation as the template writes it, and what of it the assistant said.
type Written = (String, Vec<Range<usize>>);

/// Why a conversation has no text.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// The template refuses it.
    Refused(Error),
    /// The template writes others of its own tokens for other texts, so that it is not known which
    /// of those in the text are its own.
    Unclear,
}

impl From<Error> for Unwritten {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Unwritten {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Unclear => Error::Tokenize {
                message: DropReason::TokensUnclear.to_string(),
            },
        }
    }
}

/// A special token in a text: where, what it spells, and whether somebody's characters are part of
/// it who may not have it, so that it is text.
type Found<'g> = (Range<usize>, &'g str, bool);

impl Guard {
    pub(super) fn new(tokenizer: &dyn Tokenizer, template: &dyn ChatTemplate) -> Self {
        let (special, added) = (tokenizer.special_tokens(), tokenizer.added_tokens());
        let made_of = template.texts();
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
        let texts = made_of.as_ref();
        let literals = texts.map_or_else(|| Cow::Owned(literals(&template)), Cow::Borrowed);
        let plain = !EDITS.iter().any(|edit| template.contains(edit));
        let lent = texts.filter(|_| plain).map(|texts| texts.as_slice());
        let veil = Veil::new(&special, &others, &added, &literals, lent);
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
    /// Where the template refuses, or its tokens are not clear.
    pub(super) fn prompt(
        &self,
        template: &dyn ChatTemplate,
        prompt: &Prompt,
    ) -> Result<(String, bool), Unwritten> {
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
    /// Where the template refuses, or its tokens are not clear.
    pub(super) fn conversation(
        &self,
        template: &dyn ChatTemplate,
        messages: &[Message],
        generation_prompt: bool,
    ) -> Result<(String, bool), Unwritten> {
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
    /// Where the template refuses, or its tokens are not clear.
    pub(super) fn marked(
        &self,
        template: &dyn ChatTemplate,
        messages: &[Message],
    ) -> Result<(Option<Marked>, bool), Unwritten> {
        let written = self.guarded(messages, |messages| template.render_marked(messages))?;
        Ok(written.map_or((None, false), |(marked, found)| (Some(marked), found)))
    }

    fn guarded(
        &self,
        messages: &[Message],
        write: impl Fn(&[Message]) -> Result<Option<Written>, Error>,
    ) -> Result<Option<(Written, bool)>, Unwritten> {
        let messages = &*for_template(messages);
        let Some((text, said)) = write(messages)? else {
            return Ok(None);
        };
        // Marks that are not the guard's own are no marks. They are as long as what takes their
        // place.
        let text = text.replace([OPEN, CLOSE], "\u{FFFD}");
        let Some(veil) = &self.veil else {
            return Ok(Some(((text, said), false)));
        };
        let hidden = Some(veil).filter(|veil| veil.is_needed(messages));
        let Some(hidden) = hidden.and_then(|veil| veil.hide(messages)) else {
            return Ok(Some(((text, said), false)));
        };
        let veiled = write(&hidden).map_err(|error| match error {
            Error::Tokenize { message } => Error::Tokenize {
                message: format!("{message}: it looks at texts, of which a turn may be forged"),
            },
            other => other,
        });
        let Some((veiled, _)) = veiled? else {
            return Ok(Some(((text, said), false)));
        };
        let shown = veil.lift(&veiled);
        let tokens = self.tokens(&shown, &text, messages);
        let tokens = tokens.ok_or(Unwritten::Unclear)?;
        let found = tokens.iter().any(|(_, _, foreign)| *foreign);
        let places = match self.others.all {
            false => places(tokens, true),
            true if shown.text == text => shown.runs(),
            // Whatever else is in there, in whatever spelling, is text.
            true => between(&text, &places(tokens, false)),
        };
        Ok(Some((marked(&text, &said, &places), found)))
    }

    /// Tokens of the text that the template writes, by what was shown to be somebody's in the one
    /// with stand-ins; `None` where that does not tell.
    fn tokens(&self, shown: &Shown, text: &str, messages: &[Message]) -> Option<Vec<Found<'_>>> {
        let foreign = |token: &str, (others, answers): (bool, bool)| {
            others || answers && self.answers.has(token)
        };
        let find = |text: &str| {
            let found = self.others.find(text);
            let found = found.map(|(at, token)| (at..at + token.len(), token));
            found.collect::<Vec<_>>()
        };
        let seen = find(&shown.text).into_iter().map(|(place, token)| {
            let foreign = foreign(token, shown.whose(&place));
            (place, token, foreign)
        });
        let seen: Vec<_> = seen.collect();
        if shown.text == text {
            return Some(seen);
        }
        // The template looks at what people wrote. Where it has the same tokens, they are those.
        let spelt = find(text);
        let names = || spelt.iter().map(|(_, token)| *token);
        let own = seen.iter().filter(|(_, _, foreign)| !foreign);
        if own.map(|(_, token, _)| *token).eq(names()) {
            let own = spelt
                .into_iter()
                .map(|(place, token)| (place, token, false));
            return Some(own.collect());
        }
        if seen.iter().map(|(_, token, _)| *token).eq(names()) {
            let both = spelt.into_iter().zip(seen);
            let both = both.map(|((place, token), (_, _, foreign))| (place, token, foreign));
            return Some(both.collect());
        }
        // A token that is there as a whole may be either's.
        let brought = |part: &str| wrote(messages, part) && find(part).is_empty();
        let whose = shown.whose_of(text, |part| wrote(messages, part), brought)?;
        let spelt = spelt.into_iter().map(|(place, token)| {
            let foreign = foreign(token, whose(&place));
            (place, token, foreign)
        });
        Some(spelt.collect())
    }
}

/// Where tokens are that somebody spelt, or those that are not.
fn places(tokens: Vec<Found<'_>>, wanted: bool) -> Vec<Range<usize>> {
    let tokens = tokens
        .into_iter()
        .filter(|(_, _, foreign)| *foreign == wanted);
    tokens.map(|(place, _, _)| place).collect()
}

/// What is between places, without white space at its ends.
fn between(text: &str, places: &[Range<usize>]) -> Vec<Range<usize>> {
    let starts = std::iter::once(0).chain(places.iter().map(|place| place.end));
    let ends = places.iter().map(|place| place.start).chain([text.len()]);
    let parts = starts.zip(ends).map(|(start, end)| {
        let part = text[start..end].trim_start();
        let start = end - part.len();
        start..start + part.trim_end().len()
    });
    parts.filter(|part| !part.is_empty()).collect()
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

#[cfg(all(test, feature = "tokenizers"))]
#[path = "guard_tests.rs"]
mod tests;
