//! Align language models with human feedback on [Burn](https://burn.dev): KTO, DPO and SFT, on any
//! backend.
//!
//! | module | what it holds | floor |
//! |---|---|---|
//! | `align` | with feature `align` the main job: settings, feedback, an aligned folder | 7 |
//! | [`eval`] | win rates, judges, reward metrics; with feature `eval` benchmarks | 6 |
//! | [`train`] | objectives, and with feature `train` the training loop | 5 |
//! | [`mod@reference`] | where reference log-probabilities come from | 4 |
//! | [`data`] | examples, readers, encoders, batchers | 4 |
//! | [`model`] | what is asked of a model; a Llama-family decoder | 3 |
//! | [`loss`], [`kl`] | the mathematics, on log-probabilities | 2 |
//! | [`logprob`] | from logits or hidden states to log-probabilities | 1 |
//! | [`device`], [`error`], [`sequence`] | shared by all | 0 |
//!
//! A module imports only from floors below it, so each can be used without those above: the losses
//! never see a model.

#[cfg(feature = "align")]
pub mod align;
pub mod data;
pub mod device;
pub mod error;
pub mod eval;
pub mod kl;
pub mod logprob;
pub mod loss;
mod math;
pub mod model;
pub mod prelude;
pub mod reference;
pub mod sequence;
pub mod train;

pub use error::Error;

/// The README's code, as tests.
#[cfg(all(doctest, feature = "llama", feature = "train", feature = "flex"))]
#[doc = include_str!("../README.md")]
struct Readme;
