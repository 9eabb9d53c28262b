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
mod checks;
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
