//! Special tokens, from all files in which a folder names them.

use super::guard::{apart, guarded};
use crate::error::Error;
use crate::model::files::{failed, read_json};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use tokenizers::{AddedToken, Tokenizer};

/// What a token can be named for.
const ROLES: [&str; 7] = ["bos", "eos", "pad", "unk", "sep", "cls", "mask"];
/// The key of what pads.
const PAD: &str = "pad_token";
/// Lists of tokens without a role, or objects of them.
const LISTS: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];

/// The ids that a folder names.
pub(super) struct Special {
    pub(super) bos: Option<u32>,
    pub(super) eos: u32,
    pub(super) pad: u32,
    pub(super) stop_tokens: Vec<u32>,
}

/// A file of JSON, an empty one where it is not there.
struct File {
    path: PathBuf,
    is_there: bool,
    values: Map<String, Value>,
}

impl File {
    fn read(folder: &Path, name: &str) -> Result<Self, Error> {
        let path = folder.join(name);
        let value = read_json(&path)?;
        let is_there = value.is_some();
        match value {
            Some(Value::Object(values)) => Ok(Self {
                path,
                is_there,
                values,
            }),
            Some(_) => Err(failed(&path, "is not a JSON object")),
            None => Ok(Self {
                path,
                is_there,
                values: Map::new(),
            }),
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// The text of a token: itself, or the `content` of an object. An empty one names none.
    fn text(&self, key: &str, value: &Value) -> Result<Option<String>, Error> {
        match value.as_str().or(value["content"].as_str()) {
            Some(text) => Ok(Some(text.to_string()).filter(|text| !text.is_empty())),
            None => {
                let message = format!("{key} must be a text or have a content, got {value}");
                Err(failed(&self.path, message))
            }
        }
    }

    /// All texts under `key`, of a list or of an object.
    fn texts(&self, key: &str) -> Result<Vec<String>, Error> {
        let values: Vec<&Value> = match self.get(key) {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(named)) => named.values().collect(),
            _ => Vec::new(),
        };
        let texts = values.into_iter().map(|value| self.text(key, value));
        texts.filter_map(Result::transpose).collect()
    }

    /// The ids under `key`: a number or a list.
    fn ids(&self, key: &str) -> Result<Vec<u32>, Error> {
        let ids = match self.get(key) {
            Some(Value::Array(ids)) => ids.as_slice(),
            Some(id) => std::slice::from_ref(id),
            None => &[],
        };
        // Some say so that there is none to pad with.
        let ids = ids
            .iter()
            .filter(|id| key != "pad_token_id" || id.as_i64() != Some(-1));
        let ids = ids.map(|value| {
            let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
            id.ok_or_else(|| failed(&self.path, format!("{key} must be an id, got {value}")))
        });
        ids.collect()
    }
}

impl Special {
    /// Reads them as transformers does: tokens that `tokenizer.json` does not have, but
    /// `added_tokens_decoder` of `tokenizer_config.json` or, without that, `added_tokens.json`, are
    /// added; `special_tokens_map.json` comes first where there is no `added_tokens_decoder`, else
    /// last; ids of `config.json` come before those of `generation_config.json`. What is named and
    /// not known is refused, since what stood in its place would not end a sequence; but not what
    /// is there to pad with and would be beyond the model: the end of a sequence pads as well.
    pub(super) fn of(folder: &Path, inner: &mut Tokenizer) -> Result<Self, Error> {
        let settings = File::read(folder, "tokenizer_config.json")?;
        let map = File::read(folder, "special_tokens_map.json")?;
        let added = File::read(folder, "added_tokens.json")?;
        let models = [
            File::read(folder, "config.json")?,
            File::read(folder, "generation_config.json")?,
        ];
        let decoder = settings.get("added_tokens_decoder");
        let named = match decoder {
            Some(_) => [&settings, &map],
            None => [&map, &settings],
        };
        let token = |name: &str| {
            let key = format!("{name}_token");
            for file in named {
                if let Some(value) = file.get(&key)
                    && let Some(text) = file.text(&key, value)?
                {
                    return Ok(Some((key, text, &file.path)));
                }
            }
            Ok(None)
        };
        let mut special: Vec<(String, String, &PathBuf)> = Vec::new();
        for role in ROLES {
            special.extend(token(role)?);
        }
        for (key, file) in LISTS.iter().flat_map(|key| named.map(|file| (*key, file))) {
            let texts = file.texts(key)?.into_iter();
            special.extend(texts.map(|text| (key.to_string(), text, &file.path)));
        }
        let rows = models[0].get("vocab_size").and_then(Value::as_u64);
        let is_beyond = |id: u64| rows.is_some_and(|rows| id >= rows);
        let mut tokens = match decoder {
            Some(decoder) => of_decoder(&settings, decoder)?,
            None => {
                let is_special = |text: &str| special.iter().any(|(_, one, _)| one == text);
                of_legacy(&added, is_special)?
            }
        };
        // The model cannot read it, and need not: padding is masked.
        tokens.retain(|(id, token)| {
            let known = inner.token_to_id(&token.content).is_some();
            known || !is_beyond(u64::from(*id)) || !is_pad(&token.content, &special)
        });
        let file = if decoder.is_some() { &settings } else { &added };
        add_all(inner, &file.path, tokens)?;
        let is_full = is_beyond(inner.get_vocab_size(true) as u64);
        special
            .retain(|(key, text, _)| key != PAD || !is_full || inner.token_to_id(text).is_some());
        for (key, text, path) in &special {
            if inner.token_to_id(text).is_none() {
                let message = format!("{key} is {text:?}, which is no token of tokenizer.json");
                return Err(failed(path, message));
            }
        }
        let added = inner.get_added_vocabulary().get_vocab();
        let ordinary = special
            .iter()
            .filter(|(_, text, _)| !added.contains_key(text));
        let marks = ordinary.map(|(_, text, _)| AddedToken::from(text.as_str(), true));
        let marks: Vec<AddedToken> = marks.map(|mark| mark.normalized(false)).collect();
        add(inner, folder, marks)?;
        let id = |name: &str| {
            let key = format!("{name}_token");
            let named = special.iter().find(|(role, ..)| *role == key);
            named.and_then(|(_, text, _)| inner.token_to_id(text))
        };
        let ids = |name: &str| of_models(inner, &models, name);
        let first = |name: &str| match id(name) {
            Some(id) => Ok(Some(id)),
            None => Ok(ids(name)?.first().copied()),
        };
        let eos = first("eos")?.ok_or_else(|| {
            failed(
                folder,
                "names no end of sequence: neither eos_token in tokenizer_config.json nor eos_token_id in config.json",
            )
        })?;
        let mut stop_tokens = vec![eos];
        for id in ids("eos")? {
            if !stop_tokens.contains(&id) {
                stop_tokens.push(id);
            }
        }
        Ok(Self {
            bos: first("bos")?.filter(|bos| begins(inner, &settings, *bos)),
            eos,
            pad: first("pad")?.unwrap_or(eos),
            stop_tokens,
        })
    }
}

/// All of `config.json`, then of `generation_config.json`. One that the tokenizer does not have
/// must be one of the model's: many a model has more rows than tokens. Another is passed by if it
/// is there to pad with, which any id can.
fn of_models(inner: &Tokenizer, models: &[File; 2], name: &str) -> Result<Vec<u32>, Error> {
    let key = format!("{name}_token_id");
    let rows = models[0].get("vocab_size").and_then(Value::as_u64);
    let mut all = Vec::new();
    for file in models {
        for id in file.ids(&key)? {
            if inner.id_to_token(id).is_none() && rows.is_none_or(|rows| u64::from(id) >= rows) {
                if name == "pad" {
                    continue;
                }
                let message = format!("{key} is {id}, which is no id of the tokenizer");
                return Err(failed(&file.path, message));
            }
            all.push(id);
        }
    }
    Ok(all)
}

/// Whether every sequence begins with `bos`.
fn begins(inner: &Tokenizer, settings: &File, bos: u32) -> bool {
    match settings.get("add_bos_token").and_then(Value::as_bool) {
        _ if !settings.is_there => true,
        Some(add) => add,
        None => {
            let encoded = guarded(|| inner.encode("a", true));
            encoded.is_ok_and(|encoded| encoded.get_ids().first() == Some(&bos))
        }
    }
}

/// Whether a token is for padding and for nothing else: by its role, or without one by its name.
fn is_pad(text: &str, special: &[(String, String, &PathBuf)]) -> bool {
    let mut roles = special.iter().filter(|(_, one, _)| one == text).peekable();
    let name = text
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    let named = roles.peek().is_some() || ["pad", "padding"].contains(&name.as_str());
    named && roles.all(|(key, ..)| key == PAD)
}

/// What `added_tokens_decoder` has: objects by id.
fn of_decoder(settings: &File, decoder: &Value) -> Result<Vec<(u32, AddedToken)>, Error> {
    const KEY: &str = "added_tokens_decoder";
    let wrong = |message: String| Err(failed(&settings.path, format!("{KEY} {message}")));
    let Some(decoder) = decoder.as_object() else {
        return wrong("must be an object".into());
    };
    let mut tokens = Vec::new();
    for (id, token) in decoder {
        let Ok(id) = id.parse::<u32>() else {
            return wrong(format!("must have ids for keys, got {id:?}"));
        };
        if let Some(text) = settings.text(KEY, token)? {
            let is = |key: &str| token[key].as_bool().unwrap_or(false);
            let token = AddedToken::from(text, is("special"))
                .single_word(is("single_word"))
                .lstrip(is("lstrip"))
                .rstrip(is("rstrip"))
                .normalized(token["normalized"].as_bool().unwrap_or(!is("special")));
            tokens.push((id, token));
        }
    }
    Ok(tokens)
}

/// What `added_tokens.json` has: ids by text.
fn of_legacy(
    added: &File,
    is_special: impl Fn(&str) -> bool,
) -> Result<Vec<(u32, AddedToken)>, Error> {
    let mut tokens = Vec::new();
    for (text, id) in &added.values {
        let Some(id) = id.as_u64().and_then(|id| u32::try_from(id).ok()) else {
            let message = format!("{text:?} must be an id, got {id}");
            return Err(failed(&added.path, message));
        };
        let special = is_special(text);
        let token = AddedToken::from(text.as_str(), special).normalized(!special);
        tokens.push((id, token));
    }
    Ok(tokens)
}

/// Adds tokens in the order of their ids. One that is new gets the next id that is free, which must
/// be the one it is said to have.
fn add_all(
    inner: &mut Tokenizer,
    path: &Path,
    mut tokens: Vec<(u32, AddedToken)>,
) -> Result<(), Error> {
    tokens.sort_by_key(|(id, _)| *id);
    let new = tokens
        .iter()
        .filter(|(_, token)| inner.token_to_id(&token.content).is_none());
    let new: Vec<(u32, String)> = new
        .map(|(id, token)| (*id, token.content.clone()))
        .collect();
    add(
        inner,
        path,
        tokens.into_iter().map(|(_, token)| token).collect(),
    )?;
    for (id, text) in new {
        let got = inner.token_to_id(&text).unwrap_or(id);
        if got != id {
            let message = format!(
                "{text:?} is said to be id {id}, but tokenizer.json does not have it, and the next \
                 free id is {got}"
            );
            return Err(failed(path, message));
        }
    }
    Ok(())
}

/// Adds tokens that are not there yet, all at once: each time takes as long as there are tokens.
fn add(inner: &mut Tokenizer, path: &Path, mut tokens: Vec<AddedToken>) -> Result<(), Error> {
    let known: HashSet<AddedToken> = inner.get_added_tokens_decoder().into_values().collect();
    tokens.retain(|token| !known.contains(token));
    if tokens.is_empty() {
        return Ok(());
    }
    let added = guarded(|| inner.add_tokens(tokens));
    let apart = added.and_then(|_| apart(inner));
    apart.map_err(|message| failed(path, message))
}
