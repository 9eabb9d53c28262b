//! Losses: mathematics on log-probabilities. They never see a model, so they work in any loop.
//!
//! | loss | data | reference | paper |
//! |---|---|---|---|
//! | [`KtoLoss`] | completions with a thumb up or down | yes, or free | arXiv:2402.01306 |
//! | [`DpoLoss`] | pairs; fourteen [variants](DpoVariant), four [divergences](FDivergence) | yes | arXiv:2305.18290 and those of each variant |
//! | [`SftLoss`] | demonstrations | no | |
//!
//! Arguments come in one order: policy, reference, labels, kl. Reference and kl leave autodiff inside the loss, so a caller cannot forget it.
//! The output follows the kind of data, not the loss: [`BinaryOutput`], [`PreferenceOutput`], [`SftOutput`]. Losses compute in f32 at least:
//! f16 and bf16 are cast up, f64 stays f64.

mod dpo;
mod kto;
mod output;
mod sft;

pub use dpo::{DpoLoss, DpoLossConfig, DpoVariant, FDivergence};
pub use kto::{KtoLoss, KtoLossConfig};
pub use output::{BinaryOutput, Pair, PreferenceOutput, SftOutput};
pub use sft::{SftLoss, SftLossConfig};
