//! Text to token ids and back.

use crate::error::Error;
use std::ops::Range;

/// A token's id and the bytes of a text that it stands for.
pub type Placed = (u32, Range<usize>);

/// Text to token ids and back.
///
/// Implemented by [`ByteTokenizer`] and, with feature `tokenizers`, by `HfTokenizer` for any
/// `tokenizer.json`.
pub trait Tokenizer: Send + Sync {
    /// Ids of `text` alone: no beginning or end of sequence is added.
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error>;

    /// Texts that [`encode`](Self::encode) reads as special tokens, such as the marks between
    /// turns; none by default.
    fn special_tokens(&self) -> Vec<String> {
        Vec::new()
    }

    /// All texts that [`encode`](Self::encode) looks for before anything else, special or not. A
    /// text that spells one which a chat template writes is kept from forging it; the special ones
    /// by default.
    fn added_tokens(&self) -> Vec<String> {
        self.special_tokens()
    }

    /// Those of [`added_tokens`](Self::added_tokens) that texts of other spellings become too, as
    /// `<|IM_END|>` where all is made lower case first; none by default.
    fn folded_tokens(&self) -> Vec<String> {
        Vec::new()
    }

    /// Texts before which any text can be cut: the ids of the whole are those of both parts.
    /// Special tokens are like that as long as they take nothing along from what stands before
    /// them. It saves tokenizing a prompt again with each of its completions; none by default,
    /// which is always right.
    fn boundaries(&self) -> Vec<String> {
        Vec::new()
    }

    /// Everything that ids depend on, as one text, however long: two tokenizers with one definition
    /// give the same ids. A token cache is made for one definition; by default there is none, and
    /// no cache.
    fn definition(&self) -> Option<String> {
        None
    }

    /// Ids of `text` alone, texts of [`added_tokens`](Self::added_tokens) being text like any
    /// other. The same as [`encode`](Self::encode) by default, which is right where there are none.
    fn encode_text(&self, text: &str) -> Result<Vec<u32>, Error> {
        self.encode(text)
    }

    /// Does what [`encode`](Self::encode) does, and which bytes of the text each id stands for.
    /// `None` where that is not known, which is the default; then marks of a chat template cannot
    /// become masks.
    ///
    /// # Errors
    ///
    /// The errors of [`encode`](Self::encode).
    fn encode_with_offsets(&self, text: &str) -> Result<Option<Vec<Placed>>, Error> {
        let _ = text;
        Ok(None)
    }

    /// The id that texts become which the tokenizer does not know, whatever they are; none by
    /// default.
    fn unknown(&self) -> Option<u32> {
        None
    }

    /// Text of `tokens`, without special tokens.
    fn decode(&self, tokens: &[u32]) -> Result<String, Error>;

    /// One more than the highest id, special ones included: what a model needs rows for. Ids may
    /// have gaps.
    fn vocab_size(&self) -> usize;

    /// Put before every sequence, if the model expects one.
    fn bos(&self) -> Option<u32>;

    /// Ends a completion.
    fn eos(&self) -> u32;

    /// Fills up short rows. May be the same id as [`eos`](Tokenizer::eos): masks go by position.
    fn pad(&self) -> u32;
}

/// One token a byte, for tests and examples: ids 0 to 255 are the bytes, 256 ends a sequence, 257
/// pads.
///
/// ```
/// use burn_kto::prelude::*;
/// let tokenizer = ByteTokenizer;
/// let ids = tokenizer.encode("né").unwrap();
/// assert_eq!(ids, [110, 195, 169]);
/// assert_eq!(tokenizer.decode(&ids).unwrap(), "né");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ByteTokenizer;

impl Tokenizer for ByteTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn definition(&self) -> Option<String> {
        Some("bytes".into())
    }

    fn encode_with_offsets(&self, text: &str) -> Result<Option<Vec<Placed>>, Error> {
        let bytes = text.bytes().enumerate();
        Ok(Some(
            bytes.map(|(at, byte)| (byte.into(), at..at + 1)).collect(),
        ))
    }

    /// Invalid UTF-8 becomes U+FFFD.
    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        let bytes: Vec<u8> = tokens
            .iter()
            .filter_map(|&t| u8::try_from(t).ok())
            .collect();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn vocab_size(&self) -> usize {
        258
    }

    fn bos(&self) -> Option<u32> {
        None
    }

    fn eos(&self) -> u32 {
        256
    }

    fn pad(&self) -> u32 {
        257
    }
}
