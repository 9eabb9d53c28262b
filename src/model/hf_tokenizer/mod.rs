//! Any `tokenizer.json`, through Hugging Face's tokenizers.

mod guard;
mod marks;
mod rules;
mod special;

use super::files::{LONGEST_TOKENIZER, failed, read_up_to};
use super::{Placed, Tokenizer};
use crate::error::Error;
use guard::{guarded, load};
use marks::{blind, cuts, folds};
use special::Special;
use std::path::Path;
use std::sync::OnceLock;
use tokenizers::{AddedToken, NormalizedString, Normalizer};

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
    /// One more than the highest id: vocabularies may have gaps.
    ids: usize,
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
        let json = read_up_to(LONGEST_TOKENIZER, path, "the tokenizer")?;
        Self::parse(&json, eos).map_err(|message| failed(path, message))
    }

    fn parse(json: &[u8], eos: u32) -> Result<Self, String> {
        let inner = load(json)?;
        match inner.id_to_token(eos) {
            None => Err(format!(
                "the tokenizer has no id {eos} to end a sequence with"
            )),
            Some(_) => Ok(Self::made(
                inner,
                Special {
                    bos: None,
                    eos,
                    pad: eos,
                    stop_tokens: vec![eos],
                },
            )),
        }
    }

    fn made(inner: tokenizers::Tokenizer, special: Special) -> Self {
        let ids = inner.get_vocab(true).into_values().max();
        let Special {
            bos,
            eos,
            pad,
            stop_tokens,
        } = special;
        Self {
            ids: ids.map_or(0, |highest| highest as usize + 1),
            inner,
            blind: OnceLock::new(),
            bos,
            eos,
            pad,
            stop_tokens,
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
        let decoded = guarded(|| self.inner.decode(tokens, false));
        decoded.map_err(|message| refused(&message))
    }

    /// From a model folder: `tokenizer.json`, and the special tokens of `tokenizer_config.json`,
    /// `special_tokens_map.json`, `added_tokens.json`, `config.json` and `generation_config.json`,
    /// as transformers reads them. Tokens that `tokenizer.json` lacks are added.
    ///
    /// The end of sequence is `eos_token`, else the first `eos_token_id`; padding is `pad_token`,
    /// else the end of sequence. A beginning of sequence is put first if `add_bos_token` says so;
    /// where that key is absent, if the tokenizer's own post-processor does; where there is no
    /// `tokenizer_config.json` at all, if `config.json` has a `bos_token_id`.
    ///
    /// # Errors
    ///
    /// Where `tokenizer.json` is missing or damaged, no end of sequence is named, or a token is that
    /// is not known.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let path = folder.join("tokenizer.json");
        let json = read_up_to(LONGEST_TOKENIZER, &path, "the tokenizer")?;
        let mut inner = load(&json).map_err(|message| failed(&path, message))?;
        let special = Special::of(folder, &mut inner)?;
        Ok(Self::made(inner, special))
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
            let _ = guarded(|| normalizer.normalize(&mut text));
        }
        text.get().contains(&token.content)
    }
}

impl Tokenizer for HfTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoded = guarded(|| self.inner.encode_fast(text, false));
        let encoded = encoded.map_err(|message| refused(&message))?;
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
        let refused = |message: String| refused(&message);
        let encoded = guarded(|| blind.encode_fast(text, false)).map_err(refused)?;
        let ids = encoded.get_ids();
        if !ids.iter().any(|id| self.special(*id).is_some()) {
            return Ok(ids.to_vec());
        }
        // The model itself has the token in its vocabulary: cut the text within it.
        let encoded = guarded(|| blind.encode(text, false)).map_err(refused)?;
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
        let encoded = guarded(|| self.inner.encode(text, false));
        let encoded = encoded.map_err(|message| refused(&message))?;
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
        let decoded = guarded(|| self.inner.decode(tokens, true));
        decoded.map_err(|message| refused(&message))
    }

    fn vocab_size(&self) -> usize {
        self.ids
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

fn refused(message: &str) -> Error {
    Error::Tokenize {
        message: message.to_string(),
    }
}

#[cfg(test)]
mod tests;
