//! The losses of the DPO family.

use burn::config::Config;

/// Which loss of the family.
///
/// With c and d the log-ratios log π − log π_ref of the chosen and the rejected completion, s the
/// [`FDivergence`](super::FDivergence)'s score, Δ = s(c) − s(d), z = βΔ, |w| and |l| the
/// completions' lengths:
///
/// | variant | loss of a pair | at c = d = 0, β = 0.1 | paper |
/// |---|---|---|---|
/// | `Sigmoid` | −(1−ε)·lnσ(z) − ε·lnσ(−z) | ln 2 | DPO arXiv:2305.18290; ε > 0: cDPO |
/// | `Hinge` | max(0, 1 − z) | 1 | SLiC arXiv:2305.10425, RSO arXiv:2309.06657 |
/// | `Ipo` | (s(c)/\|w\| − s(d)/\|l\| − 1/(2β))² | 25 | arXiv:2310.12036 |
/// | `ExoPair` | σ(z)(lnσ(z) − ln(1−ε)) + σ(−z)(lnσ(−z) − ln ε) | 2.761 (ε = 1e-3) | arXiv:2402.00856 |
/// | `NcaPair` | −lnσ(βs(c)) − ½lnσ(−βs(c)) − ½lnσ(−βs(d)) | 2 ln 2 | arXiv:2402.05369 |
/// | `Robust` | (−(1−ε)·lnσ(z) + ε·lnσ(−z)) / (1−2ε) | ln 2 | arXiv:2403.00409 |
/// | `BcoPair` | −lnσ(βs(c)) − lnσ(−βs(d)) | 2 ln 2 | arXiv:2404.04656, without its shift |
/// | `SppoHard` | (s(c) − 1/(2β))² + (s(d) + 1/(2β))² | 50 | arXiv:2405.00675 |
/// | `Aot` | of δ = sort(log π_w − log π_l) − sort(ref_w − ref_l): −(1−ε)·lnσ(βδ) − ε·lnσ(−βδ) | ln 2 | arXiv:2406.05882 |
/// | `AotUnpaired` | the same of δ = sort(c) − sort(d) | ln 2 | arXiv:2406.05882 |
/// | `ApoZero` | σ(−βc) + σ(βd) | 1 | arXiv:2408.06266 |
/// | `ApoDown` | σ(βc) + σ(−z) | 1 | arXiv:2408.06266 |
/// | `DiscoPop` | −lnσ(z)·σ(−z/τ) + e^(−z)·σ(z/τ) | 0.847 (τ = 0.05) | arXiv:2406.08414 |
/// | `SigmoidNorm` | −lnσ(β(s(c)/\|w\| − s(d)/\|l\|)) | ln 2 | Tülu 3, arXiv:2411.15124 |
#[derive(Config, Debug, PartialEq)]
#[allow(missing_docs)] // the table above says it once
pub enum DpoVariant {
    /// The original; with ε in \[0, ½) the labels are taken to be wrong with probability ε (cDPO).
    Sigmoid { label_smoothing: f64 },
    /// A margin of 1.
    Hinge,
    /// A squared distance to a margin; means over tokens.
    Ipo,
    /// Reverse KL to the smoothed preference; ε in (0, ½).
    ExoPair { label_smoothing: f64 },
    /// Noise contrastive: keeps the chosen likelihood from falling.
    NcaPair,
    /// Unbiased under labels that are wrong with probability ε in \[0, ½).
    Robust { label_smoothing: f64 },
    /// Binary classifier on each side.
    BcoPair,
    /// Self-play with hard win rates.
    SppoHard,
    /// Optimal transport between sorted margins of a batch; ε in \[0, ½).
    Aot { label_smoothing: f64 },
    /// The same between sorted log-ratios, so pairs need not belong together.
    AotUnpaired { label_smoothing: f64 },
    /// Chosen up, rejected down: when the chosen are better than the model.
    ApoZero,
    /// Both down, the rejected more: when the model is better than the chosen.
    ApoDown,
    /// A blend found by search; τ in (0, 1].
    DiscoPop { temperature: f64 },
    /// The original on means over tokens.
    SigmoidNorm,
}

impl DpoVariant {
    /// Whether it sorts a batch, so that no loss belongs to one pair.
    pub(crate) fn sorts(&self) -> bool {
        matches!(self, Self::Aot { .. } | Self::AotUnpaired { .. })
    }
}
