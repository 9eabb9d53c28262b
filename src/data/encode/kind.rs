//! Demonstrations, thumbs and pairs alike.

use crate::data::encode::encoder::{Encoded, Encoder};
use crate::data::example::{BinaryExample, PreferenceExample, SftExample};
use crate::data::tokens::examples::{TokenizedBinary, TokenizedPreference, TokenizedSft};
use crate::error::Error;

/// What an [`Encoder`] encodes, for code that works on demonstrations, thumbs and pairs alike.
pub trait Encode: Sized + Sync {
    /// What it becomes.
    type Tokenized: Send;

    /// The errors of the encoder's own method for this kind.
    ///
    /// # Errors
    ///
    /// The errors of [`encode`](Self::encode).
    fn encode(examples: &[Self], encoder: &Encoder<'_>) -> Result<Encoded<Self::Tokenized>, Error>;
}

impl Encode for SftExample {
    type Tokenized = TokenizedSft;

    fn encode(examples: &[Self], encoder: &Encoder<'_>) -> Result<Encoded<TokenizedSft>, Error> {
        encoder.encode_sft(examples)
    }
}

impl Encode for BinaryExample {
    type Tokenized = TokenizedBinary;

    fn encode(examples: &[Self], encoder: &Encoder<'_>) -> Result<Encoded<TokenizedBinary>, Error> {
        encoder.encode_binary(examples)
    }
}

impl Encode for PreferenceExample {
    type Tokenized = TokenizedPreference;

    fn encode(
        examples: &[Self],
        encoder: &Encoder<'_>,
    ) -> Result<Encoded<TokenizedPreference>, Error> {
        encoder.encode_preferences(examples)
    }
}
