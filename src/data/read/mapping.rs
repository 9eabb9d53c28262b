//! Columns that the user gives other names.

use crate::data::nearest::nearest;
use crate::data::read::formats::form::Format;
use crate::data::read::rows::JsonRow;
use crate::error::Error;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which column of a row stands for one that is known: `prompt` for `question`, or for
/// `input.text`, a key inside of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::data) struct Mapping {
    columns: BTreeMap<String, String>,
    /// A name that stands for two columns, and these.
    twice: Option<[String; 3]>,
}

impl Mapping {
    pub(in crate::data) fn new(columns: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut mapping = Self::default();
        for (known, column) in columns {
            match mapping.columns.get(&known) {
                Some(other) if *other != column => {
                    mapping.twice = Some([known.clone(), other.clone(), column.clone()]);
                }
                _ => {}
            }
            mapping.columns.insert(known, column);
        }
        mapping
    }

    pub(in crate::data) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Refuses names that no form of rows has, with the nearest that one has.
    pub(in crate::data) fn validate(&self) -> Result<(), Error> {
        if let Some([known, a, b]) = &self.twice {
            let message = format!("columns: both \"{a}\" and \"{b}\" are to be read as {known}");
            return Err(Error::Usage { message });
        }
        let mut seen = BTreeMap::new();
        for (known, column) in &self.columns {
            if let Some(other) = seen.insert(column, known) {
                let message =
                    format!("columns: \"{column}\" is to be read as {other} and as {known}");
                return Err(Error::Usage { message });
            }
            if column.is_empty() {
                let message = format!("columns: \"{known}\" needs the name of a column, got none");
                return Err(Error::Usage { message });
            }
            if Format::names_of_columns().any(|name| name == known) {
                continue;
            }
            let nearest = nearest(known, Format::names_of_columns());
            let message = format!(
                "columns: \"{known}\" is not a column that is read (write prompt=NAME, with your \
                 own name behind){nearest}"
            );
            return Err(Error::Usage { message });
        }
        Ok(())
    }

    /// Gives the columns of a row the names that are known, and notes which were there.
    pub(in crate::data) fn apply(&self, row: &mut JsonRow, found: &mut BTreeSet<String>) -> Named {
        flatten(row, |name, value| {
            name == "input" && value.get("messages").is_some_and(Value::is_array)
        });
        let mut named = Named::default();
        if !self.is_empty() {
            named.replaced = self.rename(row, found);
        }
        named.spelt = spell(row);
        named
    }

    /// Renames columns as the user says; names the ones that had such a name before and are not
    /// read.
    fn rename(&self, row: &mut JsonRow, found: &mut BTreeSet<String>) -> Vec<String> {
        // `input.text` is a key of `input`, if no column has that name.
        let paths = self.columns.values();
        let heads: BTreeSet<&str> = paths
            .filter(|path| !row.contains_key(*path))
            .filter_map(|path| path.split_once('.').map(|(head, _)| head))
            .collect();
        for _ in 0..DEEPEST {
            let mut again = false;
            flatten(row, |name, value| {
                let is_on_path = self.columns.values().any(|path| {
                    let rest = path.strip_prefix(name);
                    rest.is_some_and(|rest| rest.starts_with('.'))
                });
                let opens = value.is_object() && (heads.contains(name) || is_on_path);
                again |= opens;
                opens
            });
            if !again {
                break;
            }
        }
        let mut taken = Vec::new();
        for (known, column) in &self.columns {
            if let Some(value) = row.get(column) {
                found.insert(column.clone());
                taken.push((known.clone(), column.clone(), value.clone()));
            }
        }
        for (_, column, _) in &taken {
            row.shift_remove(column);
        }
        let mut replaced = Vec::new();
        for (known, _, value) in taken {
            if row
                .insert(known.clone(), value)
                .is_some_and(|old| !old.is_null())
            {
                replaced.push(known);
            }
        }
        replaced
    }

    /// Says which column none of the rows had.
    pub(in crate::data) fn missing(&self, found: &BTreeSet<String>) -> Option<String> {
        let mut columns = self.columns.iter();
        let (known, column) = columns.find(|(_, column)| !found.contains(*column))?;
        Some(format!(
            "columns: no row has \"{column}\", which was to be read as {known}"
        ))
    }
}

/// What became of the names of a row's columns.
#[derive(Debug, Default)]
pub(in crate::data) struct Named {
    /// Columns whose names others were given.
    pub(in crate::data) replaced: Vec<String>,
    /// Columns that were spelt otherwise, behind the names that are known.
    pub(in crate::data) spelt: Vec<(String, String)>,
}

/// Spells columns as they are known: `Model Response` is `model_response`, if there is none.
fn spell(row: &mut JsonRow) -> Vec<(String, String)> {
    let is_known = |name: &str| Format::names_of_columns().any(|known| known == name);
    let mut spelt = Vec::new();
    for name in row.keys() {
        let is_odd = |c: char| c.is_uppercase() || c.is_whitespace() || c == '-';
        if name.chars().any(is_odd) && name.len() < LONGEST && !is_known(name) {
            let known = name.trim().to_lowercase().replace([' ', '-'], "_");
            let is_free = !row.contains_key(&known) && !spelt.iter().any(|(is, _)| *is == known);
            if is_free && is_known(&known) {
                spelt.push((known, name.clone()));
            }
        }
    }
    for (known, name) in &spelt {
        if let Some(value) = row.shift_remove(name) {
            row.insert(known.clone(), value);
        }
    }
    spelt
}

/// Bytes of a name that may be a known one.
const LONGEST: usize = 40;

/// Keys inside of keys.
const DEEPEST: usize = 16;

/// Puts the keys of objects beside them, as `input.messages`, where `opens` says so.
fn flatten(row: &mut JsonRow, mut opens: impl FnMut(&str, &Value) -> bool) {
    let names = row.iter().filter(|(name, value)| opens(name, value));
    let names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
    for name in names {
        if let Some(Value::Object(inner)) = row.shift_remove(&name) {
            for (key, value) in inner {
                row.entry(format!("{name}.{key}")).or_insert(value);
            }
        }
    }
}
