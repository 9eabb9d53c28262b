//! Settings from several places, the later ones on top.

use super::lines::lines;
use super::merge::{is_tagged, lay};
use super::method::Method;
use super::preset::Preset;
use super::settings::Settings;
use super::wrong::describe;
use crate::error::Error;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// Settings from several places, the later ones on top: a preset, a file, single settings.
///
/// A method (or reference, or scope of z0) that is another one than below takes nothing over from
/// there, nor the reference and the learning rate that were for the method below. A section without
/// a name is one of the default: `kto`, `frozen`, `window`. A name may stand for its section,
/// `method = "dpo"`.
///
/// ```
/// use burn_kto::align::{Layers, Preset};
/// let mut layers = Layers::new();
/// layers.preset(Preset::Kto);
/// layers.text("run.toml", "seed = 7\n[method]\nname = \"kto\"\nbeta = 0.2")?;
/// layers.set("--set", "trainer.warmup = 0.2")?;
/// let settings = layers.settings()?;
/// assert_eq!((settings.seed, settings.trainer.batch_size, settings.trainer.warmup), (7, 32, 0.2));
///
/// layers.text("more.toml", "[method]\nbetta = 0.3")?;
/// let error = layers.settings().unwrap_err().to_string();
/// let expected = "more.toml:2: betta is not a setting of method kto; did you mean beta?";
/// assert!(error.starts_with(expected), "{error}");
/// # Ok::<(), burn_kto::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Layers {
    table: Table,
    /// Where each setting was given, by its dotted name.
    places: BTreeMap<String, String>,
}

impl Layers {
    /// Nothing but the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A preset on top.
    pub fn preset(&mut self, preset: Preset) {
        let place = format!("preset {preset}");
        self.add(preset.table(), &|_| place.clone());
    }

    /// A file on top.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or is not TOML.
    pub fn file(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        self.text(&path.display().to_string(), &text)
    }

    /// The text of a file on top; errors name it so.
    ///
    /// # Errors
    ///
    /// Where it is not TOML.
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let (table, lines) = lines(name, text)?;
        self.add(table, &|path| match lines.get(path) {
            Some(line) => format!("{name}:{line}"),
            None => name.to_string(),
        });
        Ok(())
    }

    /// One setting on top, `trainer.warmup = 0.2`; a value that is no TOML is a text. Errors name
    /// `place`.
    ///
    /// # Errors
    ///
    /// Without a name or a value.
    pub fn set(&mut self, place: &str, assignment: &str) -> Result<(), Error> {
        let wrong = || Error::Setting {
            place: place.into(),
            message: format!("must be name = value, got \"{assignment}\""),
        };
        let (name, value) = assignment.split_once('=').ok_or_else(wrong)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() || name.split('.').any(str::is_empty) {
            return Err(wrong());
        }
        let read = format!("value = {value}").parse::<Table>().ok();
        let read = read.and_then(|mut table| table.remove("value"));
        let value = read.unwrap_or_else(|| Value::String(value.into()));
        self.put(&format!("{place} {name}"), name, value);
        Ok(())
    }

    /// One setting on top by its dotted name; errors name `place`.
    pub fn put(&mut self, place: &str, name: &str, value: impl Into<Value>) {
        let mut words = name.rsplit('.');
        let last = words.next().unwrap_or(name).to_string();
        let inner = Table::from_iter([(last, value.into())]);
        let table = words.fold(inner, |table, word| {
            Table::from_iter([(word.to_string(), Value::Table(table))])
        });
        self.add(table, &|_| place.to_string());
    }

    fn add(&mut self, table: Table, place: &dyn Fn(&str) -> String) {
        lay(&mut self.table, table, &mut self.places, place);
    }

    /// The settings, those that were not given at their defaults.
    ///
    /// # Errors
    ///
    /// For the first setting that is not known or of the wrong kind: where it was given, and the
    /// nearest one that is known. What they say together is a matter of
    /// [`Settings::validate`].
    pub fn settings(&self) -> Result<Settings, Error> {
        for (section, value) in &self.table {
            match value {
                Value::Table(inner) => self.check_section(section, inner)?,
                _ => {
                    let table = Table::from_iter([(section.clone(), value.clone())]);
                    let found = self.probe(section, None, table);
                    found.map_err(|(path, message)| self.wrong(&path, &message))?;
                }
            }
        }
        let read = self.table.clone().try_into::<Settings>();
        // What is wrong only together.
        read.map_err(|error| self.wrong(&describe("", error.message()).0, error.message()))
    }

    /// Each setting of a section by itself, so that the wrong one is known by name.
    fn check_section(&self, section: &str, inner: &Table) -> Result<(), Error> {
        let tag = inner.get("name").filter(|_| is_tagged(section));
        let with = |more: Option<(&String, &Value)>| {
            let mut table = Table::new();
            table.extend(tag.map(|name| ("name".to_string(), name.clone())));
            table.extend(more.map(|(key, value)| (key.clone(), value.clone())));
            Table::from_iter([(section.to_string(), Value::Table(table))])
        };
        let found = self.probe(section, tag.map(|_| "name"), with(None));
        found.map_err(|(path, message)| self.wrong(&path, &message))?;
        for (key, value) in inner {
            // Of several tables each by itself, so that the wrong one is known by its number.
            let tables = value.as_array().into_iter().flatten();
            for (i, one) in tables.enumerate().filter(|(_, one)| one.is_table()) {
                let one = Value::Array(vec![one.clone()]);
                let found = self.probe(section, Some(key), with(Some((key, &one))));
                found.map_err(|(path, message)| self.wrong(&numbered(&path, key, i), &message))?;
            }
            let found = self.probe(section, Some(key), with(Some((key, value))));
            found.map_err(|(path, message)| self.wrong(&path, &message))?;
        }
        Ok(())
    }

    /// The path and the message of what is wrong with these settings alone.
    fn probe(
        &self,
        section: &str,
        key: Option<&str>,
        table: Table,
    ) -> Result<(), (String, String)> {
        let name = |table: &Table| match table.get("method") {
            Some(Value::Table(inner)) => {
                inner.get("name").and_then(Value::as_str).map(String::from)
            }
            _ => None,
        };
        let method = name(&table);
        let Err(error) = table.clone().try_into::<Settings>() else {
            return Ok(());
        };
        let path = match key {
            Some(key) => format!("{section}.{key}"),
            None => section.to_string(),
        };
        let (path, mut message) = describe(&path, error.message());
        if let (Some(method), Some(key)) = (method, key)
            && message.contains("is not a setting")
            && path == format!("method.{key}")
        {
            message = not_of(&method, key, &table, &message);
        }
        Err((path, message))
    }

    fn wrong(&self, path: &str, message: &str) -> Error {
        let mut known = path;
        let place = loop {
            if let Some(place) = self.places.get(known) {
                break place.clone();
            }
            match known.rsplit_once('.') {
                Some((above, _)) => known = above,
                None => break path.to_string(),
            }
        };
        Error::Setting {
            place,
            message: message.to_string(),
        }
    }
}

/// `method.parts.betta` of the third of them: `method.parts.2.betta`.
fn numbered(path: &str, key: &str, i: usize) -> String {
    path.replacen(&format!(".{key}"), &format!(".{key}.{i}"), 1)
}

/// What to say of a setting that the method does not have: which ones do.
fn not_of(method: &str, key: &str, table: &Table, message: &str) -> String {
    let others = Method::NAMES.into_iter().filter(|other| {
        let mut table = table.clone();
        if let Some(Value::Table(inner)) = table.get_mut("method") {
            inner.insert("name".into(), (*other).into());
        }
        *other != method && table.try_into::<Settings>().is_ok()
    });
    let others: Vec<&str> = others.collect();
    let message = message.replacen("a setting", &format!("a setting of method {method}"), 1);
    if others.is_empty() {
        return message;
    }
    // The nearest name of this method would be a guess.
    format!(
        "{key} is a setting of {}, not of method {method}",
        others.join(", ")
    )
}
