//! Values as Python writes them.

use super::objects::{Group, Lazy, Method, Namespace, Range, View};
use super::sink::{Sink, deeper, refused};
use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, Output, State, Value};

/// What `str` gives.
pub(super) fn text(state: &State, value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_string());
    }
    let mut sink = Sink::new(state);
    if !value.is_undefined() {
        repr(&mut sink, value, 0)?;
    }
    Ok(sink.text)
}

/// Writes what an expression gives.
pub(super) fn write(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.as_str().is_some() || value.is_undefined() {
        return minijinja::escape_formatter(out, state, value);
    }
    let text = text(state, value)?;
    minijinja::escape_formatter(out, state, &Value::from(text))
}

/// Several values as one text: `a ~ b`.
pub(super) fn join(state: &State, values: &[Value]) -> Result<String, Error> {
    let mut sink = Sink::new(state);
    for value in values {
        match value.as_str() {
            Some(text) => sink.push(text)?,
            None if value.is_undefined() => {}
            None => repr(&mut sink, value, 0)?,
        }
    }
    Ok(sink.text)
}

/// What `repr` gives.
pub(super) fn repr(to: &mut Sink<'_, '_, '_>, value: &Value, depth: usize) -> Result<(), Error> {
    let depth = deeper(depth)?;
    if let Some(text) = value.as_str() {
        to.charge(16 * text.len())?;
        return to.push(&quoted(text));
    }
    match value.kind() {
        ValueKind::Undefined => to.push("Undefined"),
        ValueKind::Number if !value.is_integer() => to.push(&float(f64::try_from(value.clone())?)),
        ValueKind::None | ValueKind::Bool | ValueKind::Number => to.push(&value.to_string()),
        ValueKind::Map => {
            to.push("{")?;
            for (place, key) in value.try_iter()?.enumerate() {
                to.push(if place > 0 { ", " } else { "" })?;
                repr(to, &key, depth)?;
                to.push(": ")?;
                repr(to, &value.get_item(&key)?, depth)?;
            }
            to.push("}")
        }
        _ => {
            if let Some(space) = value.downcast_object_ref::<Namespace>() {
                to.push("<Namespace ")?;
                repr(to, &space.mapping(), depth)?;
                return to.push(">");
            }
            if let Some(range) = value.downcast_object_ref::<Range>() {
                return to.push(&range.text());
            }
            let list = matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
            let lazy = value.downcast_object_ref::<Lazy>().is_some();
            if !list || lazy || value.downcast_object_ref::<Method>().is_some() {
                return Err(refused(
                    "writes an object, of which Python writes the address",
                ));
            }
            let pair = value.downcast_object_ref::<Group>().is_some();
            let view = value.downcast_object_ref::<View>();
            let (open, close) = match view {
                Some(view) => (format!("{}([", view.0), "])"),
                None if value.is_tuple() || pair => ("(".into(), ")"),
                None => ("[".into(), "]"),
            };
            to.push(&open)?;
            let mut count = 0;
            for item in value.try_iter()?.checked() {
                to.push(if count > 0 { ", " } else { "" })?;
                repr(to, &item?, depth)?;
                count += 1;
            }
            to.push(if value.is_tuple() && count == 1 {
                ","
            } else {
                ""
            })?;
            to.push(close)
        }
    }
}

/// A number with a point or an exponent.
pub(super) fn float(number: f64) -> String {
    if !number.is_finite() {
        return number.to_string().to_lowercase();
    }
    let exact = format!("{number:e}");
    let (digits, exponent) = exact.split_once('e').unwrap_or((&exact, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || number == 0.0 {
        let plain = number.to_string();
        let point = if plain.contains('.') { "" } else { ".0" };
        return plain + point;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// A text in the quotes that it has fewest of.
pub(super) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for c in text.chars() {
        match c {
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            c if c == quote => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if printable(c) => quoted.push(c),
            c if (c as u32) < 0x100 => quoted += &format!("\\x{:02x}", c as u32),
            c if (c as u32) < 0x10000 => quoted += &format!("\\u{:04x}", c as u32),
            c => quoted += &format!("\\U{:08x}", c as u32),
        }
    }
    quoted.push(quote);
    quoted
}

/// Whether Python shows the character as it is: Rust's own rule for a character behind others,
/// since one that combines is escaped at the beginning of a text, and for spaces.
pub(super) fn printable(c: char) -> bool {
    let alone = c.escape_debug().count() == 1 || matches!(c, '\'' | '"' | '\\');
    let shown = alone || format!("a{c}").escape_debug().count() == 2;
    c == ' ' || shown && !c.is_control() && !c.is_whitespace()
}

/// Arguments of a method that has none.
pub(super) fn none(args: &[Value]) -> Result<(), Error> {
    from_args(args)
}
