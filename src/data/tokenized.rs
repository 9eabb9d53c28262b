//! Examples in token ids.

/// A demonstration in token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedSft {
    /// What comes before, at least one token.
    pub prompt: Vec<u32>,
    /// What is scored, ends with the end of the sequence.
    pub completion: Vec<u32>,
}

/// A completion with a thumb in token ids.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizedBinary {
    /// What comes before, at least one token.
    pub prompt: Vec<u32>,
    /// What is scored, ends with the end of the sequence.
    pub completion: Vec<u32>,
    /// Thumb up?
    pub desirable: bool,
    /// What the example's loss is multiplied with; 1 is usual.
    pub weight: f64,
}

impl TokenizedBinary {
    /// Of weight 1.
    pub fn new(prompt: Vec<u32>, completion: Vec<u32>, desirable: bool) -> Self {
        Self {
            prompt,
            completion,
            desirable,
            weight: 1.0,
        }
    }
}

/// Two completions of one prompt in token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedPreference {
    /// What comes before, at least one token.
    pub prompt: Vec<u32>,
    /// The better one, ends with the end of the sequence.
    pub chosen: Vec<u32>,
    /// The worse one, ends with the end of the sequence.
    pub rejected: Vec<u32>,
}
