//! Kahneman-Tversky Optimization.

use super::output::BinaryOutput;
use crate::error::Error;
use crate::kl::KlEstimatorConfig;
use crate::math::{constant_like, indicator, mean, upcast};
use burn::config::Config;
use burn::tensor::{Bool, Tensor, activation::sigmoid, assert_shape};

/// Configuration of [`KtoLoss`].
///
/// With n_D desirable and n_U undesirable examples the paper advises λ_D·n_D / (λ_U·n_U) in \[1, 3/2\] (arXiv:2402.01306 v5, Eq. 9; earlier
/// versions and other libraries say 4/3).
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
    /// How z0 is estimated when the loss is computed from a batch rather than from tensors.
    #[config(default = "KlEstimatorConfig::new()")]
    pub kl: KlEstimatorConfig,
}

impl KtoLossConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        let ok = self.beta > 0.0 && self.beta.is_finite();
        Error::check(ok, "beta", "must be positive and finite", self.beta)?;
        let reason = "must be finite and not negative";
        let (d, u) = (self.desirable_weight, self.undesirable_weight);
        Error::check(d >= 0.0 && d.is_finite(), "desirable_weight", reason, d)?;
        Error::check(u >= 0.0 && u.is_finite(), "undesirable_weight", reason, u)?;
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
        }
    }
}

/// KTO: learns from completions that someone liked or did not, no pairs needed.
///
/// ```text
/// l = λ · σ(−s·β·(r − z0))        r = log π(y|x) − log π_ref(y|x), summed over the completion
/// ```
///
/// with s = 1, λ = λ_D for desirable and s = −1, λ = λ_U for undesirable examples, and z0 the [reference point](crate::kl). Each loss is in
/// \[0, λ\], is λ/2 where r = z0, and its gradient is at most λβ/4: examples that are far too hard or too easy are left alone.
///
/// A batch of one class only is an ordinary batch. σ(−u) is computed as such: `1 − σ(u)` is exactly 0 in f32 from u = 17 on.
///
/// # Example
///
/// By hand, with β = 0.5, λ_U = 2, z0 = 0.4 and r = 2, −3: 1·σ(−0.8) = 0.310026 and 2·σ(−1.7) = 0.308931.
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
/// Ethayarajh et al., *KTO: Model Alignment as Prospect Theoretic Optimization*, arXiv:2402.01306 v5, Eq. 8.
#[derive(Clone, Debug)]
pub struct KtoLoss {
    config: KtoLossConfig,
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

    /// As [`forward`](Self::forward), with each example's loss times its weight; `loss` is the sum over the batch divided by its size, so
    /// weights of mean 1 keep the scale.
    ///
    /// # Shapes
    ///
    /// - `weights`: `[batch]`, no gradient flows into them
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
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

    /// What it was built from.
    pub fn config(&self) -> &KtoLossConfig {
        &self.config
    }

    fn run(
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
        let losses = weight * sigmoid(margin.clone() * sign * -beta);
        BinaryOutput {
            loss: mean(losses.clone()),
            losses: losses.without_autodiff(),
            rewards: log_ratio.without_autodiff() * beta,
            desirable,
            kl,
            margins: margin.without_autodiff() * beta,
            log_probs: policy.without_autodiff(),
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
