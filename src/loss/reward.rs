//! Reward models.

use super::output::{Pair, RewardOutput};
use crate::error::Error;
use crate::math::{constant_like, mean, upcast};
use burn::config::Config;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Tensor, assert_shape};

/// Configuration of [`RewardLoss`].
#[derive(Config, Debug)]
pub struct RewardLossConfig {
    /// Weight of (r_w + r_l)², which keeps rewards around 0: a preference alone leaves their level
    /// open. Not negative; 0.01 is usual.
    #[config(default = 0.0)]
    pub centring: f64,
}

impl RewardLossConfig {
    /// Checks the range.
    pub fn validate(&self) -> Result<(), Error> {
        crate::loss::checks::check_weight("centring", self.centring)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> RewardLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        RewardLoss {
            config: self.clone(),
        }
    }
}

/// Bradley and Terry: a reward whose difference says how likely one completion is preferred.
///
/// ```text
/// l = −ln σ(r_w − r_l − m) + c·(r_w + r_l)²
/// ```
///
/// # Example
///
/// By hand, rewards 1 and 0, c = 0.01: −ln σ(1) + 0.01 = 0.323262.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let tensor = |value: f32| Tensor::<1>::from_data([value], &Device::flex());
/// let loss = RewardLossConfig::new().with_centring(0.01).init();
/// let out = loss.forward(Pair::new(tensor(1.0), tensor(0.0)));
/// assert!((out.loss.into_scalar::<f32>() - 0.323262).abs() < 1e-6);
/// ```
///
/// # References
///
/// Bradley and Terry, 1952; margins: Touvron et al., *Llama 2*, arXiv:2307.09288, Eq. 2; centring:
/// Eisenstein et al., arXiv:2312.09244.
#[derive(Clone, Debug)]
pub struct RewardLoss {
    config: RewardLossConfig,
}

impl RewardLoss {
    /// # Shapes
    ///
    /// - `rewards`: `[pairs]`, of the chosen and the rejected completions
    ///
    /// # Panics
    ///
    /// If there is no pair.
    pub fn forward(&self, rewards: Pair) -> RewardOutput {
        self.run(rewards, None, None)
    }

    /// Does what [`forward`](Self::forward) does, with the margin `[pairs]` by which each chosen
    /// should be better, for pairs that say how much.
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or there is no pair.
    pub fn forward_with_margins(&self, rewards: Pair, margins: Tensor<1>) -> RewardOutput {
        self.run(rewards, Some(margins), None)
    }

    /// What it was built from.
    pub fn config(&self) -> &RewardLossConfig {
        &self.config
    }

    pub(crate) fn run(
        &self,
        rewards: Pair,
        margins: Option<Tensor<1>>,
        weights: Option<Tensor<1>>,
    ) -> RewardOutput {
        let [pairs] = rewards.chosen.dims();
        assert_shape!(rewards.rejected, [pairs]);
        assert!(pairs > 0, "a batch needs at least one pair, got none");
        let chosen = upcast(rewards.chosen);
        let rejected = upcast(rewards.rejected).cast(chosen.dtype());
        let mut delta = chosen.clone() - rejected.clone();
        if let Some(margins) = margins {
            assert_shape!(margins, [pairs]);
            delta = delta - constant_like(margins, &chosen);
        }
        let mut losses = log_sigmoid(delta).neg();
        if self.config.centring > 0.0 {
            let level = chosen.clone() + rejected.clone();
            losses = losses + level.clone() * level * self.config.centring;
        }
        if let Some(weights) = weights {
            assert_shape!(weights, [pairs]);
            losses = losses * constant_like(weights, &chosen);
        }
        RewardOutput {
            loss: mean(losses.clone()),
            losses: losses.without_autodiff(),
            chosen_rewards: chosen.without_autodiff(),
            rejected_rewards: rejected.without_autodiff(),
        }
    }
}
