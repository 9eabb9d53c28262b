//! Weighted sums of losses.

use super::dpo::{DpoLoss, DpoLossConfig, DpoVariant};
use super::output::{Pair, PreferenceOutput};
use super::preference::{PreferenceInput, PreferenceLoss};
use crate::error::Error;
use burn::config::Config;

/// A loss of the DPO family and what it counts in a sum.
#[derive(Config, Debug)]
pub struct WeightedDpo {
    /// The loss.
    pub loss: DpoLossConfig,
    /// Its weight. Not negative.
    pub weight: f64,
}

/// Configuration of [`MixedLoss`].
#[derive(Config, Debug)]
pub struct MixedLossConfig {
    /// The losses of the DPO family, at least one. The rewards that are reported have the β of the
    /// first.
    pub parts: Vec<WeightedDpo>,
    /// Weight of the negative log-likelihood of the chosen, a mean over tokens. Not negative.
    #[config(default = 0.0)]
    pub sft_weight: f64,
}

impl MixedLossConfig {
    /// RPO: DPO plus the likelihood of the chosen (arXiv:2404.19733; `sft_weight` is its α, 1
    /// there).
    pub fn rpo(beta: f64, sft_weight: f64) -> Self {
        let dpo = DpoLossConfig::new().with_beta(beta);
        Self::new(vec![WeightedDpo::new(dpo, 1.0)]).with_sft_weight(sft_weight)
    }

    /// MPO: preference, quality and generation, 0.8·DPO + 0.2·BCO + SFT (arXiv:2411.10442).
    pub fn mpo(beta: f64) -> Self {
        let dpo = DpoLossConfig::new().with_beta(beta);
        let bco = dpo.clone().with_variant(DpoVariant::BcoPair);
        let parts = vec![WeightedDpo::new(dpo, 0.8), WeightedDpo::new(bco, 0.2)];
        Self::new(parts).with_sft_weight(1.0)
    }

    /// Checks the parts and the weights.
    pub fn validate(&self) -> Result<(), Error> {
        let ok = !self.parts.is_empty();
        Error::check(ok, "parts", "must hold at least one loss", "none")?;
        for part in &self.parts {
            part.loss.validate()?;
            crate::loss::checks::check_weight("weight", part.weight)?;
        }
        crate::loss::checks::check_weight("sft_weight", self.sft_weight)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self) -> MixedLoss {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        let parts = self.parts.iter();
        MixedLoss {
            parts: parts.map(|p| (p.loss.init(), p.weight)).collect(),
            sft_weight: self.sft_weight,
        }
    }
}

/// A weighted sum of losses of the DPO family and the likelihood of the chosen.
///
/// ```text
/// l = Σ_k w_k·l_k − w·log π(y_w|x) / T
/// ```
///
/// with T the mean number of scored tokens of a chosen completion, so that the mean over pairs is a
/// mean over tokens.
///
/// Named mixtures: [`MixedLossConfig::rpo`], [`MixedLossConfig::mpo`].
///
/// # Example
///
/// By hand, RPO with α = 0.5: log-ratios 2 and −1 give −ln σ(0.3) = 0.554355, the chosen has −8
/// over 4 tokens: 0.5·2.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let pair = |c: f32, r: f32| {
///     let tensor = |value: f32| Tensor::<1>::from_data([value], &Device::flex());
///     Pair::new(tensor(c), tensor(r))
/// };
/// let rpo = MixedLossConfig::rpo(0.1, 0.5).init();
/// let out = rpo.forward(pair(-8.0, -11.0), pair(-10.0, -10.0), pair(4.0, 5.0));
/// assert!((out.loss.into_scalar::<f32>() - 1.554355).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct MixedLoss {
    parts: Vec<(DpoLoss, f64)>,
    sft_weight: f64,
}

impl MixedLoss {
    /// # Shapes
    ///
    /// - `policy`, `reference`: `[pairs]`, summed log-probabilities of the completions
    /// - `lengths`: `[pairs]`, their scored tokens; less than 1 counts as 1
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or there is no pair.
    pub fn forward(&self, policy: Pair, reference: Pair, lengths: Pair) -> PreferenceOutput {
        self.compute(PreferenceInput::new(policy, reference, lengths))
    }
}

impl PreferenceLoss for MixedLoss {
    fn compute(&self, input: PreferenceInput) -> PreferenceOutput {
        let input = input.checked();
        let losses = self
            .parts
            .iter()
            .map(|(part, weight)| part.losses(&input) * *weight);
        let losses = losses.reduce(|sum, part| sum + part);
        let losses = losses.expect("a mixture was checked to have parts");
        let losses = input.with_sft(losses, self.sft_weight);
        input.output(losses, self.parts[0].0.config().beta)
    }
}
