//! Divergences from the reference.

use crate::math::expm1;
use burn::config::Config;
use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

/// How a log-ratio r becomes a score s(r) (f-DPO, arXiv:2309.16240).
///
/// The constants cancel in differences, but not where lengths divide or a score stands alone
/// ([`Ipo`](super::DpoVariant::Ipo), [`SigmoidNorm`](super::DpoVariant::SigmoidNorm),
/// [`NcaPair`](super::DpoVariant::NcaPair), [`BcoPair`](super::DpoVariant::BcoPair),
/// [`SppoHard`](super::DpoVariant::SppoHard)). Exponents are cut at 80, at 40 where the score is
/// squared: a log-ratio beyond has no slope.
#[derive(Config, Debug, PartialEq)]
#[allow(missing_docs)] // fields are said in their variant
pub enum FDivergence {
    /// s = r.
    ReverseKl,
    /// s = 1 − e^(−r).
    ForwardKl,
    /// s = ln 2 + lnσ(r).
    JsDivergence,
    /// s = (e^((α−1)r) − 1) / (α−1); reverse KL at α = 1. α is finite.
    AlphaDivergence { alpha: f64 },
}

/// Exponents are cut here: e^80 is far from overflow in f32, and no useful score lies beyond.
pub(super) const MAX_EXPONENT: f64 = 80.0;
/// And here where the score is squared.
pub(super) const MAX_EXPONENT_SQUARED: f64 = 40.0;

impl FDivergence {
    /// With exponents of at most `max_exponent`.
    pub(super) fn score(&self, log_ratio: Tensor<1>, max_exponent: f64) -> Tensor<1> {
        match *self {
            Self::ReverseKl => log_ratio,
            Self::ForwardKl => expm1(log_ratio.neg().clamp_max(max_exponent)).neg(),
            Self::JsDivergence => log_sigmoid(log_ratio) + std::f64::consts::LN_2,
            Self::AlphaDivergence { alpha } if (alpha - 1.0).abs() < 1e-12 => log_ratio,
            Self::AlphaDivergence { alpha } => {
                let power = (log_ratio * (alpha - 1.0)).clamp_max(max_exponent);
                expm1(power) * (alpha - 1.0).recip()
            }
        }
    }
}
