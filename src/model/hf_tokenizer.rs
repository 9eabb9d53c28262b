//! Any `tokenizer.json`, through Hugging Face's tokenizers.

use super::Tokenizer;
use crate::error::Error;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A Hugging Face tokenizer with the special tokens of its model.
///
/// ```no_run
/// use burn_kto::prelude::*;
/// let tokenizer = HfTokenizer::from_folder("SmolLM2-135M-Instruct")?;
/// println!("{} ids, ends with {}", tokenizer.vocab_size(), tokenizer.eos());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HfTokenizer {
    inner: tokenizers::Tokenizer,
    bos: Option<u32>,
    eos: u32,
    pad: u32,
}

impl HfTokenizer {
    /// From a model folder: `tokenizer.json`, and the special tokens of `tokenizer_config.json` and `config.json`.
    ///
    /// The end of sequence is `eos_token`, else the first `eos_token_id`; padding is `pad_token`, else the end of sequence. A beginning
    /// of sequence is put first if `add_bos_token` says so; where that key is absent, if the tokenizer's own post-processor does;
    /// where there is no `tokenizer_config.json` at all, if `config.json` has a `bos_token_id`.
    ///
    /// # Errors
    ///
    /// Where `tokenizer.json` is missing or damaged, or no end of sequence is named.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        if bytes.starts_with(b"version https://git-lfs") {
            let message = "is a Git LFS pointer, not the tokenizer: run `git lfs pull`";
            return Err(failed(&path, message));
        }
        let mut inner = tokenizers::Tokenizer::from_bytes(&bytes)
            .map_err(|error| failed(&path, error.to_string()))?;
        // Lengths are the encoder's business.
        let _ = inner.with_truncation(None);
        inner.with_padding(None);
        let settings = read_json(&folder.join("tokenizer_config.json"))?;
        let model = read_json(&folder.join("config.json"))?;
        let special = Special {
            inner: &inner,
            settings: settings.as_ref(),
            model: model.as_ref(),
        };
        let eos = special.id("eos").ok_or_else(|| {
            failed(
                folder,
                "names no end of sequence: neither eos_token in tokenizer_config.json nor eos_token_id in config.json",
            )
        })?;
        let (bos, pad) = (special.bos(), special.id("pad").unwrap_or(eos));
        Ok(Self {
            inner,
            bos,
            eos,
            pad,
        })
    }
}

/// Where special tokens are named.
struct Special<'a> {
    inner: &'a tokenizers::Tokenizer,
    settings: Option<&'a Value>,
    model: Option<&'a Value>,
}

impl Special<'_> {
    fn id(&self, name: &str) -> Option<u32> {
        let token = self.settings.map(|s| &s[format!("{name}_token")]);
        // Either the text itself or an object that holds it.
        let text = token.and_then(|token| token.as_str().or(token["content"].as_str()));
        let id = text.and_then(|text| self.inner.token_to_id(text));
        id.or_else(|| {
            let id = &self.model?[format!("{name}_token_id")];
            let first = id.as_u64().or_else(|| id[0].as_u64())?;
            u32::try_from(first).ok()
        })
    }

    fn bos(&self) -> Option<u32> {
        let bos = self.id("bos")?;
        let wanted = match self.settings.map(|s| s["add_bos_token"].as_bool()) {
            None => true,
            Some(Some(add)) => add,
            Some(None) => {
                let encoded = self.inner.encode("a", true).ok()?;
                encoded.get_ids().first() == Some(&bos)
            }
        };
        wanted.then_some(bos)
    }
}

impl Tokenizer for HfTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoded = self.inner.encode_fast(text, false);
        let encoded = encoded.map_err(|error| refused(&error.to_string()))?;
        Ok(encoded.get_ids().to_vec())
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        let decoded = self.inner.decode(tokens, true);
        decoded.map_err(|error| refused(&error.to_string()))
    }

    fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    fn bos(&self) -> Option<u32> {
        self.bos
    }

    fn eos(&self) -> u32 {
        self.eos
    }

    fn pad(&self) -> u32 {
        self.pad
    }
}

/// `None` where there is no such file.
pub(super) fn read_json(path: &Path) -> Result<Option<Value>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let value = serde_json::from_str(&text);
    value.map_err(|error| failed(path, error.to_string()))
}

fn failed(path: &Path, message: impl Into<String>) -> Error {
    Error::Model {
        path: PathBuf::from(path),
        message: message.into(),
    }
}

fn refused(message: &str) -> Error {
    Error::Tokenize {
        message: message.to_string(),
    }
}
