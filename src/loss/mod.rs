//! Losses: mathematics on log-probabilities. They never see a model, so they work in any loop.
//!
//! | loss | data | reference | paper |
//! |---|---|---|---|
//! | [`KtoLoss`] | completions with a thumb up or down | yes, or free | arXiv:2402.01306 |
//! | [`KtoLossConfig::apo_zero_unpaired`] | thumbs | yes | arXiv:2408.06266 |
//! | [`BcoLoss`] | thumbs | yes | arXiv:2404.04656 |
//! | [`DpoLoss`] | pairs; fourteen [variants](DpoVariant), four [divergences](FDivergence), DPOP | yes | arXiv:2305.18290 and those of each variant |
//! | [`MixedLoss`] | pairs; sums such as MPO and RPO | yes | arXiv:2411.10442, arXiv:2404.19733 |
//! | [`SimpoLoss`] | pairs | no | arXiv:2405.14734 |
//! | [`CpoLoss`] | pairs; sigmoid, hinge, IPO, AlphaPO | no | arXiv:2401.08417 |
//! | [`OrpoLoss`] | pairs | no | arXiv:2403.07691 |
//! | [`SlicLoss`] | pairs | no | arXiv:2305.10425 |
//! | [`RewardLoss`] | pairs, for a reward model | no | Bradley and Terry |
//! | [`SftLoss`] | demonstrations; label smoothing, DFT | no | |
//!
//! | modifier | of | paper |
//! |---|---|---|
//! | [`TokenLevel`]: LD-DPO | losses on pairs | arXiv:2409.06411 |
//! | [`TokenLevel`]: humanline | losses on pairs, KTO | arXiv:2509.24207 |
//! | [`Wpo`](crate::train::Wpo) | losses on pairs | arXiv:2406.11827 |
//! | [`BetaDpo`](crate::train::BetaDpo) | [`DpoLoss`] | arXiv:2407.08639 |
//! | [`Moving`](crate::reference::Moving): TR-DPO | whatever has a reference | arXiv:2404.09656 |
//! | weights of examples and pairs | all but SFT and losses that sort | |
//!
//! Arguments come in one order: policy, reference, labels, kl. Reference and kl leave autodiff
//! inside the loss, so a caller cannot forget it. The output follows the kind of data, not the
//! loss: [`BinaryOutput`], [`PreferenceOutput`], [`SftOutput`], [`RewardOutput`]. Losses compute in
//! f32 at least: f16 and bf16 are cast up, f64 stays f64.
#![doc = "\n"]
#![doc = include_str!("../../docs/losses.md")]
#![doc = include_str!("../../docs/figures/value.svg")]
#![doc = include_str!("../../docs/figures/gradient.svg")]

mod balance;
mod bco;
mod cpo;
mod dpo;
mod kto;
mod mixed;
mod orpo;
mod output;
mod preference;
mod reward;
mod sft;
mod simpo;
mod slic;
mod token;

pub use balance::{ClassInterval, ClassWeights};
pub use bco::{BcoLoss, BcoLossConfig, BcoShift, RewardsSeen, density_ratio_weight};
pub use cpo::{CpoLoss, CpoLossConfig, CpoVariant};
pub use dpo::{DpoLoss, DpoLossConfig, DpoVariant, FDivergence};
pub use kto::{KtoLoss, KtoLossConfig, KtoValue};
pub use mixed::{MixedLoss, MixedLossConfig, WeightedDpo};
pub use orpo::{OrpoLoss, OrpoLossConfig};
pub use output::{BinaryOutput, Pair, PreferenceOutput, RewardOutput, SftOutput};
pub use preference::{PreferenceInput, PreferenceLoss};
pub use reward::{RewardLoss, RewardLossConfig};
pub use sft::{SftLoss, SftLossConfig, SftVariant};
pub use simpo::{SimpoLoss, SimpoLossConfig, SimpoMargin};
pub use slic::{SlicLoss, SlicLossConfig};
pub use token::{
    Humanline, TokenLevel, TokenLevelConfig, Tokens, humanline_unclamped, wpo_weights,
};

use crate::error::Error;
use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

/// −(1−ε)·lnσ(z) − ε·lnσ(−z)
fn smoothed(z: Tensor<1>, label_smoothing: f64) -> Tensor<1> {
    if label_smoothing == 0.0 {
        return log_sigmoid(z).neg();
    }
    let right = log_sigmoid(z.clone()) * (label_smoothing - 1.0);
    right - log_sigmoid(z.neg()) * label_smoothing
}

/// Refuses a weight that is negative or not finite.
fn check_weight(field: &'static str, weight: f64) -> Result<(), Error> {
    let ok = weight >= 0.0 && (weight as f32).is_finite();
    Error::check(ok, field, "must be finite and not negative", weight)
}

/// Refuses a β or margin that is not positive, or that f32 cannot hold.
fn check_positive(field: &'static str, value: f64) -> Result<(), Error> {
    let ok = value as f32 > 0.0 && (value as f32).is_finite();
    Error::check(ok, field, "must be positive and finite", value)
}
