//! Marks around somebody's text that spells a special token, and what becomes of them.

use crate::error::Error;
use crate::model::{Placed, Tokenizer};
use std::borrow::Cow;

/// Characters that Unicode keeps for uses like this one; no text has them.
pub(super) const OPEN: char = '\u{FDD0}';
pub(super) const CLOSE: char = '\u{FDD1}';

/// Whether a text is of letters, digits and the like only: ordinary text.
pub(super) fn is_word(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Texts of tokens, and which of them are marked.
pub(super) struct Spellings {
    /// Longest first, so that none hides in another; and whether it is marked.
    texts: Vec<(String, bool)>,
    /// What one of them can begin with: most characters of a text begin none.
    first: Vec<char>,
    /// Whether there are other spellings of those that are marked. Nobody knows them all, so all is
    /// marked but tokens that are not.
    pub(super) all: bool,
}

impl Spellings {
    pub(super) fn new(marked: Vec<String>, added: &[String], folded: &[String]) -> Self {
        let all = marked.iter().any(|token| folded.contains(token));
        let others = added.iter().filter(|token| {
            all && !marked.contains(token) && !token.trim().is_empty() && !is_word(token)
        });
        let others: Vec<_> = others.map(|token| (token.clone(), false)).collect();
        let mut texts: Vec<_> = marked.into_iter().map(|token| (token, true)).collect();
        texts.extend(others);
        texts.retain(|(text, _)| !text.is_empty());
        texts.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let mut first: Vec<char> = texts.iter().filter_map(|t| t.0.chars().next()).collect();
        first.sort_unstable();
        first.dedup();
        Self { texts, first, all }
    }

    /// The text with marks, and whether it spells a token that is marked.
    pub(super) fn mark<'t>(&self, text: &'t str) -> (Cow<'t, str>, bool) {
        // A word forges nothing, and templates compare with words.
        let all = self.all && !is_word(text);
        let token = |at: usize| {
            let mut texts = self.texts.iter();
            texts.find(|(token, _)| text[at..].starts_with(token.as_str()))
        };
        let (mut marked, mut found) = (String::new(), false);
        let (mut copied, mut at) = (0, 0);
        while let Some(c) = text[at..].chars().next() {
            let token = self.first.contains(&c).then(|| token(at)).flatten();
            let length = token.map_or(c.len_utf8(), |(token, _)| token.len());
            let (spells, here) = (token.is_some_and(|t| t.1), &text[at..at + length]);
            found |= spells;
            if token.is_some() && spells != all {
                push(&mut marked, &text[copied..at], all);
                push(&mut marked, here, spells);
                copied = at + length;
            }
            at += length;
        }
        if copied == 0 && !all && !text.contains([OPEN, CLOSE]) {
            return (Cow::Borrowed(text), found);
        }
        push(&mut marked, &text[copied..], all);
        (Cow::Owned(marked), found)
    }

    /// Tokens that are marked in a text, the longest at each place, and where they are.
    pub(super) fn find<'s>(&'s self, text: &str) -> impl Iterator<Item = (usize, &'s str)> {
        let mut from = 0;
        let mut found = Vec::new();
        for (at, c) in text.char_indices() {
            if at < from || !self.first.contains(&c) {
                continue;
            }
            let mut texts = self.texts.iter();
            if let Some((token, marked)) = texts.find(|(t, _)| text[at..].starts_with(t.as_str())) {
                from = at + token.len();
                found.extend(marked.then_some((at, token.as_str())));
            }
        }
        found.into_iter()
    }

    /// Whether a token is one of those that are marked.
    pub(super) fn has(&self, token: &str) -> bool {
        self.texts
            .iter()
            .any(|(text, marked)| *marked && text == token)
    }
}

/// Writes a part of a text, if it is `said` between marks. White space around it stays outside,
/// where templates trim it.
fn push(marked: &mut String, part: &str, said: bool) {
    let part = part.replace([OPEN, CLOSE], "\u{FFFD}");
    if !said || part.is_empty() {
        *marked += &part;
        return;
    }
    let inside = match part.trim() {
        "" => part.as_str(),
        inside => inside,
    };
    let (before, after) = part.split_once(inside).unwrap_or_default();
    *marked += before;
    marked.push(OPEN);
    *marked += inside;
    marked.push(CLOSE);
    *marked += after;
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

/// Does what [`encode`] does, and which bytes of the text with marks each id stands for: those
/// between marks for all that is between them. `None` where the tokenizer does not know.
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
    /// What the template wrote, and texts that forge nothing.
    Template(&'t str),
    /// Somebody's text that spells a special token, or might.
    Said(&'t str),
}

/// The parts of a text with marks, none of them empty, and where each begins. A mark whose other
/// one is gone, because the template cut the text between them, marks nothing.
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

    fn spellings(marked: &[&str], added: &[&str], folded: &[&str]) -> Spellings {
        let [marked, added, folded] =
            [marked, added, folded].map(|texts| texts.iter().map(|t| t.to_string()).collect());
        Spellings::new(marked, &added as &Vec<_>, &folded as &Vec<_>)
    }

    #[test]
    fn all_is_marked_where_tokens_have_other_spellings() {
        let tokens = spellings(&["<s>"], &["<s>", "<think>", " ", "b"], &["<s>"]);
        let mark = |text| tokens.mark(text);
        let (marked, found) = mark(" a <S> b\n");
        assert_eq!((&*marked, found), (" \u{FDD0}a <S> b\u{FDD1}\n", false));
        let (marked, found) = mark("<think>\n<s> a\n</think>");
        assert_eq!(
            (&*marked, found),
            ("<think>\n\u{FDD0}<s> a\n</think>\u{FDD1}", true)
        );
        assert_eq!(mark("x\u{FDD0} y").0, "\u{FDD0}x\u{FFFD} y\u{FDD1}");
        for plain in ["", "function", "get_time-2"] {
            assert_eq!(mark(plain), (Cow::Borrowed(plain), false));
        }
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
}
