//! Any `tokenizer.json`, through Hugging Face's tokenizers.

use super::files::{failed, read, read_json};
use super::{Placed, Tokenizer};
use crate::error::Error;
use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;
use tokenizers::{AddedToken, NormalizedString, Normalizer, NormalizerWrapper};

/// A Hugging Face tokenizer with the special tokens of its model.
///
/// [`encode`](Tokenizer::encode) makes a special token of a text that spells it, as in Python: chat
/// templates need it. Untrusted text could forge a turn so; [`encode_text`](Tokenizer::encode_text)
/// does not, and [`Encoder`](crate::data::Encoder) uses it for what people wrote.
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
    /// The same, blind to added tokens; made when it is needed first.
    blind: OnceLock<tokenizers::Tokenizer>,
    bos: Option<u32>,
    eos: u32,
    pad: u32,
    stop_tokens: Vec<u32>,
}

impl HfTokenizer {
    /// From the contents of a `tokenizer.json`, which do not say which id ends a sequence. Pads
    /// with that id and begins with none; [`with_bos`](Self::with_bos) and
    /// [`with_pad`](Self::with_pad) change that.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// let json = r#"{"version": "1.0", "added_tokens": [],
    ///     "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "!": 2}, "merges": []}}"#;
    /// let tokenizer = HfTokenizer::from_bytes(json, 2)?;
    /// assert_eq!(tokenizer.encode("abba")?, [0, 1, 1, 0]);
    /// assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.pad()), (None, 2, 2));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where it is not a tokenizer, or has no such id.
    pub fn from_bytes(json: impl AsRef<[u8]>, eos: u32) -> Result<Self, Error> {
        Self::parse(json.as_ref(), eos).map_err(|message| refused(&message))
    }

    /// Does what [`from_bytes`](Self::from_bytes) does, from a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, is not a tokenizer, or has no such id.
    pub fn from_file(path: impl AsRef<Path>, eos: u32) -> Result<Self, Error> {
        let path = path.as_ref();
        let json = read(path, "the tokenizer")?;
        Self::parse(&json, eos).map_err(|message| failed(path, message))
    }

    fn parse(json: &[u8], eos: u32) -> Result<Self, String> {
        let inner = parse(json)?;
        match inner.id_to_token(eos) {
            None => Err(format!(
                "the tokenizer has no id {eos} to end a sequence with"
            )),
            Some(_) => Ok(Self {
                inner,
                blind: OnceLock::new(),
                bos: None,
                eos,
                pad: eos,
                stop_tokens: vec![eos],
            }),
        }
    }

    /// Puts `bos` before every sequence.
    pub fn with_bos(mut self, bos: u32) -> Self {
        self.bos = Some(bos);
        self
    }

    /// Pads with `pad`.
    pub fn with_pad(mut self, pad: u32) -> Self {
        self.pad = pad;
        self
    }

    /// Ids that end a generation: all that the model's folder names, [`eos`](Tokenizer::eos) first.
    /// For [`GenerationConfig::stop_tokens`](super::GenerationConfig).
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop_tokens
    }

    /// Text of `tokens`, special tokens as they are spelled: what a model sees.
    ///
    /// # Errors
    ///
    /// The errors of [`decode`](Tokenizer::decode).
    pub fn decode_all(&self, tokens: &[u32]) -> Result<String, Error> {
        let decoded = self.inner.decode(tokens, false);
        decoded.map_err(|error| refused(&error.to_string()))
    }

    /// From a model folder: `tokenizer.json`, and the special tokens of `tokenizer_config.json`,
    /// `config.json` and `generation_config.json`, in this order.
    ///
    /// The end of sequence is `eos_token`, else the first `eos_token_id`; padding is `pad_token`,
    /// else the end of sequence. A beginning of sequence is put first if `add_bos_token` says so;
    /// where that key is absent, if the tokenizer's own post-processor does; where there is no
    /// `tokenizer_config.json` at all, if `config.json` has a `bos_token_id`.
    ///
    /// # Errors
    ///
    /// Where `tokenizer.json` is missing or damaged, or no end of sequence is named.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let path = folder.join("tokenizer.json");
        let inner =
            parse(&read(&path, "the tokenizer")?).map_err(|message| failed(&path, message))?;
        let settings = read_json(&folder.join("tokenizer_config.json"))?;
        let models = [
            read_json(&folder.join("config.json"))?,
            read_json(&folder.join("generation_config.json"))?,
        ];
        let special = Special {
            inner: &inner,
            settings: settings.as_ref(),
            models: models.iter().flatten().collect(),
        };
        let eos = special.id("eos").ok_or_else(|| {
            failed(
                folder,
                "names no end of sequence: neither eos_token in tokenizer_config.json nor eos_token_id in config.json",
            )
        })?;
        let (bos, pad) = (special.bos(), special.id("pad").unwrap_or(eos));
        let mut stop_tokens = vec![eos];
        for id in special.ids("eos") {
            if !stop_tokens.contains(&id) {
                stop_tokens.push(id);
            }
        }
        Ok(Self {
            inner,
            blind: OnceLock::new(),
            bos,
            eos,
            pad,
            stop_tokens,
        })
    }
}

impl HfTokenizer {
    /// The special token of this id.
    fn special(&self, id: u32) -> Option<&AddedToken> {
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder();
        added.get(&id).filter(|token| token.special)
    }

    /// Whether a text is a token's, and not only unknown where that token stands for all that is.
    fn spells(&self, text: &str, token: &AddedToken) -> bool {
        let mut text = NormalizedString::from(text);
        if let Some(normalizer) = self.inner.get_normalizer() {
            // Where it fails the text stays as it is.
            let _ = normalizer.normalize(&mut text);
        }
        text.get().contains(&token.content)
    }
}

/// The same, blind to added tokens. Those of white space stay: they are ordinary text, and the
/// model learned to read it so.
fn blind(tokenizer: &tokenizers::Tokenizer) -> tokenizers::Tokenizer {
    let mut blind = tokenizer.clone();
    let added = blind.get_added_tokens_decoder().into_values();
    let marks = added.filter(|token| !token.content.trim().is_empty());
    // Only special ones can be overlooked. Each keeps its id; where that fails, those that are
    // special already are overlooked all the same.
    let _ = blind.add_tokens(marks.map(|token| token.special(true)));
    blind.set_encode_special_tokens(true);
    blind
}

/// Whether texts that do not spell this token become it.
fn folds(normalizer: &NormalizerWrapper, token: &str) -> bool {
    // What is put into a text is no part of the token, or all of the token was there before.
    let makes = |text: &str| text.is_empty() || text.chars().any(|c| token.contains(c));
    match normalizer {
        NormalizerWrapper::Sequence(all) => all.as_ref().iter().any(|one| folds(one, token)),
        NormalizerWrapper::Replace(replace) => makes(&replace.content),
        NormalizerWrapper::Prepend(prepend) => makes(&prepend.prepend),
        NormalizerWrapper::StripNormalizer(_) => token.trim() != token,
        NormalizerWrapper::ByteLevel(_) => false,
        _ => true,
    }
}

fn parse(json: &[u8]) -> Result<tokenizers::Tokenizer, String> {
    let tokenizer = tokenizers::Tokenizer::from_bytes(json);
    let mut tokenizer = tokenizer.map_err(|error| format!("is not a tokenizer: {error}"))?;
    // Lengths are the encoder's business.
    tokenizer
        .with_truncation(None)
        .map_err(|error| error.to_string())?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// Where special tokens are named.
struct Special<'a> {
    inner: &'a tokenizers::Tokenizer,
    settings: Option<&'a Value>,
    models: Vec<&'a Value>,
}

impl Special<'_> {
    fn id(&self, name: &str) -> Option<u32> {
        let token = self.settings.map(|s| &s[format!("{name}_token")]);
        // Either the text itself or an object that holds it.
        let text = token.and_then(|token| token.as_str().or(token["content"].as_str()));
        let id = text.and_then(|text| self.inner.token_to_id(text));
        id.or_else(|| self.ids(name).first().copied())
    }

    /// All of `config.json`, then of `generation_config.json`; each has a number or a list.
    fn ids(&self, name: &str) -> Vec<u32> {
        let key = format!("{name}_token_id");
        let values = self.models.iter().map(|model| &model[&key]);
        let ids = values.flat_map(|value| match value {
            Value::Array(ids) => ids.as_slice(),
            id => std::slice::from_ref(id),
        });
        let ids = ids.filter_map(Value::as_u64);
        ids.filter_map(|id| u32::try_from(id).ok()).collect()
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

    fn special_tokens(&self) -> Vec<String> {
        let added = self.inner.get_added_tokens_decoder();
        let special = added.into_values().filter(|token| token.special);
        special.map(|token| token.content).collect()
    }

    fn added_tokens(&self) -> Vec<String> {
        let added = self.inner.get_added_tokens_decoder();
        added.into_values().map(|token| token.content).collect()
    }

    fn folded_tokens(&self) -> Vec<String> {
        let Some(normalizer) = self.inner.get_normalizer() else {
            return Vec::new();
        };
        let added = self.inner.get_added_tokens_decoder().into_values();
        let folded = added.filter(|token| token.normalized && folds(normalizer, &token.content));
        folded.map(|token| token.content).collect()
    }

    fn boundaries(&self) -> Vec<String> {
        let added = self.inner.get_added_tokens_decoder();
        let cuts = added.values().filter(|token| cuts(token, added.values()));
        cuts.map(|token| token.content.clone()).collect()
    }

    fn definition(&self) -> Option<String> {
        self.inner.to_string(false).ok()
    }

    fn encode_text(&self, text: &str) -> Result<Vec<u32>, Error> {
        let blind = self.blind.get_or_init(|| blind(&self.inner));
        let refused = |error: tokenizers::Error| refused(&error.to_string());
        let encoded = blind.encode_fast(text, false).map_err(refused)?;
        let ids = encoded.get_ids();
        if !ids.iter().any(|id| self.special(*id).is_some()) {
            return Ok(ids.to_vec());
        }
        // The model itself has the token in its vocabulary: cut the text within it.
        let encoded = blind.encode(text, false).map_err(refused)?;
        let (mut ids, mut done) = (Vec::new(), 0);
        for (&id, &(start, end)) in encoded.get_ids().iter().zip(encoded.get_offsets()) {
            let said = text.get(start..end).unwrap_or_default();
            if let Some(token) = self.special(id)
                && let Some((second, _)) = said.char_indices().nth(1)
                && start + second > done
                && self.spells(said, token)
            {
                ids.extend(self.encode_text(&text[done..start + second])?);
                done = start + second;
            }
        }
        if done == 0 {
            return Ok(encoded.get_ids().to_vec());
        }
        ids.extend(self.encode_text(&text[done..])?);
        Ok(ids)
    }

    fn encode_with_offsets(&self, text: &str) -> Result<Option<Vec<Placed>>, Error> {
        let encoded = self.inner.encode(text, false);
        let encoded = encoded.map_err(|error| refused(&error.to_string()))?;
        let bytes = encoded.get_offsets().iter().map(|&(start, end)| start..end);
        Ok(Some(encoded.get_ids().iter().copied().zip(bytes).collect()))
    }

    fn unknown(&self) -> Option<u32> {
        use tokenizers::ModelWrapper as Model;
        let token = match self.inner.get_model() {
            Model::BPE(model) => model.unk_token.clone()?,
            Model::WordPiece(model) => model.unk_token.clone(),
            Model::WordLevel(model) => model.unk_token.clone(),
            Model::Unigram(_) => return self.inner.token_to_id("<unk>"),
        };
        self.inner.token_to_id(&token)
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

/// Whether a text can be cut before this token wherever it stands, because the tokenizer looks for
/// it before anything else and nothing that stands before it changes what is found.
fn cuts<'t>(token: &AddedToken, mut added: impl Iterator<Item = &'t AddedToken>) -> bool {
    let text = token.content.as_str();
    // Found in the raw text, whatever its neighbours are; and not to be taken for the space that
    // the token before it may swallow, nor for the word that would end that one.
    let plain = token.special && !token.normalized && !token.lstrip && !token.single_word;
    let mark = text.starts_with(|c: char| c.is_ascii_punctuation() && c != '_');
    // Whether a match of `other` that begins earlier could reach into this token.
    let reached = |other: &str| {
        let ends = other.char_indices().skip(1).map(|(at, _)| &other[at..]);
        ends.into_iter()
            .any(|end| end.starts_with(text) || text.starts_with(end))
    };
    plain && mark && !added.any(|other| reached(&other.content))
}

fn refused(message: &str) -> Error {
    Error::Tokenize {
        message: message.to_string(),
    }
}

#[cfg(test)]
#[path = "hf_tokenizer_tests.rs"]
mod tests;
