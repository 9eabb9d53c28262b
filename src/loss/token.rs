//! Modifiers that look at single tokens before a loss sees their sum.

use super::kto::KtoLoss;
use super::output::{BinaryOutput, Pair, PreferenceOutput};
use super::preference::{PreferenceInput, PreferenceLoss};
use crate::error::Error;
use crate::logprob::sequence_log_probs;
use crate::math::{constant_like, indicator, mean, upcast};
use burn::config::Config;
use burn::tensor::{Bool, Tensor, assert_shape};

/// Log-probabilities of the tokens of some completions.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// log π, `[batch, seq]`.
    pub policy: Tensor<2>,
    /// log π_ref, `[batch, seq]`.
    pub reference: Tensor<2>,
    /// True where a token counts, `[batch, seq]`.
    pub mask: Tensor<2, Bool>,
}

impl Tokens {
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn new(policy: Tensor<2>, reference: Tensor<2>, mask: Tensor<2, Bool>) -> Self {
        let [batch, seq] = policy.dims();
        assert_shape!(reference, [batch, seq]);
        assert_shape!(mask, [batch, seq]);
        let policy = upcast(policy);
        Self {
            reference: constant_like(reference, &policy),
            mask: mask.without_autodiff(),
            policy,
        }
    }

    /// Number of tokens that count, `[batch]`.
    fn lengths(&self) -> Tensor<1> {
        self.ones().sum_dim(1).squeeze_dim::<1>(1)
    }

    /// 1 where a token counts, else 0.
    fn ones(&self) -> Tensor<2> {
        indicator(self.mask.clone(), &self.policy)
    }

    /// Sums of log π and log π_ref, each token times its weight `[batch, seq]`.
    fn sums(&self, weights: Option<Tensor<2>>) -> (Tensor<1>, Tensor<1>) {
        let sum = |tokens: &Tensor<2>| {
            let Some(weights) = &weights else {
                return sequence_log_probs(tokens.clone(), self.mask.clone());
            };
            // A token that counts nothing may be anything: 0·∞ would be NaN.
            let nothing = weights.clone().equal_elem(0.0);
            let tokens = tokens.clone().mask_fill(nothing, 0.0) * weights.clone();
            tokens.sum_dim(1).squeeze_dim::<1>(1)
        };
        (sum(&self.policy), sum(&self.reference))
    }

    /// Weights of LD-DPO: 1 up to `length` tokens of a completion, α for those after.
    fn tail(&self, length: Tensor<1>, alpha: f64) -> Tensor<2> {
        let ones = self.ones();
        let position = ones.clone().cumsum(1);
        let after = position.greater(length.unsqueeze_dim::<2>(1).expand(ones.dims()));
        ones.clone().mask_fill(after, alpha) * ones
    }
}

/// Bounds on a token's log-ratio: what a token can do to the loss is limited, as a human's
/// perception of an unlikely word is.
///
/// ```text
/// log π' = log π_ref + clamp(log π − log π_ref, low, high)
/// ```
///
/// No gradient flows where a token is out of bounds. The paper's training also sets the reference
/// to the policy now and then: see [`Moving`](crate::reference::Moving).
///
/// # References
///
/// Liu et al., *Humanline*, arXiv:2509.24207; bounds of HALOs' configuration.
#[derive(Config, Copy, Debug, PartialEq)]
pub struct Humanline {
    /// ln ε_P, at most 0.
    #[config(default = -1.0)]
    pub low: f64,
    /// ln ε_R, at least 0.
    #[config(default = 1.5)]
    pub high: f64,
}

impl Humanline {
    /// Checks the bounds.
    pub fn validate(&self) -> Result<(), Error> {
        Error::check(self.low <= 0.0, "low", "must be at most 0", self.low)?;
        Error::check(self.high >= 0.0, "high", "must be at least 0", self.high)
    }

    fn clamp(&self, tokens: Tokens) -> Tokens {
        let ratio = tokens.policy - tokens.reference.clone();
        Tokens {
            policy: tokens.reference.clone() + ratio.clamp(self.low, self.high),
            ..tokens
        }
    }
}

/// Configuration of [`TokenLevel`].
#[derive(Config, Debug)]
pub struct TokenLevelConfig {
    /// LD-DPO's α: what tokens count beyond the length of the shorter completion of a pair. In \[0,
    /// 1\]; 1 is off.
    #[config(default = 1.0)]
    pub ld_alpha: f64,
    /// Bounds on each token's log-ratio, if any.
    #[config(default = "None")]
    pub humanline: Option<Humanline>,
}

impl TokenLevelConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        let a = self.ld_alpha;
        let reason = "must be in [0, 1]";
        Error::check((0.0..=1.0).contains(&a), "ld_alpha", reason, a)?;
        self.humanline.map_or(Ok(()), |bounds| bounds.validate())
    }

    /// Around a loss.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init<L>(&self, loss: L) -> TokenLevel<L> {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        TokenLevel {
            config: self.clone(),
            loss,
        }
    }
}

/// A loss whose log-probabilities are sums over tokens with weights or bounds of their own.
///
/// | modifier | what it does | losses | paper |
/// |---|---|---|---|
/// | `ld_alpha` | Σ over the length of the shorter completion + α·Σ over the rest, of policy and reference: less to gain from length | on pairs | LD-DPO arXiv:2409.06411 |
/// | `humanline` | bounds each token's log-ratio, in z0 as well | all | arXiv:2509.24207 |
///
/// Bounds come first, then the sums.
///
/// # Example
///
/// By hand, α = 0.5: the chosen has log-ratios 1, 1, 1 and the rejected 1, so c = 1 + 0.5·2 = 2, d
/// = 1 and −ln σ(0.1·1) = 0.644397.
///
/// ```
/// use burn::tensor::{Bool, Device, Tensor};
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let ones = |n: usize| {
///     let policy = Tensor::<2>::zeros([1, n], &device);
///     let mask = Tensor::<2, Bool>::full([1, n], true, &device);
///     Tokens::new(policy.clone(), policy - 1.0, mask)
/// };
/// let ld_dpo = TokenLevelConfig::new().with_ld_alpha(0.5).init(DpoLossConfig::new().init());
/// let out = ld_dpo.forward(ones(3), ones(1));
/// assert!((out.loss.into_scalar::<f32>() - 0.644397).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct TokenLevel<L> {
    config: TokenLevelConfig,
    loss: L,
}

impl<L> TokenLevel<L> {
    /// The loss inside.
    pub fn loss(&self) -> &L {
        &self.loss
    }

    /// Whether single tokens are bounded.
    pub(crate) fn is_bounded(&self) -> bool {
        self.config.humanline.is_some()
    }

    pub(crate) fn loss_mut(&mut self) -> &mut L {
        &mut self.loss
    }

    /// What a loss on pairs inside is computed from.
    ///
    /// # Shapes
    ///
    /// - `chosen`: `[pairs, seq]`, `rejected`: `[pairs, seq']`
    ///
    /// # Panics
    ///
    /// If there are not as many chosen as rejected.
    pub fn input(&self, chosen: Tokens, rejected: Tokens) -> PreferenceInput {
        let plain = Pair::new(chosen.sums(None).0, rejected.sums(None).0);
        let (chosen, rejected) = (self.bounded(chosen), self.bounded(rejected));
        let lengths = Pair::new(chosen.lengths(), rejected.lengths());
        let shorter = lengths.chosen.clone().min_pair(lengths.rejected.clone());
        let sums = |tokens: Tokens| {
            let alpha = self.config.ld_alpha;
            let weights = (alpha < 1.0).then(|| tokens.tail(shorter.clone(), alpha));
            tokens.sums(weights)
        };
        let (chosen, rejected) = (sums(chosen), sums(rejected));
        let policy = Pair::new(chosen.0, rejected.0);
        let reference = Pair::new(chosen.1, rejected.1);
        let mut input = PreferenceInput::new(policy, reference, lengths);
        input.plain = Some(plain);
        input
    }

    fn bounded(&self, tokens: Tokens) -> Tokens {
        match self.config.humanline {
            Some(bounds) => bounds.clamp(tokens),
            None => tokens,
        }
    }
}

impl<L: PreferenceLoss> TokenLevel<L> {
    /// # Shapes
    ///
    /// - `chosen`: `[pairs, seq]`, `rejected`: `[pairs, seq']`
    ///
    /// # Panics
    ///
    /// If there are not as many chosen as rejected, or none.
    pub fn forward(&self, chosen: Tokens, rejected: Tokens) -> PreferenceOutput {
        self.loss.compute(self.input(chosen, rejected))
    }
}

impl TokenLevel<KtoLoss> {
    /// # Shapes
    ///
    /// - `completions`: `[batch, seq]`
    /// - `desirable`: `[batch]`
    /// - `kl`: `[1]`, from [`log_probs`](Self::log_probs) of mismatched pairs
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or the batch is empty.
    pub fn forward(
        &self,
        completions: Tokens,
        desirable: Tensor<1, Bool>,
        kl: Tensor<1>,
    ) -> BinaryOutput {
        let (policy, reference) = self.log_probs(completions);
        self.loss.forward(policy, reference, desirable, kl)
    }

    /// Sums of log π and of log π_ref of completions, `[batch]` each, with the tokens' bounds: what
    /// z0 is estimated from.
    ///
    /// # Panics
    ///
    /// If `ld_alpha` is not 1: it needs pairs.
    pub fn log_probs(&self, tokens: Tokens) -> (Tensor<1>, Tensor<1>) {
        assert!(
            self.config.ld_alpha == 1.0,
            "ld_alpha compares the lengths of a pair: KTO has none, got {}",
            self.config.ld_alpha
        );
        self.bounded(tokens).sums(None)
    }
}

/// The weight of each pair in WPO: how likely the policy itself would write both completions.
///
/// ```text
/// w = exp(mean_t [ln π(y_t) − ln Σ_v π(v)²]) of the chosen × the same of the rejected
/// ```
///
/// No gradient flows through it. Not clamped: a completion more likely than the policy's own
/// samples weighs more than 1, as in TRL from 1.0 on.
///
/// # Shapes
///
/// - each of `chosen` and `rejected`: log π(y_t) `[pairs, seq]`,
///   [`log_collisions`](crate::logprob::log_collisions) `[pairs, seq]`, and the mask
/// - output: `[pairs]`
///
/// # References
///
/// Zhou et al., *WPO: Enhancing RLHF with Weighted Preference Optimization*, arXiv:2406.11827,
/// §3.2.
///
/// # Panics
///
/// If the shapes do not agree.
pub fn wpo_weights(
    chosen: (Tensor<2>, Tensor<2>, Tensor<2, Bool>),
    rejected: (Tensor<2>, Tensor<2>, Tensor<2, Bool>),
) -> Tensor<1> {
    let pairs = chosen.0.dims()[0];
    let of = |(log_probs, log_collisions, mask): (Tensor<2>, Tensor<2>, Tensor<2, Bool>)| {
        let [_, seq] = log_probs.dims();
        assert_shape!(log_probs, [pairs, seq]);
        assert_shape!(log_collisions, [pairs, seq]);
        let log_probs = upcast(log_probs.without_autodiff());
        let log_collisions = constant_like(log_collisions, &log_probs);
        crate::logprob::average_log_probs(log_probs - log_collisions, mask.without_autodiff())
    };
    (of(chosen) + of(rejected)).exp()
}

/// Share of tokens within the bounds, `[1]`, 0 where there is none: where it falls, the policy has
/// left the reference behind.
pub fn humanline_unclamped(bounds: &Humanline, tokens: &Tokens) -> Tensor<1> {
    let ratio = (tokens.policy.clone() - tokens.reference.clone()).without_autodiff();
    let inside = ratio.clone().clamp(bounds.low, bounds.high).equal(ratio);
    let counted = indicator(inside, &tokens.policy) * tokens.ones();
    let lengths = tokens.lengths();
    mean(counted.sum_dim(1).squeeze_dim::<1>(1)) * mean(lengths).clamp_min(1e-6).recip()
}
