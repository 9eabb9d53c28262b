//! Methods of Python's texts, lists and mappings; of those that change what they belong to there is
//! none, as in jinja2's sandbox.

use super::args::{bind, flag, string, whole, width};
use super::format::{braces, percent};
use super::lists::{entries, items};
use super::objects::{Lazy, View, mapping};
use super::parts::{replaced, spaced, within};
use super::sink::{Sink, charge, refused};
use super::text::{none, printable};
use super::texts::{Side, aligned, bare, decimal, lines, space};
use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

type Called = Result<Value, Error>;

/// Calls a method that minijinja does not know.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Called {
    match value.kind() {
        ValueKind::String => of_text(state, value, method, args),
        ValueKind::Map => of_map(state, value, method, args),
        ValueKind::Seq | ValueKind::Iterable => of_list(state, value, method, args),
        ValueKind::Number => of_number(value, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_text(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Called {
    let text = value.as_str().unwrap_or_default();
    let all = |test: fn(char) -> bool| -> Called {
        none(args)?;
        Ok(Value::from(!text.is_empty() && text.chars().all(test)))
    };
    Ok(match method {
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = bind(args, ["chars"])?;
            let chars = chars.filter(|chars| !chars.is_none());
            let given = string(&chars, "")?;
            charge(state, text.len().saturating_mul(given.len()))?;
            let cut = |c: char| {
                if chars.is_some() {
                    given.contains(c)
                } else {
                    space(c)
                }
            };
            Value::from(match method {
                "strip" => text.trim_matches(cut),
                "lstrip" => text.trim_start_matches(cut),
                _ => text.trim_end_matches(cut),
            })
        }
        "split" | "rsplit" => {
            let [by, most] = bind(args, ["sep", "maxsplit"])?;
            let most = usize::try_from(whole(&most, -1)?).unwrap_or(usize::MAX);
            let by = by.filter(|by| !by.is_none());
            let cuts = match by.as_ref().and_then(Value::as_str) {
                Some(by) if !by.is_empty() => text.matches(by).count(),
                _ => text.split(space).count(),
            };
            charge(state, 64 * cuts.min(most))?;
            let parts = match by {
                None => spaced(text, most, method == "rsplit"),
                by => {
                    let by = string(&by, "")?;
                    if by.is_empty() {
                        return Err(refused("empty separator"));
                    }
                    let most = most.saturating_add(1);
                    let mut parts: Vec<&str> = match method {
                        "split" => text.splitn(most, by).collect(),
                        _ => text.rsplitn(most, by).collect(),
                    };
                    if method == "rsplit" {
                        parts.reverse();
                    }
                    parts
                }
            };
            Value::from_iter(parts)
        }
        "splitlines" => {
            let [ends] = bind(args, ["keepends"])?;
            let ends = flag(&ends, false);
            charge(state, 64 * text.matches(char::is_whitespace).count())?;
            let lines = lines(text).into_iter();
            Value::from_iter(lines.map(|line| if ends { line } else { bare(line) }))
        }
        "partition" | "rpartition" => {
            let [by] = bind(args, ["sep"])?;
            let by = string(&by, "")?;
            if by.is_empty() {
                return Err(refused("empty separator"));
            }
            let found = match method {
                "partition" => text.split_once(by),
                _ => text.rsplit_once(by),
            };
            let parts = match found {
                Some((before, after)) => [before, by, after],
                None if method == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            Value::from(Tuple::from(parts.map(Value::from)))
        }
        "removeprefix" | "removesuffix" => {
            let (part,): (&str,) = from_args(args)?;
            let rest = match method {
                "removeprefix" => text.strip_prefix(part),
                _ => text.strip_suffix(part),
            };
            Value::from(rest.unwrap_or(text))
        }
        "zfill" => {
            let [wide] = bind(args, ["width"])?;
            let sign = usize::from(text.starts_with(['+', '-']));
            let wide = width(&wide, 0)?.saturating_sub(sign);
            let digits = aligned(state, &text[sign..], wide, "0", Side::Right)?;
            Value::from(format!("{}{digits}", &text[..sign]))
        }
        "center" | "ljust" | "rjust" => {
            let [wide, fill] = bind(args, ["width", "fillchar"])?;
            let side = match method {
                "center" => Side::Middle,
                "ljust" => Side::Left,
                _ => Side::Right,
            };
            let fill = string(&fill, " ")?;
            Value::from(aligned(state, text, width(&wide, 0)?, fill, side)?)
        }
        "expandtabs" => {
            let [size] = bind(args, ["tabsize"])?;
            let (size, mut column, mut sink) = (width(&size, 8)?, 0, Sink::new(state));
            for c in text.chars() {
                match c {
                    '\t' if size > 0 => {
                        sink.repeat(" ", size - column % size)?;
                        column = 0;
                    }
                    '\t' => {}
                    c => {
                        column = if matches!(c, '\n' | '\r') {
                            0
                        } else {
                            column + 1
                        };
                        sink.text.push(c);
                    }
                }
            }
            Value::from(sink.text)
        }
        "title" => {
            none(args)?;
            let mut before = false;
            let titled = text.chars().map(|c| {
                let cased = c.is_uppercase() || c.is_lowercase();
                let inside = std::mem::replace(&mut before, cased);
                match cased && !inside {
                    true => c.to_uppercase().collect::<String>(),
                    false => c.to_lowercase().collect(),
                }
            });
            Value::from(titled.collect::<String>())
        }
        "swapcase" => {
            none(args)?;
            Value::from(text.chars().map(swapped).collect::<String>())
        }
        "casefold" => {
            none(args)?;
            if !text.chars().all(|c| c.is_ascii() || !c.is_alphabetic()) {
                return Err(refused("casefold of letters beyond ASCII is not supported"));
            }
            Value::from(text.to_ascii_lowercase())
        }
        "join" => {
            let (list,): (Value,) = from_args(args)?;
            let mut sink = Sink::new(state);
            for (place, item) in items(state, &list)?.iter().enumerate() {
                sink.push(if place > 0 { text } else { "" })?;
                let item = item.as_str();
                sink.push(item.ok_or_else(|| refused("join takes texts"))?)?;
            }
            Value::from(sink.text)
        }
        "replace" => {
            let [old, new, count] = bind(args, ["old", "new", "count"])?;
            if old.is_none() || new.is_none() {
                return Err(refused("replace takes what is replaced, and what by"));
            }
            let count = usize::try_from(whole(&count, -1)?).unwrap_or(usize::MAX);
            Value::from(replaced(
                state,
                text,
                string(&old, "")?,
                string(&new, "")?,
                count,
            )?)
        }
        "find" | "rfind" | "index" | "rindex" | "count" | "startswith" | "endswith" => {
            within(text, method, args)?
        }
        "format" => Value::from(braces(state, text, args)?),
        "format_map" => {
            let (values,): (Value,) = from_args(args)?;
            let named = minijinja::value::Kwargs::from_iter(
                mapping(&values)?
                    .into_iter()
                    .map(|(k, v)| (k.to_string(), v)),
            );
            Value::from(braces(state, text, &[Value::from(named)])?)
        }
        "__mod__" => Value::from(percent(state, text, args)?),
        "isdigit" | "isdecimal" if text.is_ascii() => all(|c| c.is_ascii_digit())?,
        "isdecimal" => all(|c| c.is_ascii_digit() || decimal(c).is_some())?,
        "isdigit" => all(|c| {
            c.is_ascii_digit() || decimal(c).is_some() || "¹²³⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉".contains(c)
        })?,
        "isspace" => all(space)?,
        "isprintable" => {
            none(args)?;
            Value::from(text.chars().all(printable))
        }
        "isidentifier" => {
            none(args)?;
            let first = text.starts_with(|c: char| c == '_' || c.is_alphabetic());
            Value::from(first && text.chars().all(|c| c == '_' || c.is_alphanumeric()))
        }
        "istitle" => {
            none(args)?;
            let (mut letters, mut before) = (false, false);
            let fits = text.chars().all(|c| {
                let fits = match () {
                    () if c.is_uppercase() => !before,
                    () if c.is_lowercase() => before,
                    () => true,
                };
                before = c.is_uppercase() || c.is_lowercase();
                letters |= before;
                fits
            });
            Value::from(fits && letters)
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)?,
    })
}

fn swapped(c: char) -> String {
    match c.is_uppercase() {
        true => c.to_lowercase().collect(),
        false => c.to_uppercase().collect(),
    }
}

fn of_map(state: &State, value: &Value, method: &str, args: &[Value]) -> Called {
    Ok(match method {
        "get" => {
            let [key, default] = bind(args, ["key", "default"])?;
            let key = key.ok_or_else(|| refused("get takes a key"))?;
            super::objects::sized(state, &key, 0)?;
            let found = value.as_object().and_then(|map| map.get_value(&key));
            found.unwrap_or_else(|| default.unwrap_or_else(|| Value::from(())))
        }
        "items" => {
            none(args)?;
            Value::from_object(View("dict_items", entries(state, value)?))
        }
        "keys" => {
            none(args)?;
            Value::from_object(View("dict_keys", items(state, value)?))
        }
        "values" => {
            none(args)?;
            charge(state, 64 * value.len().unwrap_or(0))?;
            let values = mapping(value)?.into_iter().map(|(_, item)| item);
            Value::from_object(View("dict_values", values.collect()))
        }
        "copy" => {
            none(args)?;
            value.clone()
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn of_list(state: &State, value: &Value, method: &str, args: &[Value]) -> Called {
    let list = value.downcast_object_ref::<Lazy>().is_none();
    Ok(match method {
        "index" | "count" if list => {
            let (wanted,): (Value,) = from_args(args)?;
            let (mut count, mut first) = (0, None);
            for (place, item) in items(state, value)?.iter().enumerate() {
                if super::compare::equal(state, item, &wanted, 0)? {
                    count += 1;
                    first.get_or_insert(place);
                }
            }
            match method {
                "count" => Value::from(count),
                _ => Value::from(first.ok_or_else(|| refused("value is not in list"))?),
            }
        }
        "copy" if list && !value.is_tuple() => {
            none(args)?;
            value.clone()
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn of_number(value: &Value, method: &str, args: &[Value]) -> Called {
    none(args)?;
    Ok(match method {
        "is_integer" if !value.is_integer() => {
            Value::from(f64::try_from(value.clone())?.fract() == 0.0)
        }
        "bit_length" if value.is_integer() => {
            let bits = i128::try_from(value.clone())?.unsigned_abs();
            Value::from(128 - bits.leading_zeros())
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}
