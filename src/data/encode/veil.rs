//! Stand-ins for the characters of what people wrote, so that it is known where they end up.

use super::marks::is_word;
use super::shown::{ANSWERS, GAP, OTHERS, Shown, plain};
use crate::model::{Message, TOOLS};
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of the longest text that a template looks for.
const LONGEST: usize = 64;

/// What a template may make of texts without them by writing numbers, lists, mappings and dates, by
/// escapes and the like. Words have some of them.
const MADE: &str = "\"'\\[](){},:;&#%.-+/_";

/// What is hidden of what people wrote.
pub(super) struct Veil {
    answers: Hidden,
    others: Hidden,
    /// For each token, signs of which it needs one from what people wrote, since the template has
    /// none to lend.
    keys: Vec<Vec<char>>,
    /// Characters too far up, by their places in the gap.
    far: Vec<char>,
}

/// What is hidden of what one side wrote: the characters of its tokens, since a token of the
/// template's has none of them from elsewhere.
struct Hidden {
    /// By the character that they begin with, in order.
    starts: Vec<(char, Start)>,
    /// Whether all is hidden, since tokens have other spellings.
    all: bool,
    base: u32,
}

/// What is known of a character.
#[derive(Default)]
struct Start {
    is_hidden: bool,
    /// Tokens that begin with it, longest first: whoever spells one spells it whole.
    tokens: Vec<String>,
    /// Texts that stay as they are, for a template to find, in any case: longest first.
    bare: Vec<String>,
}

impl Veil {
    /// For tokens of both sides, all tokens that there are, texts that the template may compare
    /// with, and all that it writes, if nothing else is among it and what people wrote.
    pub(super) fn new(
        answers: &[String],
        others: &[String],
        added: &[String],
        texts: &[String],
        lent: Option<&[String]>,
    ) -> Self {
        let mut far: Vec<char> = others.iter().flat_map(|token| token.chars()).collect();
        far.retain(|c| *c as u32 > 0xFFFD);
        far.sort_unstable();
        far.dedup();
        far.truncate(GAP.len());
        // Words lend no signs.
        let lent = lent.map(|texts| {
            let signed = texts.iter().filter(|text| text.contains(is_sign));
            signed.map(String::as_str).collect::<Vec<_>>()
        });
        let keys = others.iter().map(|token| match &lent {
            Some(texts) => key(token, texts),
            None => Vec::new(),
        });
        let mut keys: Vec<Vec<char>> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        Self {
            answers: Hidden::new(answers, added, texts, ANSWERS),
            others: Hidden::new(others, added, texts, OTHERS),
            keys,
            far,
        }
    }

    /// Hides all, if tokens have other spellings.
    pub(super) fn folded(mut self, all: bool) -> Self {
        self.answers.all = all;
        self.others.all = all;
        if all {
            self.keys.iter_mut().for_each(Vec::clear);
        }
        self
    }

    /// Whether some token may have characters of what people wrote: for each other one something is
    /// missing there.
    pub(super) fn is_needed(&self, messages: &[Message]) -> bool {
        let mut signs: Vec<char> = self.keys.concat();
        signs.sort_unstable();
        signs.dedup();
        let mut sign = [0; 4];
        signs.retain(|c| wrote(messages, c.encode_utf8(&mut sign)));
        let all_there = |key: &Vec<char>| key.iter().all(|sign| signs.contains(sign));
        self.keys.iter().any(all_there)
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
            changed |= side.text(&mut message.content, &self.far);
            for (key, value) in &mut message.extra {
                // No assistant wrote those.
                let side = if key == TOOLS { &self.others } else { side };
                changed |= side.value(value, &self.far);
            }
        }
        changed.then_some(hidden)
    }

    /// A text that was written with stand-ins, without them.
    pub(super) fn lift(&self, veiled: &str) -> Shown {
        Shown::new(veiled, &self.far)
    }
}

/// What only the texts of a template can bring in, and what people wrote.
fn is_sign(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace() && !MADE.contains(c)
}

/// Signs of a token that no text of the template lends: none ends with what the token begins with,
/// begins with what it ends with, or is a part of it.
fn key(token: &str, texts: &[&str]) -> Vec<char> {
    let mut key: Vec<char> = token.chars().filter(|c| is_sign(*c)).collect();
    key.sort_unstable();
    key.dedup();
    let cuts = token
        .char_indices()
        .skip(1)
        .map(|(at, _)| token.split_at(at));
    let cuts: Vec<(&str, &str)> = cuts.collect();
    for text in texts.iter().flat_map(|text| [*text, text.trim()]) {
        let begins = cuts
            .iter()
            .map(|cut| cut.0)
            .filter(|part| text.ends_with(part));
        let ends = cuts
            .iter()
            .map(|cut| cut.1)
            .filter(|part| text.starts_with(part));
        let within = Some(text).filter(|text| token != *text && token.contains(text));
        // It may be a pattern.
        let whole = Some(text).filter(|text| text.contains(['%', '{', '}']));
        for lent in begins.chain(ends).chain(within).chain(whole) {
            key.retain(|c| !lent.contains(*c));
        }
    }
    key
}

/// Whether somebody wrote a text.
pub(super) fn wrote(messages: &[Message], text: &str) -> bool {
    fn has(value: &Value, text: &str) -> bool {
        match value {
            Value::String(said) => said.contains(text),
            Value::Array(items) => items.iter().any(|item| has(item, text)),
            Value::Object(map) => {
                let mut entries = map.iter();
                entries.any(|(key, value)| key.contains(text) || has(value, text))
            }
            _ => false,
        }
    }
    messages.iter().any(|message| {
        message.content.contains(text) || message.extra.values().any(|value| has(value, text))
    })
}

impl Hidden {
    fn new(tokens: &[String], added: &[String], texts: &[String], base: u32) -> Self {
        let mut starts = BTreeMap::<char, Start>::new();
        let letters = tokens.iter().flat_map(|token| token.chars());
        let letters = letters.flat_map(|c| c.to_lowercase().chain(c.to_uppercase()).chain([c]));
        for c in letters.filter(|c| !plain(*c)) {
            starts.entry(c).or_default().is_hidden = true;
        }
        let longest_first = |mut texts: Vec<String>| {
            texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            texts.dedup();
            texts
        };
        let small: Vec<String> = tokens.iter().map(|token| token.to_lowercase()).collect();
        let bare = |text: &&String| {
            let (first, part) = (text.chars().next(), text.to_lowercase());
            let hidden = |c| starts.get(&c).is_some_and(|start| start.is_hidden);
            (2..=LONGEST).contains(&text.len())
                && !first.is_some_and(char::is_whitespace)
                && text.contains(hidden)
                && !small
                    .iter()
                    .any(|t| t.contains(&part) || part.contains(t.as_str()))
        };
        let bare = added.iter().chain(texts).filter(bare).cloned().collect();
        for text in longest_first(bare) {
            let first = text.chars().next().unwrap_or_default();
            let mut cases = vec![first.to_ascii_lowercase(), first.to_ascii_uppercase()];
            cases.dedup();
            for c in cases {
                starts.entry(c).or_default().bare.push(text.clone());
            }
        }
        for token in longest_first(tokens.to_vec()) {
            if let Some(c) = token.chars().next() {
                starts.entry(c).or_default().tokens.push(token);
            }
        }
        Self {
            starts: starts.into_iter().collect(),
            all: false,
            base,
        }
    }

    fn start(&self, c: char) -> Option<&Start> {
        let found = self.starts.binary_search_by_key(&c, |(start, _)| *start);
        found.ok().map(|at| &self.starts[at].1)
    }

    fn stand_in(&self, c: char, far: &[char]) -> char {
        let code = match far.binary_search(&c) {
            Ok(place) => GAP.start + place as u32,
            Err(_) => c as u32,
        };
        char::from_u32(self.base + code).unwrap_or(c)
    }

    /// Hides a text; whether it changed.
    fn text(&self, text: &mut String, far: &[char]) -> bool {
        let mut hidden = String::with_capacity(2 * text.len());
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            let start = self.start(c);
            let mut length = c.len_utf8();
            let token = start.and_then(|start| {
                let mut tokens = start.tokens.iter();
                tokens.find(|token| rest.starts_with(token.as_str()))
            });
            let bare = start.and_then(|start| {
                let same = |text: &&String| {
                    let here = rest.as_bytes().get(..text.len());
                    here.is_some_and(|here| here.eq_ignore_ascii_case(text.as_bytes()))
                };
                start.bare.iter().find(same)
            });
            if let Some(token) = token {
                hidden.extend(token.chars().map(|c| self.stand_in(c, far)));
                length = token.len();
            } else if let Some(bare) = bare {
                hidden += &rest[..bare.len()];
                length = bare.len();
            } else if start.is_some_and(|start| start.is_hidden)
                || self.all && !plain(c) && !matches!(c, '"' | '\\')
            {
                hidden.push(self.stand_in(c, far));
            } else {
                // A stand-in that somebody wrote is none.
                hidden.push(if c as u32 >= OTHERS { '\u{FFFD}' } else { c });
            }
            rest = &rest[length..];
        }
        let changed = hidden != *text;
        *text = hidden;
        changed
    }

    /// Hides all texts and keys of a value, but words, with which templates compare; whether it
    /// changed.
    fn value(&self, value: &mut Value, far: &[char]) -> bool {
        match value {
            Value::String(text) => !is_word(text) && self.text(text, far),
            Value::Array(items) => items
                .iter_mut()
                .fold(false, |changed, item| self.value(item, far) | changed),
            Value::Object(map) => {
                let mut changed = false;
                let entries = std::mem::take(map).into_iter();
                let entries = entries.map(|(mut key, mut value)| {
                    changed |= !is_word(&key) && self.text(&mut key, far);
                    changed |= self.value(&mut value, far);
                    (key, value)
                });
                *map = entries.collect();
                changed
            }
            _ => false,
        }
    }
}
