//! The reference point z0 of the KTO paper.
//!
//! ```text
//! z0 = max(0, 1/m · Σ_i [log π(y_j | x_i) − log π_ref(y_j | x_i)]),   j ≠ i        (arXiv:2402.01306 v5, §4.1)
//! ```
//!
//! The completions y_j are those of the batch, each behind another prompt; [`data`](crate::data) makes such pairs. The sum is pooled over everything in
//! [scope](KlScope) and clamped once, after the mean: clamping parts first is biased upwards. No gradient flows through z0; it
//! only sets where the loss saturates.

use crate::error::Error;
use crate::math::{constant_like, mean, upcast};
use burn::config::Config;
use burn::tensor::{Tensor, assert_shape};

/// Over which mismatched pairs z0 is pooled.
///
/// | scope | pairs | cost |
/// |---|---|---|
/// | [`Window`](KlScope::Window) | all micro-batches of one optimizer step | none: the same passes, done first |
/// | [`MicroBatch`](KlScope::MicroBatch) | those of one micro-batch, as in the paper | none; noisy when micro-batches are small |
#[derive(Config, Debug, PartialEq, Eq, Copy)]
pub enum KlScope {
    /// All micro-batches of one optimizer step. Without gradient accumulation the same as the micro-batch.
    Window,
    /// One micro-batch.
    MicroBatch,
}

/// Configuration of [`KlEstimator`].
#[derive(Config, Debug)]
pub struct KlEstimatorConfig {
    /// Clamp the pooled mean at 0, as a KL divergence is never negative. Off for reference-free KTO.
    #[config(default = true)]
    pub clamp: bool,
    /// Over which pairs to pool. The estimator itself pools what it is given; the trainer follows the scope.
    #[config(default = "KlScope::Window")]
    pub scope: KlScope,
}

impl KlEstimatorConfig {
    /// Every setting is valid.
    pub fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Builds it.
    pub fn init(&self) -> KlEstimator {
        KlEstimator { clamp: self.clamp }
    }
}

/// z0 from the log-probabilities of mismatched pairs.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let z0 = |policy: [f32; 2]| {
///     let reference = Tensor::<1>::from_data([-5.0, -5.0], &device);
///     let kl = KlEstimatorConfig::new().init();
///     kl.estimate(Tensor::from_data(policy, &device), reference).into_scalar::<f32>()
/// };
/// assert_eq!(z0([-1.0, -7.0]), 1.0); // (4 − 2) / 2: clamped after the mean, not before
/// assert_eq!(z0([-6.0, -7.0]), 0.0);
/// ```
#[derive(Clone, Debug)]
pub struct KlEstimator {
    clamp: bool,
}

impl KlEstimator {
    /// z0, shape `[1]`, never with a gradient.
    ///
    /// # Shapes
    ///
    /// - `policy_mismatched`, `reference_mismatched`: `[pairs]`, summed log-probabilities of the completions behind other prompts
    ///
    /// # Panics
    ///
    /// If the shapes differ, or there is no pair.
    pub fn estimate(
        &self,
        policy_mismatched: Tensor<1>,
        reference_mismatched: Tensor<1>,
    ) -> Tensor<1> {
        let [pairs] = policy_mismatched.dims();
        assert_shape!(reference_mismatched, [pairs]);
        assert!(pairs > 0, "z0 needs at least one mismatched pair, got none");
        let policy = upcast(policy_mismatched.without_autodiff());
        let reference = constant_like(reference_mismatched, &policy);
        let raw = mean(policy - reference);
        if self.clamp { raw.clamp_min(0.0) } else { raw }
    }
}
