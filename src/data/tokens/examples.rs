//! Examples in token ids.

use crate::data::tokens::ids::TokenIds;

/// A demonstration in token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedSft {
    /// What comes before, at least one token.
    pub prompt: TokenIds,
    /// What is scored, ends with the end of the sequence.
    pub completion: TokenIds,
    /// Where not all of the completion is scored: how many of its tokens are, how many after those
    /// are not, and so on by turns. Empty if all are.
    pub runs: TokenIds,
}

impl TokenizedSft {
    /// A demonstration.
    pub fn new(prompt: impl Into<TokenIds>, completion: impl Into<TokenIds>) -> Self {
        Self {
            prompt: prompt.into(),
            completion: completion.into(),
            runs: TokenIds::default(),
        }
    }

    /// With parts of the completion that are not scored, as [`runs`](Self::runs) says.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// // Two turns of the assistant, what was asked between them, and what the template ends with.
    /// let example = TokenizedSft::new([1, 2], [7, 0, 3, 4, 8, 0, 5]).with_runs([2, 2, 2, 1]);
    /// let batch = SftBatcher::new(9).batch(&[example], &burn::tensor::Device::flex());
    /// let scored: Vec<bool> = batch.completion_mask.into_data().iter().collect();
    /// assert_eq!(scored, [false, false, true, true, false, false, true, true, false]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the runs are not as long as the completion, all together.
    pub fn with_runs(mut self, runs: impl Into<TokenIds>) -> Self {
        let runs = runs.into();
        let (sum, length) = (
            runs.iter().map(|&n| n as usize).sum::<usize>(),
            self.completion.len(),
        );
        assert!(
            sum == length,
            "the runs of a completion are as long as it is, got {sum} and {length}"
        );
        self.runs = runs;
        self
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
    /// An example of weight 1.
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
