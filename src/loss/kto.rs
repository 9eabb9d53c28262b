//! Kahneman-Tversky Optimization.

use super::output::BinaryOutput;
use crate::error::Error;
use crate::kl::{KlEstimator, KlEstimatorConfig, KlScope, Ranks};
use crate::math::{constant_like, indicator, mean, upcast};
use burn::config::Config;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::{Bool, Tensor, assert_shape};
use std::sync::Arc;

/// How a gain or loss u = s·β·(r − z0) is felt.
///
/// | value | loss of an example | what the paper found (arXiv:2402.01306 v5, Table 2) |
/// |---|---|---|
/// | `Kahneman` | λ·σ(−u) | the method |
/// | `Concave` | −λ·lnσ(u) | **worse**: BBH 9.4 and GSM8K 11 points lower |
/// | `Linear` | −λ·u | **collapses**: BBH 6.1; unbounded below |
#[derive(Config, Copy, Debug, PartialEq, Eq)]
pub enum KtoValue {
    /// Concave in gains and convex in losses: examples that are far too easy or too hard are left
    /// alone.
    Kahneman,
    /// An ablation, for experiments: never satisfied with losses, as DPO.
    Concave,
    /// An ablation, for experiments: neutral to risk, it follows the gradient without an end.
    Linear,
}

impl KtoValue {
    /// Without λ.
    fn loss(self, gain: Tensor<1>) -> Tensor<1> {
        match self {
            Self::Kahneman => sigmoid(gain.neg()),
            Self::Concave => log_sigmoid(gain).neg(),
            Self::Linear => gain.neg(),
        }
    }
}

/// Configuration of [`KtoLoss`].
///
/// With n_D desirable and n_U undesirable examples the paper advises λ_D·n_D / (λ_U·n_U) in \[1,
/// 3/2\] (arXiv:2402.01306 v5, Eq. 9; earlier versions and other libraries say 4/3).
#[derive(Config, Debug)]
pub struct KtoLossConfig {
    /// Risk aversion: how fast the value saturates. Positive; the paper's default is 0.1.
    #[config(default = 0.1)]
    pub beta: f64,
    /// λ_D, the weight of desirable examples. Not negative.
    #[config(default = 1.0)]
    pub desirable_weight: f64,
    /// λ_U, the weight of undesirable examples: loss aversion. Not negative.
    #[config(default = 1.0)]
    pub undesirable_weight: f64,
    /// How gains and losses are felt. Leave it as it is: the others are the paper's ablations.
    #[config(default = "KtoValue::Kahneman")]
    pub value: KtoValue,
    /// How z0 is estimated when the loss is computed from a batch rather than from tensors.
    #[config(default = "KlEstimatorConfig::new()")]
    pub kl: KlEstimatorConfig,
}

impl KtoLossConfig {
    /// APO-zero on single completions (TRL's `apo_zero_unpaired`): KTO with z0 = 0, so that nothing
    /// has to be estimated and any batch will do. For desirable completions that are better than
    /// what the model writes (arXiv:2408.06266).
    pub fn apo_zero_unpaired() -> Self {
        Self::new().with_kl(KlEstimatorConfig::new().with_scope(KlScope::Fixed { value: 0.0 }))
    }

    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        crate::loss::checks::check_positive("beta", self.beta)?;
        crate::loss::checks::check_weight("desirable_weight", self.desirable_weight)?;
        crate::loss::checks::check_weight("undesirable_weight", self.undesirable_weight)?;
        self.kl.validate()
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> KtoLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        KtoLoss {
            config: self.clone(),
            estimator: self.kl.init(),
        }
    }
}

/// KTO: learns from completions that someone liked or did not, no pairs needed.
///
/// ```text
/// l = λ · σ(−s·β·(r − z0))        r = log π(y|x) − log π_ref(y|x), summed over the completion
/// ```
///
/// with s = 1, λ = λ_D for desirable and s = −1, λ = λ_U for undesirable examples, and z0 the
/// [reference point](crate::kl). Each loss is in \[0, λ\], is λ/2 where r = z0, and its gradient is
/// at most λβ/4: examples that are far too hard or too easy are left alone.
///
/// A batch of one class only is an ordinary batch. σ(−u) is computed as such: `1 − σ(u)` is exactly
/// 0 in f32 from u = 17 on.
///
/// # Example
///
/// By hand, with β = 0.5, λ_U = 2, z0 = 0.4 and r = 2, −3: 1·σ(−0.8) = 0.310026 and 2·σ(−1.7) =
/// 0.308931.
///
/// ```
/// use burn::tensor::{Bool, Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let tensor = |values: [f32; 2]| Tensor::<1>::from_data(values, &device);
/// let kto = KtoLossConfig::new().with_beta(0.5).with_undesirable_weight(2.0).init();
/// let out = kto.forward(
///     tensor([-8.0, -13.0]),                                     // log π
///     tensor([-10.0, -10.0]),                                    // log π_ref
///     Tensor::<1, Bool>::from_data([true, false], &device),      // thumbs
///     Tensor::<1>::from_data([0.4], &device),                    // z0
/// );
/// let losses = out.losses.into_data().try_to_vec::<f32>().unwrap();
/// assert!((losses[0] - 0.310026).abs() < 1e-6 && (losses[1] - 0.308931).abs() < 1e-6);
/// assert_eq!(out.rewards.into_data().try_to_vec::<f32>().unwrap(), [1.0, -1.5]);
/// ```
///
/// # References
///
/// Ethayarajh et al., *KTO: Model Alignment as Prospect Theoretic Optimization*, arXiv:2402.01306
/// v5, Eq. 8.
#[derive(Clone, Debug)]
pub struct KtoLoss {
    config: KtoLossConfig,
    estimator: KlEstimator,
}

impl KtoLoss {
    /// # Shapes
    ///
    /// - `policy`, `reference`: `[batch]`, summed log-probabilities of the completions
    /// - `desirable`: `[batch]`
    /// - `kl`: `[1]`, from [`KlEstimator`](crate::kl::KlEstimator)
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or the batch is empty.
    pub fn forward(
        &self,
        policy: Tensor<1>,
        reference: Tensor<1>,
        desirable: Tensor<1, Bool>,
        kl: Tensor<1>,
    ) -> BinaryOutput {
        self.run(policy, reference, desirable, kl, None)
    }

    /// Does what [`forward`](Self::forward) does, with each example's loss times its weight; `loss`
    /// is the sum over the batch divided by its size, so weights of mean 1 keep the scale.
    ///
    /// # Shapes
    ///
    /// - `weights`: `[batch]`, no gradient flows into them
    ///
    /// # Panics
    ///
    /// Whatever panics in [`forward`](Self::forward).
    pub fn forward_weighted(
        &self,
        policy: Tensor<1>,
        reference: Tensor<1>,
        desirable: Tensor<1, Bool>,
        kl: Tensor<1>,
        weights: Tensor<1>,
    ) -> BinaryOutput {
        self.run(policy, reference, desirable, kl, Some(weights))
    }

    /// Pools z0 over all of these ranks.
    pub fn with_ranks(mut self, ranks: Arc<dyn Ranks>) -> Self {
        self.estimator = self.estimator.with_ranks(ranks);
        self
    }

    /// What it was built from.
    pub fn config(&self) -> &KtoLossConfig {
        &self.config
    }

    /// What estimates z0 when the loss is computed from batches.
    pub fn estimator(&self) -> &KlEstimator {
        &self.estimator
    }

    /// Turns β, λ_D and λ_U.
    pub(crate) fn set(&mut self, beta: f64, desirable_weight: f64, undesirable_weight: f64) {
        self.config.beta = beta;
        self.config.desirable_weight = desirable_weight;
        self.config.undesirable_weight = undesirable_weight;
    }

    pub(crate) fn estimator_mut(&mut self) -> &mut KlEstimator {
        &mut self.estimator
    }

    pub(crate) fn run(
        &self,
        policy: Tensor<1>,
        reference: Tensor<1>,
        desirable: Tensor<1, Bool>,
        kl: Tensor<1>,
        weights: Option<Tensor<1>>,
    ) -> BinaryOutput {
        let [batch] = policy.dims();
        assert_shape!(reference, [batch]);
        assert_shape!(desirable, [batch]);
        assert_shape!(kl, [1]);
        assert!(batch > 0, "a batch needs at least one example, got none");
        let policy = upcast(policy);
        let reference = constant_like(reference, &policy);
        let kl = constant_like(kl, &policy);
        let desirable = desirable.without_autodiff();

        let sign = indicator(desirable.clone(), &policy) * 2.0 - 1.0;
        let mut weight = sign
            .full_like(self.config.undesirable_weight)
            .mask_fill(desirable.clone(), self.config.desirable_weight);
        if let Some(weights) = weights {
            assert_shape!(weights, [batch]);
            weight = weight * constant_like(weights, &policy);
        }
        let beta = self.config.beta;
        let log_ratio = policy.clone() - reference;
        let margin = log_ratio.clone() - kl.clone();
        let losses = weight * self.config.value.loss(margin.clone() * sign * beta);
        BinaryOutput {
            loss: mean(losses.clone()),
            losses: losses.without_autodiff(),
            rewards: log_ratio.without_autodiff() * beta,
            desirable,
            kl,
            margins: margin.without_autodiff() * beta,
            log_probs: policy.without_autodiff(),
            mismatched: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "beta must be positive and finite, got 0")]
    fn beta_zero_is_refused() {
        KtoLossConfig::new().with_beta(0.0).init();
    }

    #[test]
    fn bad_weights_are_refused() {
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(
                KtoLossConfig::new()
                    .with_desirable_weight(bad)
                    .validate()
                    .is_err()
            );
            assert!(
                KtoLossConfig::new()
                    .with_undesirable_weight(bad)
                    .validate()
                    .is_err()
            );
            assert!(KtoLossConfig::new().with_beta(bad).validate().is_err());
        }
    }
}
