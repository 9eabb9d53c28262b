//! Comparisons as Python makes them: of what cannot be compared it says so.

use super::args::Args;
use super::sink::{charge, deeper, refused};
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};
use std::cmp::Ordering;

/// `a < b == c`: values and signs by turns.
pub(super) fn compare(state: &State, args: Args) -> Result<bool, Error> {
    for three in args.into_values().windows(3).step_by(2) {
        let sign = three[1].as_str().unwrap_or_default();
        if !one(state, &three[0], sign, &three[2])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One comparison, by its sign.
pub(super) fn one(state: &State, a: &Value, sign: &str, b: &Value) -> Result<bool, Error> {
    Ok(match sign {
        "==" => equal(state, a, b, 0)?,
        "!=" => !equal(state, a, b, 0)?,
        "in" => contains(state, b, a)?,
        "not in" => !contains(state, b, a)?,
        "<" => order(state, a, b, 0)? == Some(Ordering::Less),
        ">" => order(state, a, b, 0)? == Some(Ordering::Greater),
        "<=" => order(state, a, b, 0)?.is_some_and(Ordering::is_le),
        _ => order(state, a, b, 0)?.is_some_and(Ordering::is_ge),
    })
}

/// Numbers, which truth values are too.
fn number(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Number | ValueKind::Bool)
}

fn list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

pub(super) fn equal(state: &State, a: &Value, b: &Value, depth: usize) -> Result<bool, Error> {
    let depth = deeper(depth)?;
    charge(state, 0)?;
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        charge(state, a.len().min(b.len()))?;
        return Ok(a == b);
    }
    if number(a) && number(b) {
        return Ok(numbers(a, b) == Some(Ordering::Equal));
    }
    if list(a) && list(b) {
        if a.is_tuple() != b.is_tuple() || a.len() != b.len() {
            return Ok(false);
        }
        for (a, b) in a.try_iter()?.zip(b.try_iter()?) {
            if !equal(state, &a, &b, depth)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if a.kind() == ValueKind::Map && b.kind() == ValueKind::Map {
        if a.len() != b.len() {
            return Ok(false);
        }
        for key in a.try_iter()? {
            let (mine, other) = (a.get_item(&key)?, b.get_item(&key)?);
            if other.is_undefined() || !equal(state, &mine, &other, depth)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    match (a.as_object(), b.as_object()) {
        (Some(_), Some(_)) => Ok(a.kind() == ValueKind::Plain && a == b),
        (None, None) => Ok(a.kind() == b.kind()),
        _ => Ok(false),
    }
}

fn numbers(a: &Value, b: &Value) -> Option<Ordering> {
    let nan = |v: &Value| !v.is_integer() && f64::try_from(v.clone()).is_ok_and(f64::is_nan);
    if nan(a) || nan(b) {
        return None;
    }
    let whole = |v: &Value| match v.kind() {
        ValueKind::Bool => Value::from(i64::from(v.is_true())),
        _ => v.clone(),
    };
    whole(a).partial_cmp(&whole(b))
}

/// `None` where one is no number (NaN).
pub(super) fn order(
    state: &State,
    a: &Value,
    b: &Value,
    depth: usize,
) -> Result<Option<Ordering>, Error> {
    let depth = deeper(depth)?;
    charge(state, 0)?;
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        charge(state, a.len().min(b.len()))?;
        return Ok(Some(a.cmp(b)));
    }
    if number(a) && number(b) {
        return Ok(numbers(a, b));
    }
    if list(a) && list(b) && a.is_tuple() == b.is_tuple() {
        let (mut left, mut right) = (a.try_iter()?, b.try_iter()?);
        loop {
            return Ok(match (left.next(), right.next()) {
                (Some(a), Some(b)) if equal(state, &a, &b, depth)? => continue,
                (Some(a), Some(b)) => order(state, &a, &b, depth)?,
                (None, None) => Some(Ordering::Equal),
                (None, _) => Some(Ordering::Less),
                _ => Some(Ordering::Greater),
            });
        }
    }
    Err(refused(format!(
        "cannot compare {} with {}",
        a.kind(),
        b.kind()
    )))
}

/// `value in container`.
pub(super) fn contains(state: &State, container: &Value, value: &Value) -> Result<bool, Error> {
    if let Some(text) = container.as_str() {
        let Some(part) = value.as_str() else {
            return Err(refused(format!("looks for {} in a text", value.kind())));
        };
        charge(state, text.len())?;
        return Ok(text.contains(part));
    }
    match container.kind() {
        ValueKind::Undefined => Ok(false),
        ValueKind::Map => {
            super::objects::sized(state, value, 0)?;
            Ok(has(container, value))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            for item in container.try_iter()?.checked() {
                if equal(state, &item?, value, 0)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        other => Err(refused(format!("looks for something in {other}"))),
    }
}

/// Whether a mapping has a key, also where its value is undefined.
fn has(map: &Value, key: &Value) -> bool {
    map.as_object()
        .is_some_and(|map| map.get_value(key).is_some())
}

/// Sorts values by their keys; equal ones keep their order. The library's own sort may not be given
/// an order that can fail.
pub(super) fn sorted(
    state: &State,
    mut items: Vec<(Value, Value)>,
    reverse: bool,
) -> Result<Vec<(Value, Value)>, Error> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let mut left = sorted(state, items, reverse)?.into_iter().peekable();
    let mut right = sorted(state, right, reverse)?.into_iter().peekable();
    let mut both = Vec::with_capacity(left.len() + right.len());
    while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
        let (first, second) = if reverse { (a, b) } else { (b, a) };
        let later = order(state, first, second, 0)? == Some(Ordering::Less);
        both.extend(if later { right.next() } else { left.next() });
    }
    both.extend(left);
    both.extend(right);
    Ok(both)
}
