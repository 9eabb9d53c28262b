//! Where model folders have their templates.

use super::super::files::{failed, read as read_file, read_json};
use crate::error::Error;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Templates of a folder, and the tokens that they may write.
pub(super) struct Found {
    pub(super) default: String,
    pub(super) tool_use: Option<String>,
    pub(super) tokens: Vec<(String, String)>,
}

/// Tokens that transformers hands to a template by name. A template may ask whether they are
/// defined, but for the first two.
const TOKENS: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// Templates by their names.
type Named = Vec<(String, String)>;

pub(super) fn read(folder: &Path) -> Result<Option<Found>, Error> {
    let path = folder.join("tokenizer_config.json");
    let settings = read_json(&path)?.unwrap_or_default();
    let mut named = files(folder)?;
    if named.is_empty() {
        named = in_settings(&path, &settings)?;
    }
    if named.is_empty() {
        let path = folder.join("chat_template.json");
        named = in_settings(&path, &read_json(&path)?.unwrap_or_default())?;
    }
    if named.is_empty() {
        return Ok(None);
    }
    let mut take = |wanted: &str| {
        let place = named.iter().position(|(name, _)| name == wanted)?;
        Some(named.swap_remove(place).1)
    };
    let (tool_use, default) = (take("tool_use"), take("default"));
    let Some(default) = default else {
        let names: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
        return Err(failed(
            folder,
            format!(
                "has chat templates, but none is named default: {}",
                [names, tool_use.iter().map(|_| "tool_use").collect()]
                    .concat()
                    .join(", ")
            ),
        ));
    };
    let others = read_json(&folder.join("special_tokens_map.json"))?.unwrap_or_default();
    // As for the tokens' ids: what a folder of newer kind says in one file, older ones say in two.
    let files = match settings["added_tokens_decoder"].is_null() {
        true => [&others, &settings],
        false => [&settings, &others],
    };
    let token = |name: &str| {
        let text = files.into_iter().find_map(|file| {
            let token = &file[name];
            token
                .as_str()
                .or(token["content"].as_str())
                .map(str::to_string)
        });
        let always = name == "bos_token" || name == "eos_token";
        let text = text.or_else(|| always.then(String::new))?;
        Some((name.to_string(), text))
    };
    Ok(Some(Found {
        default,
        tool_use,
        tokens: TOKENS.into_iter().filter_map(token).collect(),
    }))
}

/// `chat_template.jinja`, and those beside it.
fn files(folder: &Path) -> Result<Named, Error> {
    let missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let mut named = Vec::new();
    let mut take = |name: String, path: PathBuf| match read_file(&path, "the chat template") {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).map_err(|_| failed(&path, "is not UTF-8"))?;
            named.push((name, text));
            Ok(())
        }
        Err(Error::Io { source, .. }) if missing(&source) => Ok(()),
        Err(error) => Err(error),
    };
    take("default".into(), folder.join("chat_template.jinja"))?;
    let more = folder.join("additional_chat_templates");
    let entries = match std::fs::read_dir(&more) {
        Ok(entries) => entries,
        Err(error) if missing(&error) => return Ok(named),
        Err(error) => return Err(Error::io("read", &more)(error)),
    };
    for entry in entries {
        let path = entry.map_err(Error::io("read", &more))?.path();
        let jinja = path.extension().is_some_and(|ending| ending == "jinja");
        if let Some(name) = path
            .file_stem()
            .and_then(|name| name.to_str())
            .filter(|_| jinja)
        {
            take(name.to_string(), path.clone())?;
        }
    }
    Ok(named)
}

/// `chat_template` of a file: a text, a list of named ones, or a mapping of them.
fn in_settings(path: &Path, settings: &Value) -> Result<Named, Error> {
    let wrong = || {
        failed(
            path,
            "chat_template must be a text, or a list of templates with name and template",
        )
    };
    let one = |name: &str, text: &Value| {
        let text = text.as_str().ok_or_else(wrong)?;
        Ok((name.to_string(), text.to_string()))
    };
    match &settings["chat_template"] {
        Value::Null => Ok(Vec::new()),
        text @ Value::String(_) => Ok(vec![one("default", text)?]),
        Value::Array(list) => list
            .iter()
            .map(|entry| {
                one(
                    entry["name"].as_str().ok_or_else(wrong)?,
                    &entry["template"],
                )
            })
            .collect(),
        Value::Object(map) => map.iter().map(|(name, text)| one(name, text)).collect(),
        _ => Err(wrong()),
    }
}
