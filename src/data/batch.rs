//! What one pass works on.

use crate::sequence::Sequences;
use burn::tensor::{Bool, Tensor};

/// Completions with thumbs, and mismatched pairs for the reference point z0. For demonstrations a batch is just [`Sequences`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BinaryBatch {
    /// `[batch, seq]`
    pub completions: Sequences,
    /// Prompts with completions of other prompts, `[pairs, seq']`; usually as many as completions.
    pub mismatched: Sequences,
    /// Thumb up? `[batch]`
    pub desirable: Tensor<1, Bool>,
    /// z0 `[1]`, where it was estimated over more than this batch; else it is estimated from `mismatched`.
    pub kl: Option<Tensor<1>>,
}

impl BinaryBatch {
    /// # Panics
    ///
    /// If there are not as many thumbs as completions.
    pub fn new(completions: Sequences, mismatched: Sequences, desirable: Tensor<1, Bool>) -> Self {
        let ([batch, _], [thumbs]) = (completions.dims(), desirable.dims());
        assert!(
            batch == thumbs,
            "each completion needs a thumb, got {batch} completions and {thumbs} thumbs"
        );
        Self {
            completions,
            mismatched,
            desirable,
            kl: None,
        }
    }

    /// With a z0 `[1]` that was estimated elsewhere.
    pub fn with_kl(mut self, kl: Tensor<1>) -> Self {
        self.kl = Some(kl);
        self
    }
}

/// Pairs of completions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PreferenceBatch {
    /// The better ones, `[pairs, seq]`.
    pub chosen: Sequences,
    /// The worse ones, `[pairs, seq']`.
    pub rejected: Sequences,
}

impl PreferenceBatch {
    /// # Panics
    ///
    /// If there are not as many chosen as rejected.
    pub fn new(chosen: Sequences, rejected: Sequences) -> Self {
        let ([c, _], [r, _]) = (chosen.dims(), rejected.dims());
        assert!(
            c == r,
            "chosen and rejected come in pairs, got {c} chosen and {r} rejected"
        );
        Self { chosen, rejected }
    }
}
