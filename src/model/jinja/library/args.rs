//! Arguments as Python binds them.

use super::sink::refused;
use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Error, Value};

/// All arguments of a call, those with names last.
pub(super) type Args = Rest<ValueOrKwargs>;

/// The arguments of a call by the names of its parameters; `None` where one is not given.
pub(super) fn bind<const N: usize>(
    args: &[Value],
    names: [&str; N],
) -> Result<[Option<Value>; N], Error> {
    let (args, named) = match args.split_last() {
        Some((last, args)) if last.is_kwargs() => (args, Some(Kwargs::try_from(last.clone())?)),
        _ => (args, None),
    };
    if args.len() > N {
        return Err(refused(format!(
            "takes at most {N} arguments, got {}",
            args.len()
        )));
    }
    let mut bound: [Option<Value>; N] = std::array::from_fn(|i| args.get(i).cloned());
    if let Some(named) = named {
        for name in named.args() {
            let place = names.iter().position(|known| *known == name);
            let place = place.ok_or_else(|| refused(format!("has no parameter {name}")))?;
            if bound[place].is_some() {
                return Err(refused(format!("got {name} twice")));
            }
            bound[place] = Some(named.get(name)?);
        }
    }
    Ok(bound)
}

/// A whole number, if it is given.
pub(super) fn whole(value: &Option<Value>, default: i64) -> Result<i64, Error> {
    match value {
        None => Ok(default),
        Some(value) if value.is_integer() => Ok(i64::try_from(value.clone())?),
        Some(value) if value.kind() == minijinja::value::ValueKind::Bool => {
            Ok(i64::from(value.is_true()))
        }
        Some(value) => Err(refused(format!(
            "takes a whole number, got {}",
            value.kind()
        ))),
    }
}

/// A number of characters or times; Python takes what is negative for none.
pub(super) fn width(value: &Option<Value>, default: usize) -> Result<usize, Error> {
    let width = whole(value, i64::try_from(default).unwrap_or(i64::MAX))?;
    Ok(usize::try_from(width).unwrap_or(0))
}

/// A text, if it is given.
pub(super) fn string<'v>(value: &'v Option<Value>, default: &'v str) -> Result<&'v str, Error> {
    match value {
        None => Ok(default),
        Some(value) => value
            .as_str()
            .ok_or_else(|| refused(format!("takes a text, got {}", value.kind()))),
    }
}

pub(super) fn flag(value: &Option<Value>, default: bool) -> bool {
    value.as_ref().map_or(default, Value::is_true)
}
