//! Filters of lists and mappings.

use super::args::{Args, bind, flag, string, whole};
use super::compare::{equal, order, sorted};
use super::objects::{Group, Lazy, Namespace, mapping, sized};
use super::sink::{Sink, charge, refused};
use super::text::{repr, text};
use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, State, Value};
use std::cmp::Ordering;

type Filtered = Result<Value, Error>;

/// The items of what Python iterates over, each of them charged for.
pub(super) fn items(state: &State, value: &Value) -> Result<Vec<Value>, Error> {
    if let Some(text) = value.as_str() {
        charge(state, 64 * text.len())?;
    } else if !matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Undefined
    ) {
        return Err(refused(format!("{} is not iterable", value.kind())));
    }
    if let Some(text) = value.as_str() {
        return Ok(text.chars().map(Value::from).collect());
    }
    let mut items = Vec::new();
    for item in value.try_iter()?.checked() {
        charge(state, 0)?;
        items.push(item?);
    }
    Ok(items)
}

/// `value[from:to:by]`.
pub(super) fn slice_of(state: &State, value: Value, from: Value, to: Value, by: Value) -> Filtered {
    let sliced = matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::String
    );
    if !sliced || value.downcast_object_ref::<Lazy>().is_some() {
        return Err(refused(format!("{} cannot be sliced", value.kind())));
    }
    let bound = |bound: Value| match bound.is_none() {
        true => Ok(None),
        false => whole(&Some(bound), 0).map(Some),
    };
    let (from, to, by) = (bound(from)?, bound(to)?, bound(by)?.unwrap_or(1));
    if by == 0 {
        return Err(refused("a slice has a step of 0"));
    }
    let text = value.as_str();
    if let (Some(text), 1) = (text, by) {
        charge(state, text.len())?;
        let length = text.chars().count() as i64;
        let (from, to) = ends(from, to, by, length);
        let some = text
            .chars()
            .skip(from as usize)
            .take((to - from).max(0) as usize);
        return Ok(Value::from(some.collect::<String>()));
    }
    let all = items(state, &value)?;
    let (from, to) = ends(from, to, by, all.len() as i64);
    let (mut some, mut at) = (Vec::new(), from);
    while if by > 0 { at < to } else { at > to } {
        some.push(all[at as usize].clone());
        at = at.saturating_add(by);
    }
    Ok(match text {
        Some(_) => Value::from(some.iter().filter_map(Value::as_str).collect::<String>()),
        None if value.is_tuple() => Value::from(Tuple::from(some)),
        None => Value::from(some),
    })
}

/// Where a slice begins and ends, of so many items, as Python has it.
fn ends(from: Option<i64>, to: Option<i64>, by: i64, length: i64) -> (i64, i64) {
    let (least, most) = if by > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let place = |place: i64| {
        let place = if place < 0 {
            place.saturating_add(length)
        } else {
            place
        };
        place.clamp(least, most)
    };
    let (first, last) = if by > 0 { (least, most) } else { (most, least) };
    (from.map_or(first, place), to.map_or(last, place))
}

/// A value that is kept: a list that is made on the way is made now, and charged for.
pub(super) fn solid(state: &State, value: Value) -> Filtered {
    sized(state, &value, 0)?;
    let own = value.downcast_object_ref::<Lazy>().is_some()
        || value
            .downcast_object_ref::<super::objects::View>()
            .is_some();
    if value.kind() != ValueKind::Iterable || own {
        return Ok(value);
    }
    Ok(Value::from(items(state, &value)?))
}

/// What a loop goes over.
pub(super) fn looped(state: &State, value: Value) -> Filtered {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => Ok(value),
        _ => Ok(Value::from(items(state, &value)?)),
    }
}

pub(super) fn list(state: &State, value: Value) -> Filtered {
    Ok(Value::from(items(state, &value)?))
}

/// The value at the end of a path, `a.b.0`.
fn path(value: &Value, path: &Value) -> Filtered {
    let Some(names) = path.as_str() else {
        return value.get_item(path);
    };
    names
        .split('.')
        .try_fold(value.clone(), |value, name| match name.parse::<i64>() {
            Ok(place) => value.get_item(&Value::from(place)),
            Err(_) if value.is_undefined() => Err(refused(format!("{name} of what is undefined"))),
            Err(_) => value.get_attr(name),
        })
}

/// What values are sorted by: texts without regard to capitals, unless asked for.
fn key(value: &Value, attribute: Option<&Value>, exact: bool) -> Filtered {
    let value = match attribute {
        Some(attribute) => path(value, attribute)?,
        None => value.clone(),
    };
    Ok(match value.as_str() {
        Some(text) if !exact => Value::from(text.to_lowercase()),
        _ => value,
    })
}

pub(super) fn sort(state: &State, value: Value, args: Args) -> Filtered {
    let [reverse, exact, attribute] = bind(
        &args.into_values(),
        ["reverse", "case_sensitive", "attribute"],
    )?;
    let exact = flag(&exact, false);
    let attributes: Vec<Value> = match attribute.as_ref().and_then(Value::as_str) {
        Some(names) => names.split(',').map(Value::from).collect(),
        None => attribute.into_iter().filter(|a| !a.is_none()).collect(),
    };
    let keyed = items(state, &value)?.into_iter().map(|item| {
        let keys = match &attributes[..] {
            [] => key(&item, None, exact)?,
            [attribute] => key(&item, Some(attribute), exact)?,
            several => {
                let keys = several.iter().map(|a| key(&item, Some(a), exact));
                Value::from(keys.collect::<Result<Vec<_>, _>>()?)
            }
        };
        Ok((keys, item))
    });
    let keyed = keyed.collect::<Result<Vec<_>, Error>>()?;
    let sorted = sorted(state, keyed, flag(&reverse, false))?;
    Ok(Value::from_iter(sorted.into_iter().map(|(_, item)| item)))
}

fn extreme(state: &State, value: &Value, args: &[Value], wanted: Ordering) -> Filtered {
    let [exact, attribute] = bind(args, ["case_sensitive", "attribute"])?;
    let mut best: Option<(Value, Value)> = None;
    for item in items(state, value)? {
        let key = key(&item, attribute.as_ref(), flag(&exact, false))?;
        let better = match &best {
            Some((old, _)) => order(state, &key, old, 0)? == Some(wanted),
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or(Value::UNDEFINED, |(_, item)| item))
}

pub(super) fn max(state: &State, value: Value, args: Args) -> Filtered {
    extreme(state, &value, &args.into_values(), Ordering::Greater)
}

pub(super) fn min(state: &State, value: Value, args: Args) -> Filtered {
    extreme(state, &value, &args.into_values(), Ordering::Less)
}

pub(super) fn unique(state: &State, value: Value, args: Args) -> Filtered {
    let [exact, attribute] = bind(&args.into_values(), ["case_sensitive", "attribute"])?;
    let (mut seen, mut kept): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for item in items(state, &value)? {
        let key = key(&item, attribute.as_ref(), flag(&exact, false))?;
        let mut known = false;
        for old in &seen {
            known = known || equal(state, old, &key, 0)?;
        }
        if !known {
            seen.push(key);
            kept.push(item);
        }
    }
    Ok(Lazy::of(kept))
}

pub(super) fn join(state: &State, value: Value, args: Args) -> Result<String, Error> {
    let [between, attribute] = bind(&args.into_values(), ["d", "attribute"])?;
    let between = between.map_or(Ok(String::new()), |between| text(state, &between))?;
    let mut sink = Sink::new(state);
    for (place, item) in items(state, &value)?.iter().enumerate() {
        sink.push(if place > 0 { &between } else { "" })?;
        let item = match &attribute {
            Some(attribute) => path(item, attribute)?,
            None => item.clone(),
        };
        sink.push(&text(state, &item)?)?;
    }
    Ok(sink.text)
}

pub(super) fn sum(state: &State, value: Value, args: Args) -> Filtered {
    let [attribute, start] = bind(&args.into_values(), ["attribute", "start"])?;
    let numbers = start.into_iter().map(Ok);
    let given = items(state, &value)?
        .into_iter()
        .map(|item| match &attribute {
            Some(attribute) if !attribute.is_none() => path(&item, attribute),
            _ => Ok(item),
        });
    let numbers = numbers.chain(given).collect::<Result<Vec<_>, _>>()?;
    let exact = |v: &Value| match v.kind() {
        ValueKind::Bool => Ok(i128::from(v.is_true())),
        ValueKind::Number if v.is_integer() => i128::try_from(v.clone()),
        other => Err(refused(format!("cannot sum {other}"))),
    };
    let floats = |v: &Value| v.kind() == ValueKind::Number && !v.is_integer();
    if numbers.iter().any(floats) {
        let one = |v: &Value| match floats(v) {
            true => f64::try_from(v.clone()),
            false => Ok(exact(v)? as f64),
        };
        return numbers
            .iter()
            .map(one)
            .sum::<Result<f64, _>>()
            .map(Value::from);
    }
    let total = numbers.iter().try_fold(0_i128, |total, v| {
        let total = total.checked_add(exact(v)?);
        total.ok_or_else(|| refused("a sum has too many digits"))
    });
    total.map(Value::from)
}

pub(super) fn reverse(state: &State, value: Value) -> Filtered {
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    if value.downcast_object_ref::<Lazy>().is_some() || value.is_undefined() {
        return Err(refused(format!("{} cannot be reversed", value.kind())));
    }
    let mut items = items(state, &value)?;
    items.reverse();
    Ok(Lazy::of(items))
}

pub(super) fn first(state: &State, value: Value) -> Filtered {
    if value.downcast_object_ref::<Lazy>().is_some() {
        return Ok(value.try_iter()?.next().unwrap_or_default());
    }
    Ok(items(state, &value)?.into_iter().next().unwrap_or_default())
}

pub(super) fn last(state: &State, value: Value) -> Filtered {
    if value.downcast_object_ref::<Lazy>().is_some() {
        return Err(refused(format!("{} has no last item", value.kind())));
    }
    Ok(items(state, &value)?.pop().unwrap_or_default())
}

pub(super) fn length(state: &State, value: Value) -> Result<usize, Error> {
    if let Some(text) = value.as_str() {
        charge(state, text.len())?;
        return Ok(text.chars().count());
    }
    if value.is_undefined() {
        return Ok(0);
    }
    value
        .len()
        .ok_or_else(|| refused(format!("{} has no length", value.kind())))
}

pub(super) fn pairs(state: &State, value: Value) -> Filtered {
    if value.is_undefined() {
        return Ok(Lazy::of(Vec::new()));
    }
    if value.kind() != ValueKind::Map {
        return Err(refused("items takes a mapping"));
    }
    entries(state, &value).map(Lazy::of)
}

/// Keys and values of a mapping as tuples.
pub(super) fn entries(state: &State, value: &Value) -> Result<Vec<Value>, Error> {
    charge(state, 64 * value.len().unwrap_or(0))?;
    let pairs = mapping(value)?.into_iter();
    Ok(pairs
        .map(|(key, item)| Value::from(Tuple::from([key, item])))
        .collect())
}

pub(super) fn dictsort(state: &State, value: Value, args: Args) -> Filtered {
    let [exact, by, reverse] = bind(&args.into_values(), ["case_sensitive", "by", "reverse"])?;
    let place = match string(&by, "key")? {
        "key" => 0,
        "value" => 1,
        _ => return Err(refused("dictsort is by key or by value")),
    };
    if value.kind() != ValueKind::Map {
        return Err(refused("dictsort takes a mapping"));
    }
    let keyed = entries(state, &value)?.into_iter().map(|pair| {
        let by = pair.get_item(&Value::from(place))?;
        Ok((key(&by, None, flag(&exact, false))?, pair))
    });
    let keyed = keyed.collect::<Result<Vec<_>, Error>>()?;
    let sorted = sorted(state, keyed, flag(&reverse, false))?;
    Ok(Value::from_iter(sorted.into_iter().map(|(_, pair)| pair)))
}

/// An attribute that is no item: namespaces have some.
pub(super) fn attr(value: Value, name: String) -> Value {
    match value.downcast_object_ref::<Namespace>() {
        Some(_) => value.get_attr(&name).unwrap_or_default(),
        None => Value::UNDEFINED,
    }
}

/// Short ones only: Python breaks the others in ways of its own.
pub(super) fn pprint(state: &State, value: Value) -> Result<String, Error> {
    let mut sink = Sink::new(state);
    repr(&mut sink, &value, 0)?;
    if sink.text.chars().count() > 79 || value.kind() == ValueKind::Map && value.len() > Some(1) {
        return Err(refused("pprint of more than a line is not supported"));
    }
    Ok(sink.text)
}

/// minijinja's own filter, which gives an iterator in Python.
macro_rules! lazily {
    ($($name:ident),*) => {$(
        pub(super) fn $name(
            state: &mut State,
            value: Value,
            args: Args,
        ) -> Result<Value, Error> {
            if !value.is_true() {
                return Ok(Lazy::of(Vec::new()));
            }
            let list = looped(state, value)?;
            let all: Vec<Value> = std::iter::once(list).chain(args.into_values()).collect();
            let made = state.apply_filter(concat!("__", stringify!($name), "__"), &all)?;
            Ok(Lazy::of(items(state, &made)?))
        }
    )*};
}

lazily!(map, select, reject, selectattr, rejectattr, batch, slice);

/// minijinja's own, of values whose size is known.
pub(super) fn groupby(state: &mut State, value: Value, args: Args) -> Filtered {
    sized(state, &value, 0)?;
    let list = looped(state, value)?;
    if list.try_iter()?.any(|item| item.as_str().is_some()) {
        return Err(refused("groupby of texts is not supported"));
    }
    let all: Vec<Value> = std::iter::once(list).chain(args.into_values()).collect();
    let groups = state.apply_filter("__groupby__", &all)?;
    let group = |group: Value| {
        let half = |name| group.get_attr(name);
        Ok(Value::from_object(Group([half("grouper")?, half("list")?])))
    };
    let groups = groups.try_iter()?.map(group);
    Ok(Value::from(groups.collect::<Result<Vec<_>, Error>>()?))
}
