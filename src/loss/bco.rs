//! Binary Classifier Optimization.

use super::output::BinaryOutput;
use crate::error::Error;
use crate::math::{constant_like, indicator, mean, upcast};
use burn::config::Config;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Bool, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

/// What the reward shift δ is the mean of.
#[derive(Config, Copy, Debug, PartialEq, Eq)]
pub enum BcoShift {
    /// The mean of the means of both classes, as the paper defines it; over the whole run, where
    /// the paper estimates it with decay.
    ClassMeans,
    /// All rewards alike, as in TRL: the same where classes are equally frequent, else pulled to
    /// the more frequent one.
    Pooled,
}

/// Configuration of [`BcoLoss`].
#[derive(Config, Debug)]
pub struct BcoLossConfig {
    /// Scale of the reward. Positive.
    #[config(default = 0.1)]
    pub beta: f64,
    /// How the rewards so far make δ.
    #[config(default = "BcoShift::ClassMeans")]
    pub shift: BcoShift,
}

impl BcoLossConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        crate::loss::checks::check_positive("beta", self.beta)
    }

    /// Builds the loss, with no reward seen yet.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> BcoLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        BcoLoss {
            config: self.clone(),
            seen: RewardsSeen::default(),
        }
    }
}

/// Sums and counts of the rewards of a run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RewardsSeen {
    /// Σ and count of desirable completions.
    pub desirable: (f64, f64),
    /// Σ and count of undesirable completions.
    pub undesirable: (f64, f64),
}

/// BCO: a classifier of thumbs whose logit is the reward, shifted by the mean reward of the run so
/// far.
///
/// ```text
/// l = −ln σ(s·(β·r − δ))        r = log π(y|x) − log π_ref(y|x)
/// ```
///
/// with s = ±1 and δ the running mean of β·r, the current batch included; no gradient flows through
/// it. Where thumbs go up and down on different kinds of prompts, give undesirable examples
/// [density-ratio weights](density_ratio_weight).
///
/// The loss carries δ from step to step: the trainer does this by itself; in a loop of your own
/// call [`observe`](Self::observe) after each step.
///
/// # Example
///
/// By hand, β = 0.5, r = 2 and −4: rewards 1 and −2, δ = −0.5, so −ln σ(1.5) = 0.201413 and −ln
/// σ(−(−2 + 0.5)) = 0.201413.
///
/// ```
/// use burn::tensor::{Bool, Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let tensor = |values: [f32; 2]| Tensor::<1>::from_data(values, &device);
/// let bco = BcoLossConfig::new().with_beta(0.5).init();
/// let thumbs = Tensor::<1, Bool>::from_data([true, false], &device);
/// let out = bco.forward(tensor([-8.0, -14.0]), tensor([-10.0, -10.0]), thumbs);
/// assert!((out.loss.into_scalar::<f32>() - 0.201413).abs() < 1e-6);
/// ```
///
/// # References
///
/// Jung et al., *Binary Classifier Optimization for Large Language Model Alignment*,
/// arXiv:2404.04656, Eq. 13.
#[derive(Clone, Debug)]
pub struct BcoLoss {
    config: BcoLossConfig,
    seen: RewardsSeen,
}

impl BcoLoss {
    /// The loss; `kl` of the output is δ/β, the log-ratio at which a reward counts as neither good
    /// nor bad.
    ///
    /// # Shapes
    ///
    /// - `policy`, `reference`: `[batch]`, summed log-probabilities of the completions
    /// - `desirable`: `[batch]`
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or the batch is empty.
    pub fn forward(
        &self,
        policy: Tensor<1>,
        reference: Tensor<1>,
        desirable: Tensor<1, Bool>,
    ) -> BinaryOutput {
        self.run(policy, reference, desirable, None)
    }

    /// Does what [`forward`](Self::forward) does, with each example's loss times its weight
    /// `[batch]`; the mean is over the number of examples.
    ///
    /// # Panics
    ///
    /// Whatever panics in [`forward`](Self::forward).
    pub fn forward_weighted(
        &self,
        policy: Tensor<1>,
        reference: Tensor<1>,
        desirable: Tensor<1, Bool>,
        weights: Tensor<1>,
    ) -> BinaryOutput {
        self.run(policy, reference, desirable, Some(weights))
    }

    /// Adds the rewards of a step, as sums and counts, to those that δ is the mean of.
    pub fn observe(&mut self, rewards: RewardsSeen) {
        let add = |a: &mut (f64, f64), b: (f64, f64)| *a = (a.0 + b.0, a.1 + b.1);
        add(&mut self.seen.desirable, rewards.desirable);
        add(&mut self.seen.undesirable, rewards.undesirable);
    }

    /// Replaces the rewards seen so far, to go on from a checkpoint.
    pub fn with_seen(mut self, seen: RewardsSeen) -> Self {
        self.seen = seen;
        self
    }

    /// The rewards seen so far.
    pub fn seen(&self) -> RewardsSeen {
        self.seen
    }

    /// Turns β. Rewards seen so far were scaled with the β of their step; they are scaled to the
    /// new one.
    pub(crate) fn set_beta(&mut self, beta: f64) {
        let factor = beta / self.config.beta;
        self.seen.desirable.0 *= factor;
        self.seen.undesirable.0 *= factor;
        self.config.beta = beta;
    }

    /// What it was built from.
    pub fn config(&self) -> &BcoLossConfig {
        &self.config
    }

    fn run(
        &self,
        policy: Tensor<1>,
        reference: Tensor<1>,
        desirable: Tensor<1, Bool>,
        weights: Option<Tensor<1>>,
    ) -> BinaryOutput {
        let [batch] = policy.dims();
        assert_shape!(reference, [batch]);
        assert_shape!(desirable, [batch]);
        assert!(batch > 0, "a batch needs at least one example, got none");
        let policy = upcast(policy);
        let reference = constant_like(reference, &policy);
        let desirable = desirable.without_autodiff();
        let up = indicator(desirable.clone(), &policy);
        let rewards = (policy.clone() - reference) * self.config.beta;
        let shift = self.shift(rewards.clone().without_autodiff(), up.clone());
        let margins = rewards.clone() - shift.clone();
        let mut losses = log_sigmoid(margins.clone() * (up * 2.0 - 1.0)).neg();
        if let Some(weights) = weights {
            assert_shape!(weights, [batch]);
            losses = losses * constant_like(weights, &policy);
        }
        BinaryOutput {
            loss: mean(losses.clone()),
            losses: losses.without_autodiff(),
            rewards: rewards.without_autodiff(),
            desirable,
            kl: shift * self.config.beta.recip(),
            margins: margins.without_autodiff(),
            log_probs: policy.without_autodiff(),
            mismatched: None,
        }
    }

    /// δ `[1]` of the rewards so far and these.
    fn shift(&self, rewards: Tensor<1>, up: Tensor<1>) -> Tensor<1> {
        let down = up.clone().neg() + 1.0;
        let with = |class: Tensor<1>, (sum, count): (f64, f64)| {
            let total = (rewards.clone() * class.clone()).sum() + sum;
            (total, class.sum() + count)
        };
        let (up_sum, up_count) = with(up, self.seen.desirable);
        let (down_sum, down_count) = with(down, self.seen.undesirable);
        match self.config.shift {
            BcoShift::Pooled => (up_sum + down_sum) * (up_count + down_count).recip(),
            BcoShift::ClassMeans => {
                // A class that was never seen has a sum of 0 and does not count.
                let present = |count: &Tensor<1>| count.clone().clamp_max(1.0);
                let classes = present(&up_count) + present(&down_count);
                let mean = |sum: Tensor<1>, count: Tensor<1>| sum * count.clamp_min(1.0).recip();
                (mean(up_sum, up_count) + mean(down_sum, down_count)) * classes.recip()
            }
        }
    }
}

/// The weight of an undesirable example: how much likelier its prompt is to come with a thumb up
/// than with one down.
///
/// `p_desirable` is what a classifier of prompts says, in \[0, 1\]; the ratio p/(1 − p) is cut to
/// `bounds`, \[0.5, 10\] in TRL. Desirable examples weigh 1.
///
/// ```
/// use burn_kto::loss::density_ratio_weight;
/// assert_eq!(density_ratio_weight(0.75, (0.5, 10.0)), 3.0);
/// assert_eq!(density_ratio_weight(1.0, (0.5, 10.0)), 10.0);
/// ```
///
/// # Panics
///
/// If `p_desirable` is not a probability, or the bounds are not in order.
pub fn density_ratio_weight(p_desirable: f64, bounds: (f64, f64)) -> f64 {
    assert!(
        (0.0..=1.0).contains(&p_desirable),
        "a probability must be in [0, 1], got {p_desirable}"
    );
    assert!(
        bounds.0 <= bounds.1,
        "bounds must be in order, got {bounds:?}"
    );
    let ratio = p_desirable / (1.0 - p_desirable);
    ratio.max(bounds.0).min(bounds.1)
}
