//! z0 from tensors.

use super::sums::{KlSums, Ranks};
use crate::error::Error;
use crate::math::{constant_like, indicator, mean, upcast};
use burn::config::Config;
use burn::tensor::{Tensor, assert_shape};
use std::sync::Arc;

/// Over which mismatched pairs z0 is pooled: see the table of [the module](super).
#[derive(Config, Debug, PartialEq, Copy)]
#[allow(missing_docs)] // fields are said in their variant
pub enum KlScope {
    /// All micro-batches of one optimizer step. Without gradient accumulation the same as the
    /// micro-batch.
    Window,
    /// One micro-batch.
    MicroBatch,
    /// decay · (the average before) + (1 − decay) · (the mean over this step); the first step's
    /// mean alone. Decay in \[0, 1). Clamped after.
    MovingAverage { decay: f64 },
    /// This number, whatever the pairs. Finite.
    Fixed { value: f64 },
}

/// Configuration of [`KlEstimator`].
#[derive(Config, Debug)]
pub struct KlEstimatorConfig {
    /// Clamp the pooled mean at 0, as a KL divergence is never negative. Off for reference-free
    /// KTO.
    #[config(default = true)]
    pub clamp: bool,
    /// Over which pairs to pool. The estimator itself pools what it is given; the trainer follows
    /// the scope.
    #[config(default = "KlScope::Window")]
    pub scope: KlScope,
}

impl KlEstimatorConfig {
    /// Checks the scope.
    pub fn validate(&self) -> Result<(), Error> {
        match self.scope {
            KlScope::Window | KlScope::MicroBatch => Ok(()),
            KlScope::MovingAverage { decay } => {
                let ok = (0.0..1.0).contains(&decay);
                Error::check(ok, "decay", "must be in [0, 1)", decay)
            }
            KlScope::Fixed { value } => {
                Error::check(value.is_finite(), "value", "must be finite", value)
            }
        }
    }

    /// Builds it.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> KlEstimator {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        KlEstimator {
            config: self.clone(),
            average: None,
            ranks: None,
        }
    }
}

/// What an estimate of z0 was made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mismatched {
    /// log π − log π_ref of this rank's pairs, `[pairs]`.
    pub log_ratios: Tensor<1>,
    /// The estimate over the pairs of all ranks, where there are several.
    pub pooled: Option<KlSums>,
    /// 1 where the clamp at 0 acted, else 0, `[1]`.
    pub clamped: Tensor<1>,
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
    config: KlEstimatorConfig,
    average: Option<f64>,
    ranks: Option<Arc<dyn Ranks>>,
}

impl KlEstimator {
    /// Pools over all of these ranks. Each estimate then reads the log-ratios back from the device,
    /// and ranks exchange three numbers.
    pub fn with_ranks(mut self, ranks: Arc<dyn Ranks>) -> Self {
        self.ranks = Some(ranks);
        self
    }

    /// Ranks that it pools over. With several each of them has to ask, as for an estimate.
    pub(crate) fn num_ranks(&self) -> usize {
        let one = KlSums::of(&[0.0]);
        let ranks = self.ranks.as_ref();
        ranks.map_or(1, |ranks| ranks.sum(one).count as usize)
    }

    /// z0, shape `[1]`, never with a gradient.
    ///
    /// # Shapes
    ///
    /// - `policy_mismatched`, `reference_mismatched`: `[pairs]`, summed log-probabilities of the
    ///   completions behind other prompts
    ///
    /// # Panics
    ///
    /// If the shapes differ, or there is no pair.
    pub fn estimate(
        &self,
        policy_mismatched: Tensor<1>,
        reference_mismatched: Tensor<1>,
    ) -> Tensor<1> {
        self.estimate_from(policy_mismatched, reference_mismatched)
            .0
    }

    /// Does what [`estimate`](Self::estimate) does, and what it was estimated from, to be reported.
    ///
    /// # Panics
    ///
    /// Whatever panics in [`estimate`](Self::estimate).
    pub fn estimate_from(
        &self,
        policy_mismatched: Tensor<1>,
        reference_mismatched: Tensor<1>,
    ) -> (Tensor<1>, Mismatched) {
        let [pairs] = policy_mismatched.dims();
        assert_shape!(reference_mismatched, [pairs]);
        assert!(pairs > 0, "z0 needs at least one mismatched pair, got none");
        let policy = upcast(policy_mismatched.without_autodiff());
        let reference = constant_like(reference_mismatched, &policy);
        let log_ratios = policy - reference;
        let pooled = self.ranks.as_ref().map(|ranks| {
            let mine: Vec<f64> = log_ratios.to_data().iter::<f64>().collect();
            ranks.sum(KlSums::of(&mine))
        });
        let step = match pooled {
            None => mean(log_ratios.clone()),
            Some(pooled) => {
                let one = log_ratios.clone().narrow(0, 0, 1);
                one.full_like(pooled.sum / pooled.count)
            }
        };
        let raw = match (self.config.scope, self.average) {
            (KlScope::Fixed { value }, _) => step.full_like(value),
            (KlScope::MovingAverage { decay }, Some(before)) => {
                step * (1.0 - decay) + decay * before
            }
            _ => step,
        };
        let clamps = self.config.clamp && !matches!(self.config.scope, KlScope::Fixed { .. });
        let clamped = if clamps {
            indicator(raw.clone().lower_elem(0.0), &raw)
        } else {
            raw.zeros_like()
        };
        let value = if clamps { raw.clamp_min(0.0) } else { raw };
        let from = Mismatched {
            log_ratios,
            pooled,
            clamped,
        };
        (value, from)
    }

    /// Moves the average, by the mean of a finished step before the clamp. Only
    /// [`KlScope::MovingAverage`] asks for it; the trainer calls it.
    pub fn observe(&mut self, raw: f64) {
        if let KlScope::MovingAverage { decay } = self.config.scope
            && raw.is_finite()
        {
            let before = self.average.unwrap_or(raw);
            self.average = Some(decay * before + (1.0 - decay) * raw);
        }
    }

    /// The average over the steps so far, if there is one.
    pub fn average(&self) -> Option<f64> {
        self.average
    }

    /// With the average over steps before, to go on from a checkpoint.
    pub fn with_average(mut self, average: Option<f64>) -> Self {
        self.average = average;
        self
    }

    /// The same without the clamp.
    pub(crate) fn unclamped(&self) -> Self {
        let mut estimator = self.clone();
        estimator.config.clamp = false;
        estimator
    }

    /// What it was built from.
    pub fn config(&self) -> &KlEstimatorConfig {
        &self.config
    }
}
