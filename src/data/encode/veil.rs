//! Stand-ins for the characters of what people wrote, so that it is known where they end up.

use super::marks::{CLOSE, OPEN, is_word};
use crate::model::{Message, TOOLS};
use serde_json::Value;
use std::ops::Range;

/// Stand-ins are of the planes that Unicode leaves to private use: as far above a character as
/// this, for what the assistant said and for all else.
const OTHERS: u32 = 0xF0000;
const ANSWERS: u32 = 0x100000;

/// Bytes of the longest text that a template looks for.
const LONGEST: usize = 64;

/// What is hidden of what people wrote.
pub(super) struct Veil {
    answers: Hidden,
    others: Hidden,
}

/// What is hidden of what one side wrote: the characters of its tokens, since a token of the
/// template's has none of them from elsewhere.
struct Hidden {
    characters: Vec<char>,
    /// Texts that stay as they are, for a template to find: longest first.
    bare: Vec<String>,
    /// Whether all is hidden, since tokens have other spellings.
    all: bool,
    base: u32,
}

impl Veil {
    /// For tokens of both sides, all tokens that there are, and texts that the template is written
    /// with.
    pub(super) fn new(
        answers: &[String],
        others: &[String],
        added: &[String],
        literals: &[String],
    ) -> Self {
        let hidden = |tokens: &[String], base| {
            let letters = tokens.iter().flat_map(|token| token.chars());
            let letters = letters.flat_map(|c| c.to_lowercase().chain(c.to_uppercase()).chain([c]));
            let mut characters: Vec<char> = letters.filter(|c| !plain(*c)).collect();
            characters.sort_unstable();
            characters.dedup();
            let bare = |text: &&String| {
                let token = |token: &String| token.contains(*text) || text.contains(token.as_str());
                let signs = |c: char| !c.is_alphanumeric() && characters.binary_search(&c).is_ok();
                let fits = (2..=LONGEST).contains(&text.len()) && text.contains(signs);
                fits && !text.starts_with(char::is_whitespace) && !tokens.iter().any(token)
            };
            let mut bare: Vec<String> =
                added.iter().chain(literals).filter(bare).cloned().collect();
            bare.sort_by_key(|text| std::cmp::Reverse(text.len()));
            bare.dedup();
            Hidden {
                characters,
                bare,
                all: false,
                base,
            }
        };
        Self {
            answers: hidden(answers, ANSWERS),
            others: hidden(others, OTHERS),
        }
    }

    /// Hides all, if tokens have other spellings.
    pub(super) fn folded(mut self, all: bool) -> Self {
        self.answers.all = all;
        self.others.all = all;
        self
    }

    /// The messages with stand-ins; `None` if they need none.
    pub(super) fn hide(&self, messages: &[Message]) -> Option<Vec<Message>> {
        let mut hidden = messages.to_vec();
        let mut changed = false;
        for message in &mut hidden {
            let side = match message.role.as_str() {
                "assistant" => &self.answers,
                _ => &self.others,
            };
            changed |= side.text(&mut message.content);
            for (key, value) in &mut message.extra {
                // No assistant wrote those.
                let side = if key == TOOLS { &self.others } else { side };
                changed |= side.value(value);
            }
        }
        changed.then_some(hidden)
    }
}

/// White space and digits, which templates trim and count with.
fn plain(c: char) -> bool {
    c.is_whitespace() || c.is_ascii_digit() || c as u32 > 0xFFFD
}

impl Hidden {
    fn character(&self, c: char) -> char {
        let all = self.all && !plain(c) && !matches!(c, '"' | '\\');
        if all || self.characters.binary_search(&c).is_ok() {
            return char::from_u32(self.base + c as u32).unwrap_or(c);
        }
        // A stand-in that somebody wrote is none.
        if c as u32 >= OTHERS { '\u{FFFD}' } else { c }
    }

    /// Hides a text; whether it changed.
    fn text(&self, text: &mut String) -> bool {
        let mut hidden = String::with_capacity(2 * text.len());
        let mut rest = text.as_str();
        let first: Vec<char> = self
            .bare
            .iter()
            .filter_map(|bare| bare.chars().next())
            .collect();
        while let Some(c) = rest.chars().next() {
            let bare = match first.contains(&c) {
                true => self
                    .bare
                    .iter()
                    .find(|bare| rest.starts_with(bare.as_str())),
                false => None,
            };
            let length = match bare {
                Some(bare) => {
                    hidden += bare;
                    bare.len()
                }
                None => {
                    hidden.push(self.character(c));
                    c.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        let changed = hidden != *text;
        *text = hidden;
        changed
    }

    /// Hides all texts and keys of a value, but words, with which templates compare; whether it
    /// changed.
    fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => !is_word(text) && self.text(text),
            Value::Array(items) => items
                .iter_mut()
                .fold(false, |changed, item| self.value(item) | changed),
            Value::Object(map) => {
                let mut changed = false;
                let entries = std::mem::take(map).into_iter();
                let entries = entries.map(|(mut key, mut value)| {
                    changed |= !is_word(&key) && self.text(&mut key);
                    changed |= self.value(&mut value);
                    (key, value)
                });
                *map = entries.collect();
                changed
            }
            _ => false,
        }
    }
}

/// A text that was written with stand-ins, without them, and where they were.
pub(super) struct Shown {
    pub(super) text: String,
    /// What the assistant said.
    said: Vec<Range<usize>>,
    /// Characters that had one, in order, and whether the assistant wrote them.
    hidden: Vec<(usize, bool)>,
}

impl Shown {
    /// From the text with stand-ins, and what the assistant said of it.
    pub(super) fn new(veiled: &str, said: &[Range<usize>]) -> Self {
        let (mut text, mut hidden) = (String::with_capacity(veiled.len()), Vec::new());
        let mut places = said
            .iter()
            .flat_map(|span| [span.start, span.end])
            .peekable();
        let mut moved = Vec::new();
        for (at, c) in veiled.char_indices() {
            while places.next_if(|place| *place <= at).is_some() {
                moved.push(text.len());
            }
            let code = c as u32;
            let answer = code >= ANSWERS;
            let base = if answer { ANSWERS } else { OTHERS };
            match code.checked_sub(base).and_then(char::from_u32) {
                Some(c) => {
                    hidden.push((text.len(), answer));
                    text.push(c);
                }
                None if [OPEN, CLOSE].contains(&c) => text.push('\u{FFFD}'),
                None => text.push(c),
            }
        }
        moved.extend(places.map(|_| text.len()));
        Self {
            text,
            said: moved.chunks_exact(2).map(|ends| ends[0]..ends[1]).collect(),
            hidden,
        }
    }

    /// Whether a part has characters of others, and whether it has some of the assistant's.
    pub(super) fn whose(&self, place: &Range<usize>) -> (bool, bool) {
        let from = self.hidden.partition_point(|(at, _)| *at < place.start);
        let inside = self.hidden[from..]
            .iter()
            .take_while(|(at, _)| *at < place.end);
        inside.fold((false, false), |(others, answers), (_, answer)| {
            (others || !answer, answers || *answer)
        })
    }

    /// Parts of which all characters were hidden, but for those between them that never are.
    pub(super) fn runs(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (at, _) in &self.hidden {
            let length = self.text[*at..].chars().next().map_or(1, char::len_utf8);
            let open = |c: char| plain(c) || matches!(c, '"' | '\\');
            match runs.last_mut() {
                Some(run) if self.text[run.end..*at].chars().all(open) => run.end = at + length,
                _ => runs.push(*at..at + length),
            }
        }
        runs
    }

    /// The text with marks around parts of it, and what the assistant said of that.
    pub(super) fn marked(&self, places: &[Range<usize>]) -> (String, Vec<Range<usize>>) {
        let mut marked = String::with_capacity(self.text.len() + 6 * places.len());
        let mut done = 0;
        for place in places {
            marked += &self.text[done..place.start];
            marked.push(OPEN);
            marked += &self.text[place.clone()];
            marked.push(CLOSE);
            done = place.end;
        }
        marked += &self.text[done..];
        // Both marks of a part that ends where the assistant begins are before that.
        let moved = |at: usize| {
            let opened = places.partition_point(|place| place.start < at);
            let closed = places.partition_point(|place| place.end <= at);
            at + (opened + closed) * OPEN.len_utf8()
        };
        let said = self.said.iter();
        let said = said.map(|span| moved(span.start)..moved(span.end));
        (marked, said.collect())
    }
}
