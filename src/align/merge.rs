//! One table of settings on another.

use std::collections::BTreeMap;
use toml::{Table, Value};

/// Sections with a key that says what the rest of them means, and what it is where none is given.
/// With another value, what lies below is gone.
const TAGS: [(&str, &str, &str); 3] = [
    ("method", "name", "kto"),
    ("reference", "name", "frozen"),
    ("method.kl", "scope", "window"),
];

/// Whether a section of the whole has such a key.
pub(super) fn is_tagged(section: &str) -> bool {
    TAGS.iter()
        .any(|(path, key, _)| (*path, *key) == (section, "name"))
}

/// Where each setting was given, by its dotted name.
type Places = BTreeMap<String, String>;

/// Lays settings on others; `place` says where each of them was given.
pub(super) fn lay(
    below: &mut Table,
    mut above: Table,
    places: &mut Places,
    place: &dyn Fn(&str) -> String,
) {
    let mut named = Vec::new();
    for (key, value) in above.iter_mut() {
        if is_tagged(key) && value.is_str() {
            named.push(key.clone());
            *value = Value::Table(Table::from_iter([("name".to_string(), value.clone())]));
        }
    }
    let before = method(below).cloned();
    let next = method(&above).cloned();
    if let (Some(before), Some(next)) = (before, next)
        && before != next
    {
        // Both were for the method below.
        below.remove("reference");
        forget(places, "reference");
        if let Some(Value::Table(trainer)) = below.get_mut("trainer") {
            trainer.remove("learning_rate");
            places.remove("trainer.learning_rate");
        }
    }
    merge(below, above, "", places, place);
    for key in named {
        places.insert(format!("{key}.name"), place(&key));
    }
}

/// The name that a table gives the method.
fn method(table: &Table) -> Option<&Value> {
    table.get("method")?.as_table()?.get("name")
}

fn merge(
    below: &mut Table,
    above: Table,
    path: &str,
    places: &mut Places,
    place: &dyn Fn(&str) -> String,
) {
    let tag = TAGS.iter().find(|(section, _, _)| *section == path);
    if let Some((_, tag, default)) = tag {
        let said = above.get(*tag);
        let another = said.is_some() && below.contains_key(*tag) && below.get(*tag) != said;
        if another {
            below.clear();
            forget(places, path);
        }
        if said.is_none() && !below.contains_key(*tag) {
            below.insert((*tag).to_string(), (*default).into());
        }
    }
    for (key, value) in above {
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        match (below.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => {
                merge(inner, value, &path, places, place);
            }
            (_, Value::Table(value)) => {
                let mut inner = Table::new();
                forget(places, &path);
                merge(&mut inner, value, &path, places, place);
                below.insert(key, Value::Table(inner));
            }
            (_, value) => {
                forget(places, &path);
                number(&value, &path, places, place);
                below.insert(key, value);
            }
        }
        places.insert(path.clone(), place(&path));
    }
}

/// Remembers where each table of a list and each name in it was given.
fn number(value: &Value, path: &str, places: &mut Places, place: &dyn Fn(&str) -> String) {
    for (i, one) in value.as_array().into_iter().flatten().enumerate() {
        let Value::Table(inner) = one else { continue };
        let path = format!("{path}.{i}");
        places.insert(path.clone(), place(&path));
        for key in inner.keys() {
            let path = format!("{path}.{key}");
            places.insert(path.clone(), place(&path));
        }
    }
}

/// Forgets the places of what is gone below a path.
fn forget(places: &mut Places, path: &str) {
    let inside = format!("{path}.");
    places.retain(|name, _| !name.starts_with(&inside));
}
