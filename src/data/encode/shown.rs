//! What became of a text with stand-ins, and where they ended up.

use super::marks::{CLOSE, OPEN};
use std::borrow::Cow;
use std::ops::Range;

/// Stand-ins are of the planes that Unicode leaves to private use: as far above a character as
/// this, for what the assistant said and for all else.
pub(super) const OTHERS: u32 = 0xF0000;
pub(super) const ANSWERS: u32 = 0x100000;

/// Characters that Unicode leaves out, whose places have stand-ins for those that are too far up to
/// have one.
pub(super) const GAP: Range<u32> = 0xD800..0xE000;

/// White space and digits, which templates trim and count with.
pub(super) fn plain(c: char) -> bool {
    c.is_whitespace() || c.is_ascii_digit() || c as u32 > 0xFFFD
}

/// The text with stand-ins that JSON or Python wrote as escapes, which they do not write the
/// characters as that they stand for.
fn unescaped(veiled: &str) -> Cow<'_, str> {
    if !veiled.contains("\\ud") && !veiled.contains("\\U") {
        return Cow::Borrowed(veiled);
    }
    let code = |text: &str, at: usize, digits: usize| {
        let digits = text.get(at..at + digits)?;
        u32::from_str_radix(digits, 16).ok()
    };
    // What an escape at the beginning stands for, and its length.
    let escape = |text: &str| match text.as_bytes() {
        [b'\\', b'U', ..] => Some((code(text, 2, 8)?, 10)),
        [b'\\', b'u', _, _, _, _, b'\\', b'u', ..] => {
            let (high, low) = (code(text, 2, 4)?, code(text, 8, 4)?);
            let pair = (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low);
            let code = 0x10000 + (high.wrapping_sub(0xD800) << 10) + low.wrapping_sub(0xDC00);
            pair.then_some((code, 12))
        }
        _ => None,
    };
    let (mut written, mut rest) = (String::with_capacity(veiled.len()), veiled);
    while let Some(at) = rest.find('\\') {
        written += &rest[..at];
        rest = &rest[at..];
        let stand_in = escape(rest).filter(|(code, _)| *code >= OTHERS);
        let stand_in = stand_in.and_then(|(code, length)| Some((char::from_u32(code)?, length)));
        let (c, length) = stand_in.unwrap_or(('\\', 1));
        written.push(c);
        rest = &rest[length..];
    }
    Cow::Owned(written + rest)
}

/// A text that was written with stand-ins, without them, and where they were.
pub(super) struct Shown {
    pub(super) text: String,
    /// Characters that had one, in order, and whether the assistant wrote them.
    hidden: Vec<(usize, bool)>,
}

impl Shown {
    /// From the text with stand-ins, and the characters whose stand-ins are in the gap.
    pub(super) fn new(veiled: &str, far: &[char]) -> Self {
        let original = |code: u32| match code.checked_sub(GAP.start) {
            Some(place) if GAP.contains(&code) => far.get(place as usize).copied(),
            _ => char::from_u32(code),
        };
        let (mut text, mut hidden) = (String::with_capacity(veiled.len()), Vec::new());
        for c in unescaped(veiled).chars() {
            let code = c as u32;
            let answer = code >= ANSWERS;
            let base = if answer { ANSWERS } else { OTHERS };
            match code.checked_sub(base).and_then(original) {
                Some(c) => {
                    hidden.push((text.len(), answer));
                    text.push(c);
                }
                None if [OPEN, CLOSE].contains(&c) => text.push('\u{FFFD}'),
                None => text.push(c),
            }
        }
        Self { text, hidden }
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

    /// Whose parts of another text are, as [`whose`](Self::whose) tells, that is this one but for
    /// case and for one place, at which a text became another that somebody wrote, or came in as
    /// somebody's. `None` if it is not.
    pub(super) fn whose_of<'s>(
        &'s self,
        other: &'s str,
        edited: impl Fn(&str) -> bool,
        brought: impl Fn(&str) -> bool,
    ) -> Option<impl Fn(&Range<usize>) -> (bool, bool) + 's> {
        let [mine, theirs] = [self.text.as_str(), other].map(|text| {
            let places = text.char_indices().map(|(at, c)| (at, Some(c)));
            places.chain([(text.len(), None)]).collect::<Vec<_>>()
        });
        let same = |a: Option<char>, b: Option<char>| match (a, b) {
            (Some(a), Some(b)) => a == b || a.to_lowercase().eq(b.to_lowercase()),
            _ => false,
        };
        let most = mine.len().min(theirs.len()) - 1;
        let pairs = mine.iter().zip(&theirs);
        let before = pairs.take_while(|(a, b)| same(a.1, b.1)).count();
        let pairs = mine.iter().rev().zip(theirs.iter().rev()).skip(1);
        let after = pairs.take_while(|(a, b)| same(a.1, b.1)).count();
        let after = after.min(most - before);
        let (mine_end, theirs_end) = (mine.len() - 1 - after, theirs.len() - 1 - after);
        let middle = mine[before].0..mine[mine_end].0;
        let edited = self.whose(&middle) != (false, false) && edited(&self.text[middle]);
        let place = theirs[before].0..theirs[theirs_end].0;
        let brought = !edited && !place.is_empty() && brought(&other[place.clone()]);
        if !edited && !brought && (before < mine_end || before < theirs_end) {
            return None;
        }
        let index = move |at: usize| theirs.partition_point(|(place, _)| *place < at);
        Some(move |part: &Range<usize>| {
            let (start, end) = (index(part.start), index(part.end));
            let moved = |at: usize| at + mine_end - theirs_end;
            let start = if start >= theirs_end {
                moved(start)
            } else {
                start.min(before)
            };
            let end = if end <= before {
                end
            } else {
                moved(end.max(theirs_end))
            };
            let (others, answers) = self.whose(&(mine[start].0..mine[end].0));
            let inside = part.start < place.end && place.start < part.end;
            (others || brought && inside, answers)
        })
    }
}

/// A text with marks around parts of it, and what the assistant said of that.
pub(super) fn marked(
    text: &str,
    said: &[Range<usize>],
    places: &[Range<usize>],
) -> (String, Vec<Range<usize>>) {
    let mut marked = String::with_capacity(text.len() + 6 * places.len());
    let mut done = 0;
    for place in places {
        marked += &text[done..place.start];
        marked.push(OPEN);
        marked += &text[place.clone()];
        marked.push(CLOSE);
        done = place.end;
    }
    marked += &text[done..];
    // Both marks of a part that ends where the assistant begins are before that.
    let moved = |at: usize| {
        let opened = places.partition_point(|place| place.start < at);
        let closed = places.partition_point(|place| place.end <= at);
        at + (opened + closed) * OPEN.len_utf8()
    };
    let said = said.iter();
    let said = said.map(|span| moved(span.start)..moved(span.end));
    (marked, said.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_known_behind_escapes() {
        // `<` of others is U+F003C, `s` of the assistant U+100073.
        for veiled in [
            "a\u{F003C}\u{100073}",
            "a\\udb80\\udc3c\\udbc0\\udc73",
            "a\\U000f003c\\U00100073",
        ] {
            let shown = Shown::new(veiled, &[]);
            assert_eq!(shown.text, "a<s", "{veiled}");
            assert_eq!(shown.hidden, [(1, false), (2, true)]);
        }
        for text in [
            "\\ud83d\\ude00",
            "\\U0001F600",
            "\\ud",
            "\\U",
            "\\udb80\\u",
            "é\\ud\\é",
        ] {
            assert_eq!(Shown::new(text, &[]).text, text);
        }
    }
}
