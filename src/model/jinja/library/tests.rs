//! Tests, as jinja2 has them.

use super::compare::one;
use super::objects::{Method, Namespace, Range, View};
use super::sink::refused;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};

/// Adds jinja2's tests to an environment, and takes away others.
pub(super) fn add(to: &mut Environment<'static>) {
    for other in ["safe", "startingwith", "endingwith"] {
        to.remove_test(other);
    }
    to.add_test("iterable", |value: Value| iterable(&value));
    to.add_test("sequence", |value: Value| sequence(&value));
    to.add_test("callable", |value: Value| callable(&value));
    to.add_test("sameas", same);
    to.add_test("odd", |value: Value| Ok::<_, Error>(rest(value, 2)? == 1.0));
    to.add_test("even", |value: Value| {
        Ok::<_, Error>(rest(value, 2)? == 0.0)
    });
    for (name, sign) in [
        ("eq", "=="),
        ("equalto", "=="),
        ("==", "=="),
        ("ne", "!="),
        ("!=", "!="),
        ("lt", "<"),
        ("lessthan", "<"),
        ("<", "<"),
        ("le", "<="),
        ("<=", "<="),
        ("gt", ">"),
        ("greaterthan", ">"),
        (">", ">"),
        ("ge", ">="),
        (">=", ">="),
        ("in", "in"),
    ] {
        to.add_test(name, move |state: &State, a: Value, b: Value| {
            one(state, &a, sign, &b)
        });
    }
}

fn iterable(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::String
            | ValueKind::Seq
            | ValueKind::Map
            | ValueKind::Iterable
            | ValueKind::Undefined
    )
}

/// What has a length and items.
fn sequence(value: &Value) -> bool {
    let sized = value.kind() != ValueKind::Iterable || value.len().is_some();
    let view = value.downcast_object_ref::<View>().is_some();
    iterable(value) && sized && !view || value.downcast_object_ref::<Range>().is_some()
}

fn callable(value: &Value) -> bool {
    let plain =
        value.kind() == ValueKind::Plain && value.downcast_object_ref::<Namespace>().is_none();
    value.is_undefined() || plain || value.downcast_object_ref::<Method>().is_some()
}

fn same(a: Value, b: Value) -> Result<bool, Error> {
    if a.kind() != b.kind() {
        return Ok(false);
    }
    match a.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => Err(refused(
            "whether two lists or mappings are the same is not known",
        )),
        _ => Ok(a.is_integer() == b.is_integer() && a == b),
    }
}

/// The rest of a division.
fn rest(value: Value, by: i64) -> Result<f64, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(f64::from(u8::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => {
            Ok(i128::try_from(value)?.rem_euclid(i128::from(by)) as f64)
        }
        ValueKind::Number => Ok(f64::try_from(value)?.rem_euclid(by as f64)),
        other => Err(refused(format!("cannot divide {other}"))),
    }
}
