//! What templates make that is neither a text nor a number, list or mapping.

use super::args::Args;
use super::sink::{charge, deeper, refused};
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, State, Value};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What `namespace` makes. minijinja's own could be written endlessly once it is put into itself.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    values: Mutex<Vec<(String, Value)>>,
}

impl Namespace {
    fn with<T>(&self, use_it: impl FnOnce(&mut Vec<(String, Value)>) -> T) -> T {
        use_it(&mut self.values.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn mapping(&self) -> Value {
        Value::from_pairs(self.with(|values| values.clone()))
    }

    fn set(&self, name: String, value: Value) {
        // What was there is dropped when nobody waits for it any more.
        let _before = self.with(|values| match values.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                values.push((name, value));
                None
            }
        });
    }
}

impl Object for Namespace {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        self.with(|values| {
            values
                .iter()
                .find(|(name, _)| name == key)
                .map(|v| v.1.clone())
        })
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<Namespace>")
    }
}

/// `namespace(a=1)`.
pub(super) fn namespace(state: &State, args: Args) -> Result<Value, Error> {
    let space = Namespace::default();
    for values in args.into_values() {
        let pairs = mapping(&values)?;
        for (name, value) in pairs {
            sized(state, &value, 0)?;
            space.set(name.as_str().unwrap_or_default().to_string(), value);
        }
    }
    Ok(Value::from_object(space))
}

/// Keys and values of a mapping, of keyword arguments, or of a list of pairs.
pub(super) fn mapping(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    let mut pairs = Vec::new();
    if value.kind() == ValueKind::Map {
        for key in value.try_iter()? {
            let item = value.get_item(&key)?;
            pairs.push((key, item));
        }
        return Ok(pairs);
    }
    for pair in value.try_iter()?.checked() {
        let pair: Vec<Value> = pair?.try_iter()?.collect();
        let [key, item] =
            <[Value; 2]>::try_from(pair).map_err(|_| refused("a mapping is made of pairs"))?;
        pairs.push((key, item));
    }
    Ok(pairs)
}

/// `{% set space.name = value %}`.
pub(super) fn set(space: &Value, name: String, value: Value) -> Result<(), Error> {
    let Some(space) = space.downcast_object_ref::<Namespace>() else {
        return Err(refused(
            "cannot assign an attribute of what is no namespace",
        ));
    };
    space.set(name, value);
    Ok(())
}

/// Charges for all of a value, unless it is only a text or a number. Values may hold each other
/// many times over; whoever goes through one that passed here has an end.
pub(super) fn sized(state: &State, value: &Value, depth: usize) -> Result<(), Error> {
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    let depth = deeper(depth)?;
    if matches!(object.repr(), ObjectRepr::Plain) || value.downcast_object_ref::<Range>().is_some()
    {
        return Ok(());
    }
    if let Some(lazy) = value.downcast_object_ref::<Lazy>() {
        // Not by going through it, which would use it up.
        let left = Value::from_iter(lazy.left().iter().cloned());
        return sized(state, &left, depth - 1);
    }
    let map = matches!(object.repr(), ObjectRepr::Map);
    for item in value.try_iter()?.checked() {
        let item = item?;
        charge(state, 0)?;
        sized(state, &item, depth)?;
        if map {
            sized(state, &value.get_item(&item)?, depth)?;
        }
    }
    Ok(())
}

/// Python's iterators: they have no length, are not written, and are used up by the first loop.
#[derive(Debug)]
pub(super) struct Lazy(Mutex<VecDeque<Value>>);

impl Lazy {
    pub(super) fn of(items: Vec<Value>) -> Value {
        Value::from_object(Self(Mutex::new(items.into())))
    }

    fn left(&self) -> MutexGuard<'_, VecDeque<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object for Lazy {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    /// No item has a place.
    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::UNDEFINED)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Iter(Box::new(Rest(self.clone())))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<iterator>")
    }
}

/// What is left of an iterator.
struct Rest(Arc<Lazy>);

impl Iterator for Rest {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.0.left().pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.left().len();
        (left, Some(left))
    }
}

/// Keys, values or items of a mapping, by their name in Python.
#[derive(Debug)]
pub(super) struct View(pub(super) &'static str, pub(super) Vec<Value>);

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    /// No item has a place.
    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::UNDEFINED)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let list = self.clone();
        Enumerator::Iter(Box::new((0..list.1.len()).map(move |i| list.1[i].clone())))
    }
}

/// What `groupby` makes: a pair whose halves have names.
#[derive(Debug)]
pub(super) struct Group(pub(super) [Value; 2]);

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = match key.as_str() {
            Some("grouper") => 0,
            Some("list") => 1,
            Some(_) => return None,
            None => key.as_usize()?,
        };
        self.0.get(place).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }
}

/// What `joiner` makes: a text but for the first time.
#[derive(Debug)]
pub(super) struct Joiner(pub(super) Value, pub(super) Mutex<bool>);

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State, _: &[Value]) -> Result<Value, Error> {
        let mut used = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *used, true);
        Ok(if before {
            self.0.clone()
        } else {
            Value::from("")
        })
    }
}

/// A method of a mapping that is named and not called.
#[derive(Debug)]
pub(super) struct Method;

/// What an attribute is whose name mappings have for a method.
pub(super) fn method(value: Value, name: String) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Map => Ok(Value::from_object(Method)),
        _ => value.get_attr(&name),
    }
}

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// `range(…)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    from: i64,
    to: i64,
    by: i64,
}

/// Numbers of the longest range, as in jinja2's sandbox.
const LONGEST: usize = 100_000;

impl Range {
    pub(super) fn of(args: minijinja::value::Rest<i64>) -> Result<Value, Error> {
        let (from, to, by) = match args.0[..] {
            [to] => (0, to, 1),
            [from, to] => (from, to, 1),
            [from, to, by] => (from, to, by),
            _ => return Err(refused("range takes one to three numbers")),
        };
        if by == 0 {
            return Err(refused("range has a step of 0"));
        }
        let range = Self { from, to, by };
        if range.len() > LONGEST {
            return Err(refused(format!("range has at most {LONGEST} numbers")));
        }
        Ok(Value::from_object(range))
    }

    fn len(&self) -> usize {
        let (from, to) = (i128::from(self.from), i128::from(self.to));
        let span = if self.by > 0 { to - from } else { from - to };
        let by = i128::from(self.by).abs();
        usize::try_from((span.max(0) + by - 1) / by).unwrap_or(usize::MAX)
    }

    pub(super) fn text(&self) -> String {
        match self.by {
            1 => format!("range({}, {})", self.from, self.to),
            by => format!("range({}, {}, {by})", self.from, self.to),
        }
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = key.as_usize().filter(|place| *place < self.len())?;
        Some(Value::from(self.from + place as i64 * self.by))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len())
    }
}

/// `dict(…)`, and `{…}` as keys and values by turns.
pub(super) fn dict(state: &State, args: Args) -> Result<Value, Error> {
    let mut pairs = Vec::new();
    for values in &args.into_values() {
        pairs.extend(mapping(values)?);
    }
    build(state, pairs)
}

pub(super) fn literal(state: &State, args: Args) -> Result<Value, Error> {
    let mut args = args.into_values().into_iter();
    let pairs = std::iter::from_fn(|| Some((args.next()?, args.next()?)));
    build(state, pairs.collect())
}

fn build(state: &State, pairs: Vec<(Value, Value)>) -> Result<Value, Error> {
    for (key, _) in &pairs {
        sized(state, key, 0)?;
        let list = matches!(
            key.kind(),
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable
        );
        if list && !key.is_tuple() {
            return Err(refused("a list or mapping cannot be a key"));
        }
        charge(state, 0)?;
    }
    Ok(Value::from_pairs(pairs))
}
