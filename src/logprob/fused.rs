//! log p(target) from hidden states, without the logits.

use super::fused_op::{Options, linear_log_probs};
use crate::error::Error;
use burn::config::Config;
use burn::tensor::{Int, Tensor, assert_shape};

/// Configuration of [`FusedLinearLogProbs`].
///
/// A tile of logits is `row_tile × vocab_tile` values, the only thing of that size that ever lives.
/// On a CPU 4 to 16 MiB do best, which is the default; a GPU may like larger ones. A tile has at
/// most 2^24 values, 64 MiB in f32: the smallest limit of a buffer that is met in practice is 128
/// MiB (software Vulkan), and f64 takes twice as much.
#[derive(Config, Debug)]
pub struct FusedLinearLogProbsConfig {
    /// Tokens a tile.
    #[config(default = 1024)]
    pub row_tile: usize,
    /// Vocabulary entries a tile.
    #[config(default = 2048)]
    pub vocab_tile: usize,
}

impl FusedLinearLogProbsConfig {
    /// Tiles need at least one row and one column.
    pub fn validate(&self) -> Result<(), Error> {
        Error::check(
            self.row_tile > 0,
            "row_tile",
            "must be positive",
            self.row_tile,
        )?;
        let ok = self.vocab_tile > 0;
        Error::check(ok, "vocab_tile", "must be positive", self.vocab_tile)?;
        let tile = self.row_tile.saturating_mul(self.vocab_tile);
        let reason =
            "times vocab_tile must be at most 2^24: larger buffers are refused by some devices";
        Error::check(tile <= 1 << 24, "row_tile", reason, tile)
    }

    /// Builds it.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> FusedLinearLogProbs {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        FusedLinearLogProbs {
            row_tile: self.row_tile,
            vocab_tile: self.vocab_tile,
        }
    }
}

/// log p(target) from hidden states and the weight of a language-model head, without ever holding
/// `[tokens, vocab]` logits.
///
/// ```text
/// logits = hidden · weightᵀ (+ bias)         log p = logits[target] − logsumexp(logits)
/// ```
///
/// Tiles run over tokens and vocabulary with an online log-sum-exp; the backward pass computes each
/// tile again. Differentiable in `hidden`, `weight` and `bias`; what is not tracked costs nothing,
/// so a frozen head saves its matrix product and its buffer. Against logits, `log_softmax` and
/// `gather` on flex at 2048 tokens, width 576, vocabulary 49152: an eighth of the memory.
///
/// It covers the backends whose features of *this* crate are on; without any of them it computes
/// the same from logits, as it must when the application turns backends on through burn alone. A
/// backend beside one that is covered is refused by a panic.
///
/// A negative target gives exactly 0 and no gradient, as in
/// [`token_log_probs`](super::token_log_probs) (its hidden state must be finite all the same), and
/// f16 and bf16 are computed in f32, tile by tile.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let head = FusedLinearLogProbsConfig::new().init();
/// let hidden = Tensor::<2>::from_data([[1.0, 0.0]], &device);
/// // Logits 0 and ln 3.
/// let weight = Tensor::<2>::from_data([[0.0, 5.0], [3.0_f32.ln(), 5.0]], &device);
/// let log_probs = head.forward(hidden, weight, Tensor::<1, Int>::from_data([1], &device));
/// assert!((log_probs.into_scalar::<f32>() - 0.75_f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct FusedLinearLogProbs {
    row_tile: usize,
    vocab_tile: usize,
}

impl FusedLinearLogProbs {
    /// # Shapes
    ///
    /// - `hidden`: `[tokens, width]`
    /// - `weight`: `[vocab, width]`, the layout of embeddings and of Hugging Face heads
    /// - `targets`: `[tokens]`
    /// - output: `[tokens]`; f32, or f64 for f64 input
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or there is no token, no width or no vocabulary. A target of
    /// `vocab` or more is out of bounds: what happens is up to the backend.
    pub fn forward(
        &self,
        hidden: Tensor<2>,
        weight: Tensor<2>,
        targets: Tensor<1, Int>,
    ) -> Tensor<1> {
        self.run(hidden, weight, None, targets)
    }

    /// Does what [`forward`](Self::forward) does, with `bias` `[vocab]` added to the logits.
    ///
    /// # Panics
    ///
    /// Whatever panics in [`forward`](Self::forward).
    pub fn forward_with_bias(
        &self,
        hidden: Tensor<2>,
        weight: Tensor<2>,
        bias: Tensor<1>,
        targets: Tensor<1, Int>,
    ) -> Tensor<1> {
        self.run(hidden, weight, Some(bias), targets)
    }

    fn run(
        &self,
        hidden: Tensor<2>,
        weight: Tensor<2>,
        bias: Option<Tensor<1>>,
        targets: Tensor<1, Int>,
    ) -> Tensor<1> {
        let [tokens, width] = hidden.dims();
        let [vocab, _] = weight.dims();
        assert_shape!(weight, [vocab, width]);
        assert_shape!(targets, [tokens]);
        assert!(
            tokens * width * vocab > 0,
            "hidden {:?} and weight {:?} must not be empty",
            hidden.dims(),
            weight.dims()
        );
        if let Some(bias) = &bias {
            assert_shape!(bias, [vocab]);
        }
        let options = Options {
            row_tile: self.row_tile,
            vocab_tile: self.vocab_tile,
            bias: bias.is_some(),
        };
        // The operation always has three inputs; without a bias the third is never read.
        let bias = bias.unwrap_or_else(|| Tensor::zeros([1], &hidden.device().inner()));
        let ignored = targets.clone().lower_elem(0);
        let log_probs = linear_log_probs(hidden, weight, bias, targets.clamp_min(0), options);
        log_probs.mask_fill(ignored, 0.0)
    }
}
