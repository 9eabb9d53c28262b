//! The reference point z0 of the KTO paper.
//!
//! ```text
//! z0 = max(0, 1/m · Σ_i [log π(y_j | x_i) − log π_ref(y_j | x_i)]),   j ≠ i
//!                                                        (arXiv:2402.01306 v5, §4.1)
//! ```
//!
//! The completions y_j are those of the batch, each behind another prompt; [`data`](crate::data)
//! makes such pairs. The sum is pooled over everything in scope and clamped once, after the mean:
//! clamping parts first is biased upwards. No gradient flows through z0; it only sets where the
//! loss saturates.
//!
//! | what is wanted | how | pairs | cost |
//! |---|---|---|---|
//! | one optimizer step | [`KlScope::Window`], the default | all of its micro-batches | none: the same passes, done first |
//! | one micro-batch, as in the paper | [`KlScope::MicroBatch`] | its own | none; noisy when micro-batches are small |
//! | all ranks | [`KlEstimator::with_ranks`] | the scope's, of every rank | one read from the device, one exchange of three numbers |
//! | steps before, too | [`KlScope::MovingAverage`] | those of the step, and all before with less and less weight | none; lags behind the policy |
//! | a number | [`KlScope::Fixed`] | none | saves both passes over mismatched pairs |
//! | zero | [`KtoLossConfig::apo_zero_unpaired`](crate::loss::KtoLossConfig::apo_zero_unpaired) | none | the same |
//! | no reference model | [`ReferenceFree`](crate::reference::ReferenceFree) | the scope's | one pass; the mean of log π, not clamped |
//! | no clamp | [`KlEstimatorConfig::clamp`] off | the scope's | |
//!
//! What an estimate is worth is said by [`KlEstimate`], and reported by the trainer as `kl/raw`,
//! `kl/std_err`, `kl/clamped` and `kl/count`. "My KL is always 0" means that the raw mean is below
//! 0: at the start of training it is as often as not, and where `kl/raw` stays there while
//! `kl/std_err` is small, other prompts' completions have become less likely, which is what
//! training wants.

mod estimator;
mod sums;

pub use estimator::{KlEstimator, KlEstimatorConfig, KlScope, Mismatched};
pub use sums::{KlEstimate, KlSums, Ranks};
