#![cfg_attr(
    all(feature = "llama", feature = "train", feature = "flex"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "llama", feature = "train", feature = "flex")),
    doc = "Align language models with human feedback on Burn: KTO, DPO and SFT, on any backend."
)]
//!
//! # Where to begin
//!
//! | I have … | and want … | use |
//! |---|---|---|
//! | log-probabilities from a loop of my own | a loss | [`loss::KtoLoss`], [`loss::DpoLoss`], … on `Tensor<1>` |
//! | hidden states and a large vocabulary | log-probabilities without the logits | [`logprob::FusedLinearLogProbs`] |
//! | a burn `Module` | to train it in my loop | [`model::CausalLm`], one method; then [`train::Objective::evaluate`] |
//! | the same | a loop with checkpoints and metrics | `train::Trainer` (feature `train`) |
//! | a model with adapters, or little memory | a reference at no second model | the table of [`mod@reference`] |
//! | thumbs, pairs, scores or conversations in files | batches | [`data::Reader`], [`data::Encoder`], a [`data::Batcher`] |
//! | a Hugging Face folder and a feedback file | an aligned folder | `align::Alignment` (feature `align`), or the program (feature `cli`) |
//! | two models | which one is better | [`eval`] |
//! | a GPU, or LibTorch | to compute there | [`device::DeviceChoice`] |
//!
//! [`prelude`] brings the names of all of them. A module imports only from those below it, so each
//! can be used without those above: the losses never see a model.

#[cfg(feature = "align")]
pub mod align;
pub mod data;
pub mod device;
#[cfg(any(feature = "train", feature = "llama", feature = "cache"))]
mod disk;
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
