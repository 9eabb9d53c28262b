//! Parts of texts: where they are, what stands between them, what takes their place.

use super::args::{bind, string, whole};
use super::sink::{Sink, refused};
use super::texts::space;
use minijinja::{Error, State, Value};

/// Words between white space, of which at most so many are split off.
pub(super) fn spaced(text: &str, most: usize, right: bool) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), text);
    loop {
        rest = if right {
            rest.trim_end_matches(space)
        } else {
            rest.trim_start_matches(space)
        };
        if rest.is_empty() {
            break;
        }
        let end = if right {
            rest.rfind(space)
        } else {
            rest.find(space)
        };
        let Some(end) = end.filter(|_| words.len() < most) else {
            let last = rest;
            words.push(last);
            break;
        };
        let c = rest[end..].chars().next().map_or(1, char::len_utf8);
        let (word, left) = match right {
            true => (&rest[end + c..], &rest[..end]),
            false => (&rest[..end], &rest[end..]),
        };
        words.push(word);
        rest = left;
    }
    if right {
        words.reverse();
    }
    words
}

/// A text with parts of it replaced, as Python does it: an empty part stands between all
/// characters.
pub(super) fn replaced(
    state: &State,
    text: &str,
    old: &str,
    new: &str,
    count: usize,
) -> Result<String, Error> {
    let mut sink = Sink::new(state);
    let mut done = 0;
    for (at, part) in text.match_indices(old).take(count) {
        sink.push(&text[done..at])?;
        sink.push(new)?;
        done = at + part.len();
    }
    sink.push(&text[done..])?;
    Ok(sink.text)
}

/// What looks for a part of a text, from a character on and up to one.
pub(super) fn within(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let [part, from, to] = bind(args, ["sub", "start", "end"])?;
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let place = |value: &Option<Value>, default: i64| -> Result<usize, Error> {
        let value = value.clone().filter(|value| !value.is_none());
        let place = whole(&value, default)?;
        let place = if place < 0 {
            (place + length).max(0)
        } else {
            place
        };
        Ok(usize::try_from(place).unwrap_or(0))
    };
    let (from, to) = (place(&from, 0)?, place(&to, length)?.min(length as usize));
    let beyond = from > length as usize || from > to;
    let byte = |place: usize| {
        let mut places = text.char_indices().map(|(at, _)| at);
        places.nth(place).unwrap_or(text.len())
    };
    let start = byte(from);
    let inside = if beyond { "" } else { &text[start..byte(to)] };
    let part = part.ok_or_else(|| refused(format!("{method} takes a text")))?;
    if let "startswith" | "endswith" = method {
        let test = |part: &Value| -> Result<bool, Error> {
            let part = string(&Some(part.clone()), "")?.to_string();
            Ok(!beyond
                && match method {
                    "startswith" => inside.starts_with(&part),
                    _ => inside.ends_with(&part),
                })
        };
        if !part.is_tuple() {
            return test(&part).map(Value::from);
        }
        for part in part.try_iter()? {
            if test(&part)? {
                return Ok(Value::from(true));
            }
        }
        return Ok(Value::from(false));
    }
    let part = Some(part);
    let part = string(&part, "")?;
    if method == "count" {
        return Ok(Value::from(if beyond {
            0
        } else {
            inside.matches(part).count()
        }));
    }
    let found = match method {
        "find" | "index" => inside.find(part),
        _ => inside.rfind(part),
    };
    match found.filter(|_| !beyond) {
        Some(at) => Ok(Value::from(text[..start + at].chars().count())),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(refused("substring not found")),
    }
}
