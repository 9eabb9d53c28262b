//! What belongs to a model besides its weights: read as what it claims to be before it is copied,
//! since a link can lead anywhere.

use super::files::{LONGEST, LONGEST_TOKENIZER, failed, is_there, read_up_to};
use crate::error::Error;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Files that a folder may have besides configuration and weights.
pub(super) const NAMES: [&str; 8] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "tokenizer.model",
];

/// A folder of chat templates with other names.
pub(super) const TEMPLATES: &str = "additional_chat_templates";
/// Templates in it at most.
const MOST: usize = 100;

/// Keys that name files of code, which are not copied.
const CODE: [&str; 3] = ["auto_map", "custom_generate", "custom_pipelines"];

/// Refuses a folder in which one of all that [`copy`] will copy is not what its name says: before a
/// run, not at its end.
#[cfg(feature = "tokenizers")]
pub(super) fn check(folder: &Path) -> Result<(), Error> {
    let names = names(folder)?;
    names
        .iter()
        .try_for_each(|name| content(folder, name).map(|_| ()))
}

/// Copies those that are there, each whole or not at all. Nothing happens where both folders are
/// one.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::io("create", to))?;
    if fs::canonicalize(from).ok() == fs::canonicalize(to).ok() {
        return Ok(());
    }
    for name in names(from)? {
        if let Some(bytes) = content(from, &name)? {
            let (path, new) = (to.join(&name), to.join(format!("{name}.new")));
            let folder = path.parent().unwrap_or(to);
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            fs::write(&new, bytes).map_err(Error::io("write", &new))?;
            fs::rename(&new, &path).map_err(Error::io("write", &path))?;
        }
    }
    Ok(())
}

/// All that a folder may have, and the templates that it has.
fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let path = folder.join(TEMPLATES);
    let files = fs::read_dir(&path).into_iter().flatten().flatten();
    let files = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let files = files.filter(|name| name.ends_with(".jinja"));
    let mut templates: Vec<String> = files.take(MOST + 1).collect();
    if templates.len() > MOST {
        return Err(failed(
            &path,
            format!("has more than {MOST} chat templates"),
        ));
    }
    templates.sort();
    let templates = templates.iter().map(|name| format!("{TEMPLATES}/{name}"));
    Ok(NAMES
        .iter()
        .map(|name| name.to_string())
        .chain(templates)
        .collect())
}

/// What is to be in the copy; `None` where the file is not there.
fn content(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let path = folder.join(name);
    if !is_there(&path) {
        return Ok(None);
    }
    let limit = match name.starts_with("tokenizer.") {
        true => LONGEST_TOKENIZER,
        false => LONGEST,
    };
    let (what, bytes) = match name.rsplit_once('.') {
        Some((_, "json")) => {
            let bytes = read_up_to(limit, &path, "a JSON file")?;
            let object: Map<String, Value> =
                serde_json::from_slice(&bytes).map_err(|error| failed(&path, error.to_string()))?;
            ("", without_code(object, bytes))
        }
        Some((_, "jinja")) => {
            let bytes = read_up_to(limit, &path, "the chat template")?;
            let text = std::str::from_utf8(&bytes).unwrap_or_default();
            // Templates with other names may be of documents, or of nothing at all.
            let is_named = name.starts_with(TEMPLATES) || text.contains("messages");
            let is_one = is_named && (text.contains("{%") || text.contains("{{"));
            (if is_one { "" } else { "a chat template" }, bytes)
        }
        _ => {
            let bytes = read_up_to(limit, &path, "the vocabulary")?;
            let is_one = is_sentencepiece(&bytes) || is_ranks(&bytes);
            (if is_one { "" } else { "a vocabulary" }, bytes)
        }
    };
    match what {
        "" => Ok(Some(bytes)),
        what => Err(failed(
            &path,
            format!("is not {what}: it would be copied into the result"),
        )),
    }
}

/// The bytes as they are, if nothing has to go.
fn without_code(mut object: Map<String, Value>, bytes: Vec<u8>) -> Vec<u8> {
    if !CODE.iter().any(|key| object.contains_key(*key)) {
        return bytes;
    }
    for key in CODE {
        object.shift_remove(key);
    }
    format!("{:#}\n", Value::Object(object)).into_bytes()
}

/// A model of sentencepiece: a message of protocol buffers whose fields are pieces (1), the
/// settings of training and normalization (2, 3, 5) and samples (4).
fn is_sentencepiece(bytes: &[u8]) -> bool {
    let (mut rest, mut pieces) = (bytes, 0);
    while let Some((&tag, after)) = rest.split_first() {
        // Each field is a number times 8, and 2 for what has a length.
        if ![10, 18, 26, 34, 42].contains(&tag) {
            return false;
        }
        let Some((length, after)) = varint(after) else {
            return false;
        };
        let Some(after) = after.get(length..) else {
            return false;
        };
        pieces += usize::from(tag == 10);
        rest = after;
    }
    pieces > 0
}

/// A length, seven bits a byte, lowest first; and what follows.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let digits = bytes[..=end].iter().rev();
    let value = digits.fold(0, |value, byte| value << 7 | usize::from(byte & 0x7F));
    Some((value, &bytes[end + 1..]))
}

/// The vocabulary of tiktoken: lines of a token in base 64 and its rank.
fn is_ranks(bytes: &[u8]) -> bool {
    let base64 = |c: &u8| c.is_ascii_alphanumeric() || b"+/=".contains(c);
    let is_line = |line: &[u8]| {
        let Some(space) = line.iter().position(|c| *c == b' ') else {
            return false;
        };
        let (token, rank) = (&line[..space], &line[space + 1..]);
        let rank = rank.strip_suffix(b"\r").unwrap_or(rank);
        let token = !token.is_empty() && token.iter().all(base64);
        token && !rank.is_empty() && rank.iter().all(u8::is_ascii_digit)
    };
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    lines.split(|c| *c == b'\n').all(is_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vocabularies_are_told_from_other_files() {
        // Pieces "<s>" and "a" with their scores, and the settings of training.
        let pieces =
            b"\x0a\x0a\x0a\x03<s>\x15\0\0\0\0\x0a\x08\x0a\x01a\x15\0\0\0\0\x12\x02\x18\x01";
        assert!(is_sentencepiece(pieces));
        assert!(!is_sentencepiece(&pieces[..pieces.len() - 1]), "cut off");
        assert!(is_ranks(b"IQ== 0\nIg== 1\n") && is_ranks(b"IQ== 0"));
        let others: [&[u8]; 6] = [
            b"",
            b"root:x:0:0:root:/root:/bin/bash\n",
            b"root:$6$abc:19000:0:99999:7:::\n",
            b"PATH=/usr/bin\0SECRET=x\0",
            b"\x0a",
            b"\x12\x00",
        ];
        for other in others {
            assert!(!is_sentencepiece(other) && !is_ranks(other), "{other:?}");
        }
    }
}
