//! From logits or hidden states to log-probabilities.
//!
//! | function | from | to | holds `[tokens, vocab]`? |
//! |---|---|---|---|
//! | [`token_log_probs`] | logits `[batch, seq, vocab]` | `[batch, seq]` | yes, the caller's |
//! | [`FusedLinearLogProbs`] | hidden states `[tokens, width]` and the head's weight | `[tokens]` | never |
//! | [`sequence_log_probs`] | `[batch, seq]` and a mask | `[batch]`, sums | |
//! | [`average_log_probs`] | `[batch, seq]` and a mask | `[batch]`, means | |
//! | [`uniform_log_probs`] | logits | `[batch, seq]`, mean over the vocabulary | yes |
//! | [`log_collisions`] | logits | `[batch, seq]`, ln Σ p² | yes |
//!
//! f16 and bf16 are computed in f32; f64 stays f64.

mod fused;
#[cfg(any(feature = "flex", feature = "tch", feature = "cubecl"))]
#[cfg_attr(feature = "tch", allow(deprecated))] // LibTorch, by burn 0.22: its macro names it
mod fused_op;
#[cfg(not(any(feature = "flex", feature = "tch", feature = "cubecl")))]
#[path = "fused_naive.rs"]
mod fused_op;

pub use fused::{FusedLinearLogProbs, FusedLinearLogProbsConfig};

use crate::math::{indicator, upcast};
use burn::tensor::{Bool, Int, Tensor, assert_shape};

/// log p(target) from logits.
///
/// ```text
/// log p = (logit[target] − max) − ln Σ exp(logit − max)
/// ```
///
/// The maximum and the sum stay apart: `logit − logsumexp` loses up to 5e-4 in f32 where logits
/// reach 1e4.
///
/// A negative target, such as the −100 that data loaders use for positions to ignore, gives exactly
/// 0 and no gradient; the logits there must be finite all the same.
///
/// # Shapes
///
/// - `logits`: `[batch, seq, vocab]`
/// - `targets`: `[batch, seq]`, already shifted: `logits[:, t]` predicts `targets[:, t]`
/// - output: `[batch, seq]`, at most 0; f32, or f64 for f64 logits
///
/// # Panics
///
/// If the shapes do not agree. A target of `vocab` or more is out of bounds: what happens is up to
/// the backend.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let logits = Tensor::<3>::from_data([[[0.0, 3.0_f32.ln()]]], &device); // p = 1/4, 3/4
/// let log_probs = token_log_probs(logits, Tensor::<2, Int>::from_data([[1]], &device));
/// assert!((log_probs.into_scalar::<f32>() - 0.75_f32.ln()).abs() < 1e-6);
/// ```
pub fn token_log_probs(logits: Tensor<3>, targets: Tensor<2, Int>) -> Tensor<2> {
    let [batch, seq, _vocab] = logits.dims();
    assert_shape!(targets, [batch, seq]);
    let logits = upcast(logits);
    let ignored = targets.clone().lower_elem(0);
    let index = targets.clamp_min(0).unsqueeze_dim::<3>(2);
    let max = logits.clone().detach().max_dim(2);
    let shifted = logits - max;
    let log_sum = shifted.clone().exp().sum_dim(2).log();
    let log_probs = shifted.gather(2, index) - log_sum;
    log_probs.squeeze_dim::<2>(2).mask_fill(ignored, 0.0)
}

/// Sum of the log-probabilities where `mask` is true.
///
/// Values under a false mask do not count, whatever they are (NaN included), and get no gradient;
/// an all-masked row is exactly 0.
///
/// # Shapes
///
/// - `token_log_probs`, `mask`: `[batch, seq]`
/// - output: `[batch]`
///
/// # Panics
///
/// If the shapes differ.
///
/// # Example
///
/// ```
/// use burn::tensor::{Bool, Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let tokens = Tensor::<2>::from_data([[-1.0, -2.0, -4.0]], &device);
/// let mask = Tensor::<2, Bool>::from_data([[false, true, true]], &device);
/// assert_eq!(sequence_log_probs(tokens, mask).into_scalar::<f32>(), -6.0);
/// ```
pub fn sequence_log_probs(token_log_probs: Tensor<2>, mask: Tensor<2, Bool>) -> Tensor<1> {
    let [batch, seq] = token_log_probs.dims();
    assert_shape!(mask, [batch, seq]);
    let masked = upcast(token_log_probs).mask_fill(mask.bool_not(), 0.0);
    masked.sum_dim(1).squeeze_dim::<1>(1)
}

/// Mean of the log-probabilities where `mask` is true; an all-masked row is exactly 0.
///
/// # Shapes
///
/// - `token_log_probs`, `mask`: `[batch, seq]`
/// - output: `[batch]`
///
/// # Panics
///
/// If the shapes differ.
///
/// # Example
///
/// ```
/// use burn::tensor::{Bool, Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let tokens = Tensor::<2>::from_data([[-1.0, -2.0, -4.0], [-1.0, -1.0, -1.0]], &device);
/// let mask = Tensor::<2, Bool>::from_data([[false, true, true], [false; 3]], &device);
/// let means = average_log_probs(tokens, mask).into_data();
/// assert_eq!(means.try_to_vec::<f32>().unwrap(), [-3.0, 0.0]);
/// ```
pub fn average_log_probs(token_log_probs: Tensor<2>, mask: Tensor<2, Bool>) -> Tensor<1> {
    let token_log_probs = upcast(token_log_probs);
    let count = indicator(mask.clone(), &token_log_probs).sum_dim(1);
    let inverse = count.clamp_min(1.0).recip().squeeze_dim::<1>(1);
    sequence_log_probs(token_log_probs, mask) * inverse
}

/// Mean log-probability of the vocabulary at each position: what smoothed labels pull to.
///
/// # Shapes
///
/// - `logits`: `[batch, seq, vocab]`
/// - output: `[batch, seq]`; f32, or f64 for f64 logits
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::logprob::uniform_log_probs;
///
/// let logits = Tensor::<3>::from_data([[[0.0, 3.0_f32.ln()]]], &Device::flex()); // p = 1/4, 3/4
/// let mean = uniform_log_probs(logits).into_scalar::<f32>();
/// assert!((mean - (0.25_f32.ln() + 0.75_f32.ln()) / 2.0).abs() < 1e-6);
/// ```
pub fn uniform_log_probs(logits: Tensor<3>) -> Tensor<2> {
    let [_, _, vocab] = logits.dims();
    let logits = upcast(logits);
    let max = logits.clone().detach().max_dim(2);
    let shifted = logits - max;
    let log_sum = shifted.clone().exp().sum_dim(2).log();
    let mean = shifted.sum_dim(2) * (1.0 / vocab as f64);
    (mean - log_sum).squeeze_dim::<2>(2)
}

/// ln Σ_v p(v)² at each position: the log of the probability that two samples agree, 0 where the
/// model is certain. No gradient.
///
/// # Shapes
///
/// - `logits`: `[batch, seq, vocab]`
/// - output: `[batch, seq]`; f32, or f64 for f64 logits
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::logprob::log_collisions;
///
/// let logits = Tensor::<3>::from_data([[[0.0, 3.0_f32.ln()]]], &Device::flex()); // p = 1/4, 3/4
/// assert!((log_collisions(logits).into_scalar::<f32>() - 0.625_f32.ln()).abs() < 1e-6);
/// ```
pub fn log_collisions(logits: Tensor<3>) -> Tensor<2> {
    let logits = upcast(logits.without_autodiff());
    let max = logits.clone().max_dim(2);
    let shifted = logits - max;
    let log_sum = shifted.clone().exp().sum_dim(2).log();
    let squares = (shifted * 2.0).exp().sum_dim(2).log();
    (squares - log_sum * 2.0).squeeze_dim::<2>(2)
}
