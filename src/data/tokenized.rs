//! Examples in token ids.

use super::token_ids::TokenIds;

/// A demonstration in token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedSft {
    /// What comes before, at least one token.
    pub prompt: TokenIds,
    /// What is scored, ends with the end of the sequence.
    pub completion: TokenIds,
}

impl TokenizedSft {
    /// A demonstration.
    pub fn new(prompt: impl Into<TokenIds>, completion: impl Into<TokenIds>) -> Self {
        Self {
            prompt: prompt.into(),
            completion: completion.into(),
        }
    }
}

/// A completion with a thumb in token ids.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizedBinary {
    /// What comes before, at least one token.
    pub prompt: TokenIds,
    /// What is scored, ends with the end of the sequence.
    pub completion: TokenIds,
    /// Thumb up?
    pub desirable: bool,
    /// What the example's loss is multiplied with; 1 is usual.
    pub weight: f64,
}

impl TokenizedBinary {
    /// Of weight 1.
    pub fn new(
        prompt: impl Into<TokenIds>,
        completion: impl Into<TokenIds>,
        desirable: bool,
    ) -> Self {
        Self {
            prompt: prompt.into(),
            completion: completion.into(),
            desirable,
            weight: 1.0,
        }
    }
}

/// Two completions of one prompt in token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedPreference {
    /// What comes before, at least one token.
    pub prompt: TokenIds,
    /// The better one, ends with the end of the sequence.
    pub chosen: TokenIds,
    /// The worse one, ends with the end of the sequence.
    pub rejected: TokenIds,
}

impl TokenizedPreference {
    /// Two completions of one prompt.
    pub fn new(
        prompt: impl Into<TokenIds>,
        chosen: impl Into<TokenIds>,
        rejected: impl Into<TokenIds>,
    ) -> Self {
        Self {
            prompt: prompt.into(),
            chosen: chosen.into(),
            rejected: rejected.into(),
        }
    }
}
