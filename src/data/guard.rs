//! What people wrote stays text, whatever it spells.
//!
//! A chat template puts special tokens between turns, and a tokenizer knows them by their text. Feedback that spells such a text would end its turn and begin
//! another. So it is marked before the template writes it, and what stands between the marks is tokenized as text.

use super::example::Prompt;
use crate::error::Error;
use crate::model::{Message, Placed, Tokenizer};
use serde_json::Value;
use std::borrow::Cow;

/// Characters that Unicode keeps for uses like this one; no text has them.
const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// Marks special tokens in what people wrote.
pub(super) struct Guard {
    /// Longest first, so that no token hides in another.
    specials: Vec<String>,
    /// What one of them can begin with: most characters of a text begin none.
    first: Vec<char>,
}

impl Guard {
    pub(super) fn new(tokenizer: &dyn Tokenizer) -> Self {
        Self::of(tokenizer.special_tokens())
    }

    fn of(mut specials: Vec<String>) -> Self {
        specials.retain(|special| !special.is_empty());
        specials.sort_by_key(|special| std::cmp::Reverse(special.len()));
        let mut first: Vec<char> = specials.iter().filter_map(|s| s.chars().next()).collect();
        first.sort_unstable();
        first.dedup();
        Self { specials, first }
    }

    /// Without any special token.
    pub(super) fn off() -> Self {
        Self::of(Vec::new())
    }

    /// The text with marks, and whether there is any.
    pub(super) fn text<'t>(&self, text: &'t str) -> (Cow<'t, str>, bool) {
        let special = |at: usize| {
            let found = self.specials.iter();
            found
                .map(String::as_str)
                .find(|s| text[at..].starts_with(s))
        };
        let mut marked = String::new();
        let (mut copied, mut at) = (0, 0);
        while let Some(c) = text[at..].chars().next() {
            let special = self.first.contains(&c).then(|| special(at)).flatten();
            match special {
                Some(special) => {
                    marked += &text[copied..at];
                    marked.push(OPEN);
                    marked += special;
                    marked.push(CLOSE);
                    at += special.len();
                    copied = at;
                }
                None if c == OPEN || c == CLOSE => {
                    marked += &text[copied..at];
                    marked.push(char::REPLACEMENT_CHARACTER);
                    at += c.len_utf8();
                    copied = at;
                }
                None => at += c.len_utf8(),
            }
        }
        if copied == 0 {
            return (Cow::Borrowed(text), false);
        }
        marked += &text[copied..];
        (Cow::Owned(marked), true)
    }

    /// The prompt with marks, and whether there is any.
    pub(super) fn prompt<'p>(&self, prompt: &'p Prompt) -> (Cow<'p, Prompt>, bool) {
        match prompt {
            Prompt::Text(text) => match self.text(text) {
                (Cow::Owned(text), found) => (Cow::Owned(Prompt::Text(text)), found),
                (Cow::Borrowed(_), _) => (Cow::Borrowed(prompt), false),
            },
            Prompt::Messages(messages) => match self.messages(messages) {
                (Cow::Owned(marked), found) => (Cow::Owned(Prompt::Messages(marked)), found),
                (Cow::Borrowed(_), _) => (Cow::Borrowed(prompt), false),
            },
        }
    }

    /// The messages with marks, and whether there is any.
    pub(super) fn messages<'m>(&self, messages: &'m [Message]) -> (Cow<'m, [Message]>, bool) {
        let marked: Vec<_> = messages.iter().map(|m| self.message(m)).collect();
        if marked.iter().all(Option::is_none) {
            return (Cow::Borrowed(messages), false);
        }
        let marked = messages.iter().zip(marked);
        let marked = marked.map(|(m, marked)| marked.unwrap_or_else(|| m.clone()));
        (Cow::Owned(marked.collect()), true)
    }

    /// The message with marks, if it needs any.
    fn message(&self, message: &Message) -> Option<Message> {
        let (content, mut found) = self.text(&message.content);
        let mut marked = Message {
            content: content.into_owned(),
            ..message.clone()
        };
        for value in marked.extra.values_mut() {
            found |= self.value(value);
        }
        found.then_some(marked)
    }

    /// Marks all texts in a value; whether there is anything to mark.
    fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let (marked, found) = self.text(text);
                if found {
                    *value = marked.into_owned().into();
                }
                found
            }
            Value::Array(items) => items
                .iter_mut()
                .fold(false, |found, item| self.value(item) | found),
            Value::Object(map) => map
                .values_mut()
                .fold(false, |found, item| self.value(item) | found),
            _ => false,
        }
    }
}

/// Where the part of a text begins that has no marks before its end.
pub(super) fn after_marks(text: &str) -> usize {
    text.rfind(CLOSE).map_or(0, |at| at + CLOSE.len_utf8())
}

/// Ids of a text with marks.
pub(super) fn encode(tokenizer: &dyn Tokenizer, text: &str) -> Result<Vec<u32>, Error> {
    if !text.contains([OPEN, CLOSE]) {
        return tokenizer.encode(text);
    }
    let mut ids = Vec::new();
    for (_, part) in parts(text) {
        ids.extend(match part {
            Part::Template(part) => tokenizer.encode(part)?,
            Part::Said(part) => tokenizer.encode_text(part)?,
        });
    }
    Ok(ids)
}

/// As [`encode`], and which bytes of the text with marks each id stands for: those between marks for all that is between them. `None` where the tokenizer
/// does not know.
pub(super) fn encode_with_offsets(
    tokenizer: &dyn Tokenizer,
    text: &str,
) -> Result<Option<Vec<Placed>>, Error> {
    let mut ids = Vec::new();
    for (at, part) in parts(text) {
        match part {
            Part::Template(part) => match tokenizer.encode_with_offsets(part)? {
                None => return Ok(None),
                Some(part) => ids.extend(
                    part.into_iter()
                        .map(|(id, b)| (id, at + b.start..at + b.end)),
                ),
            },
            Part::Said(part) => {
                let said = tokenizer.encode_text(part)?.into_iter();
                ids.extend(said.map(|id| (id, at..at + part.len())));
            }
        }
    }
    Ok(Some(ids))
}

/// A part of a text with marks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part<'t> {
    /// What the template wrote, and texts without special tokens.
    Template(&'t str),
    /// Somebody's text that spells a special token.
    Said(&'t str),
}

/// The parts of a text with marks, none of them empty, and where each begins. A mark whose other one is gone, because the template cut the text between
/// them, marks nothing.
fn parts<'t>(text: &'t str) -> Vec<(usize, Part<'t>)> {
    let mut parts = Vec::new();
    let mut push = |from: usize, part: Part<'t>| {
        let (Part::Template(text) | Part::Said(text)) = part;
        if !text.is_empty() {
            parts.push((from, part));
        }
    };
    let (mut done, mut open) = (0, None);
    for (at, mark) in text.match_indices([OPEN, CLOSE]) {
        let behind = at + mark.len();
        match open.take() {
            Some(from) if mark.starts_with(CLOSE) => push(from, Part::Said(&text[from..at])),
            // The opening mark before was alone.
            _ => push(done, Part::Template(&text[done..at])),
        }
        if mark.starts_with(OPEN) {
            open = Some(behind);
        }
        done = behind;
    }
    push(done, Part::Template(&text[done..]));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(specials: &[&str]) -> Guard {
        Guard::of(specials.iter().map(|s| s.to_string()).collect())
    }

    #[test]
    fn calls_of_tools_are_marked_too() {
        let mut message = Message::new("assistant", "");
        let calls = serde_json::json!([{"arguments": {"text": "<s>", "n": 1}}]);
        message.extra.insert("tool_calls".into(), calls);
        let prompt = Prompt::Messages(vec![message]);
        let (marked, found) = guard(&["<s>"]).prompt(&prompt);
        let Prompt::Messages(marked) = &*marked else {
            panic!()
        };
        assert!(found);
        assert_eq!(
            marked[0].extra["tool_calls"][0]["arguments"]["text"],
            "\u{FDD0}<s>\u{FDD1}"
        );
    }

    #[test]
    fn marks_that_a_template_tore_apart_mark_nothing() {
        use Part::{Said, Template};
        let whole = parts("a\u{FDD0}<s>\u{FDD1}b");
        assert_eq!(
            whole,
            [(0, Template("a")), (4, Said("<s>")), (10, Template("b"))]
        );
        assert_eq!(parts("\u{FDD1}b<s>"), [(3, Template("b<s>"))]);
        assert_eq!(
            parts("a\u{FDD0}b\u{FDD0}<s>\u{FDD1}"),
            [(0, Template("a")), (4, Template("b")), (8, Said("<s>"))]
        );
        assert_eq!(
            parts("a\u{FDD0}b"),
            [(0, Template("a")), (4, Template("b"))]
        );
        assert_eq!(parts(""), []);
    }

    #[test]
    fn the_longest_special_is_marked_and_marks_in_the_text_are_not_marks() {
        let guard = guard(&["<s>", "<s>>"]);
        let (marked, found) = guard.text("a<s>>b<s>");
        assert_eq!(marked, "a\u{FDD0}<s>>\u{FDD1}b\u{FDD0}<s>\u{FDD1}");
        assert!(found);
        assert_eq!(guard.text("ä plain"), (Cow::Borrowed("ä plain"), false));
        assert_eq!(guard.text("x\u{FDD0}y").0, "x\u{FFFD}y");
        assert_eq!(guard.text("").0, "");
    }
}
