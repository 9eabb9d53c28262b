//! What one pass works on.

use crate::kl::Mismatched;
use crate::sequence::Sequences;
use burn::tensor::{Bool, Tensor};

/// Completions with thumbs, and mismatched pairs for the reference point z0. For demonstrations a
/// batch is just [`Sequences`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BinaryBatch {
    /// `[batch, seq]`
    pub completions: Sequences,
    /// Prompts with completions of other prompts, `[pairs, seq']`; usually as many as completions.
    pub mismatched: Sequences,
    /// Thumb up? `[batch]`
    pub desirable: Tensor<1, Bool>,
    /// z0 `[1]`, where it was estimated over more than this batch; else it is estimated from
    /// `mismatched`.
    pub kl: Option<Tensor<1>>,
    /// What each example's loss is multiplied with, `[batch]`; 1 where there is none.
    pub weights: Option<Tensor<1>>,
    /// What `kl` was estimated from, to be reported; on one batch of those that share it.
    pub kl_from: Option<Mismatched>,
    /// How many of the mismatched pairs are no such thing, having a completion of their own prompt;
    /// `None` where nobody counted.
    pub matched_pairs: Option<usize>,
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
            weights: None,
            kl_from: None,
            matched_pairs: None,
        }
    }

    /// With a weight for each example, `[batch]`.
    ///
    /// # Panics
    ///
    /// If there are not as many weights as completions.
    pub fn with_weights(mut self, weights: Tensor<1>) -> Self {
        let ([batch, _], [n]) = (self.completions.dims(), weights.dims());
        assert!(
            batch == n,
            "each completion needs a weight, got {batch} completions and {n} weights"
        );
        self.weights = Some(weights);
        self
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
    /// What each pair's loss is multiplied with, `[pairs]`; 1 where there is none.
    pub weights: Option<Tensor<1>>,
    /// By how much each chosen should be better, `[pairs]`, for reward models.
    pub margins: Option<Tensor<1>>,
    /// Scored tokens of a chosen completion on average over the optimizer step, where it has more
    /// batches than this.
    pub mean_length: Option<f64>,
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
        Self {
            chosen,
            rejected,
            weights: None,
            margins: None,
            mean_length: None,
        }
    }

    /// With a weight for each pair, `[pairs]`.
    ///
    /// # Panics
    ///
    /// If there are not as many weights as pairs.
    pub fn with_weights(mut self, weights: Tensor<1>) -> Self {
        self.check_length("weight", &weights);
        self.weights = Some(weights);
        self
    }

    /// With the margin of each pair, `[pairs]`, for reward models.
    ///
    /// # Panics
    ///
    /// If there are not as many margins as pairs.
    pub fn with_margins(mut self, margins: Tensor<1>) -> Self {
        self.check_length("margin", &margins);
        self.margins = Some(margins);
        self
    }

    /// Number of pairs.
    pub fn pairs(&self) -> usize {
        self.chosen.dims()[0]
    }

    /// Real tokens of both completions. Reads the masks back from the device.
    pub fn num_tokens(&self) -> usize {
        self.chosen.num_tokens() + self.rejected.num_tokens()
    }

    fn check_length(&self, what: &str, values: &Tensor<1>) {
        let ([pairs, _], [n]) = (self.chosen.dims(), values.dims());
        assert!(
            pairs == n,
            "each pair needs a {what}, got {pairs} pairs and {n} {what}s"
        );
    }
}
