//! `%` and `format`, by minijinja's own reading of Python's formats.

use super::sink::{Sink, refused};
use super::text::repr;
use minijinja::formatting::{FormatStyle, format};
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

/// Digits of a width or precision.
const WIDEST: usize = 4;

/// `'%s' % values`, and the `format` filter.
pub(super) fn percent(state: &State, text: &str, args: &[Value]) -> Result<String, Error> {
    if text.contains('*') {
        return Err(refused("a format's width must be written out"));
    }
    let args = ready(state, text, args)?;
    let named = args.len() == 1 && args[0].kind() == ValueKind::Map;
    let wanted = text.replace("%%", "").matches('%').count();
    if !named && wanted < args.len() {
        return Err(refused("not all arguments are used by the format"));
    }
    format(FormatStyle::Printf, text, &args)
}

/// `'{}'.format(…)`.
pub(super) fn braces(state: &State, text: &str, args: &[Value]) -> Result<String, Error> {
    format(FormatStyle::StrFormat, text, &ready(state, text, args)?)
}

/// Arguments of which a format says what Python says. Lists and mappings are written here, since
/// whoever holds itself many times over has no end otherwise.
fn ready(state: &State, text: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
    let digits = text.split(|c: char| !c.is_ascii_digit());
    if digits.into_iter().any(|digits| digits.len() > WIDEST) {
        return Err(refused(format!(
            "a format's width must have at most {WIDEST} digits"
        )));
    }
    let ready = args.iter().map(|value| match text.contains('[') {
        // A place may be within the value.
        true => super::objects::sized(state, value, 0).map(|()| value.clone()),
        false => one(state, value),
    });
    let ready = ready.collect::<Result<Vec<_>, _>>()?;
    // Each place may be as wide as it says, and take the longest argument.
    let places = text.matches(['%', '{']).count();
    let widths = text.split(|c: char| !c.is_ascii_digit());
    let wide: usize = widths
        .filter_map(|digits| digits.parse::<usize>().ok())
        .sum();
    let mut longest = 0;
    for value in &ready {
        longest = longest.max(length(value)?);
    }
    super::sink::charge(
        state,
        places.saturating_mul(longest + 64).saturating_add(4 * wide),
    )?;
    Ok(ready)
}

/// Bytes that an argument may take.
fn length(value: &Value) -> Result<usize, Error> {
    if value.kind() != ValueKind::Map {
        return Ok(value.as_str().map_or(64, str::len));
    }
    let values = super::objects::mapping(value)?.into_iter();
    Ok(values
        .map(|(_, value)| value.as_str().map_or(64, str::len))
        .max()
        .unwrap_or(0))
}

fn one(state: &State, value: &Value) -> Result<Value, Error> {
    if value.is_kwargs() {
        super::objects::sized(state, value, 0)?;
        return Ok(value.clone());
    }
    match value.kind() {
        ValueKind::Map => {
            super::objects::sized(state, value, 0)?;
            Ok(value.clone())
        }
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Plain => {
            let mut sink = Sink::new(state);
            repr(&mut sink, value, 0)?;
            Ok(Value::from(sink.text))
        }
        ValueKind::Number if !value.is_integer() => {
            let number = f64::try_from(value.clone())?;
            if super::text::float(number) == value.to_string() {
                return Ok(value.clone());
            }
            Err(refused(format!(
                "the format of {number:e} is not supported"
            )))
        }
        _ => Ok(value.clone()),
    }
}

/// `a % b`.
pub(super) fn modulo(state: &State, a: Value, b: Value) -> Result<Value, Error> {
    if let Some(text) = a.as_str() {
        let args: Vec<Value> = match b.is_tuple() {
            true => b.try_iter()?.collect(),
            false => vec![b],
        };
        return percent(state, text, &args).map(Value::from);
    }
    let number = |v: &Value| match v.kind() {
        ValueKind::Bool => Ok(Value::from(i64::from(v.is_true()))),
        ValueKind::Number => Ok(v.clone()),
        other => Err(refused(format!("cannot divide {other}"))),
    };
    let (a, b) = (number(&a)?, number(&b)?);
    if a.is_integer() && b.is_integer() {
        let (a, b) = (i128::try_from(a)?, i128::try_from(b)?);
        let rest = a
            .checked_rem(b)
            .ok_or_else(|| refused("division by zero"))?;
        let other = rest != 0 && (rest < 0) != (b < 0);
        return Ok(Value::from(if other { rest + b } else { rest }));
    }
    let (a, b) = (f64::try_from(a)?, f64::try_from(b)?);
    if b == 0.0 {
        return Err(refused("division by zero"));
    }
    let rest = a % b;
    let other = rest != 0.0 && (rest < 0.0) != (b < 0.0);
    let rest = if other { rest + b } else { rest };
    Ok(Value::from(if rest == 0.0 {
        0.0_f64.copysign(b)
    } else {
        rest
    }))
}
