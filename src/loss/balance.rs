//! λ from the numbers of thumbs.

use super::kto::KtoLossConfig;
use crate::error::Error;
use std::fmt;

/// Where λ_D·n_D / (λ_U·n_U) should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClassInterval {
    /// \[1, 3/2\]: KTO paper v4 and v5, Eq. 9.
    ThreeHalves,
    /// \[1, 4/3\]: earlier versions, and all other libraries.
    FourThirds,
    /// This ratio. Positive and finite.
    Ratio(f64),
}

/// Weights for classes of different size. The larger class keeps 1, the smaller one gets what
/// brings the ratio into the interval, and no more.
///
/// ```
/// use burn_kto::prelude::*;
/// let weights = ClassWeights::from_counts(100, 1000, ClassInterval::ThreeHalves).unwrap();
/// assert_eq!((weights.desirable, weights.undesirable), (10.0, 1.0));
/// let text = "λ_D = 10.000, λ_U = 1.000 for 100 desirable and 1000 undesirable: ratio 1.000";
/// assert_eq!(weights.to_string(), text);
/// let weights = ClassWeights::from_counts(1000, 100, ClassInterval::ThreeHalves).unwrap();
/// assert!((weights.undesirable - 10.0 / 1.5).abs() < 1e-12);
/// assert!((weights.ratio() - 1.5).abs() < 1e-12);
/// let kto = weights.apply(KtoLossConfig::new()).init();
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassWeights {
    /// λ_D.
    pub desirable: f64,
    /// λ_U.
    pub undesirable: f64,
    /// n_D and n_U.
    pub counts: (usize, usize),
}

impl ClassWeights {
    /// For so many desirable and undesirable examples.
    ///
    /// # Errors
    ///
    /// If a class is empty, or a ratio not positive and finite.
    pub fn from_counts(
        desirable: usize,
        undesirable: usize,
        interval: ClassInterval,
    ) -> Result<Self, Error> {
        let got = format!("{desirable} desirable and {undesirable} undesirable");
        let ok = desirable > 0 && undesirable > 0;
        Error::check(ok, "counts", "must both be positive", got)?;
        let plain = desirable as f64 / undesirable as f64;
        let target = match interval {
            ClassInterval::ThreeHalves => plain.clamp(1.0, 1.5),
            ClassInterval::FourThirds => plain.clamp(1.0, 4.0 / 3.0),
            ClassInterval::Ratio(ratio) => {
                let ok = ratio > 0.0 && ratio.is_finite();
                Error::check(ok, "ratio", "must be positive and finite", ratio)?;
                ratio
            }
        };
        // λ_D / λ_U
        let odds = target / plain;
        let ok = odds.is_finite() && odds.recip().is_finite();
        Error::check(ok, "ratio", "must give finite weights", target)?;
        Ok(Self {
            desirable: odds.max(1.0),
            undesirable: odds.recip().max(1.0),
            counts: (desirable, undesirable),
        })
    }

    /// λ_D·n_D / (λ_U·n_U).
    pub fn ratio(&self) -> f64 {
        self.desirable * self.counts.0 as f64 / (self.undesirable * self.counts.1 as f64)
    }

    /// A configuration with these weights.
    pub fn apply(&self, config: KtoLossConfig) -> KtoLossConfig {
        config
            .with_desirable_weight(self.desirable)
            .with_undesirable_weight(self.undesirable)
    }
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            desirable,
            undesirable,
            counts: (up, down),
        } = self;
        write!(
            f,
            "λ_D = {desirable:.3}, λ_U = {undesirable:.3} for {up} desirable and {down} undesirable: ratio {:.3}",
            self.ratio()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_lands_in_the_interval_and_no_further() {
        for (up, down) in [(1, 1), (5, 4), (3, 2), (1, 10), (10, 1), (7, 3), (999, 1)] {
            for (interval, high) in [
                (ClassInterval::ThreeHalves, 1.5),
                (ClassInterval::FourThirds, 4.0 / 3.0),
            ] {
                let weights = ClassWeights::from_counts(up, down, interval).unwrap();
                let ratio = weights.ratio();
                assert!((1.0 - 1e-12..=high + 1e-12).contains(&ratio), "{weights}");
                assert!(weights.desirable == 1.0 || weights.undesirable == 1.0);
            }
        }
        let inside = ClassWeights::from_counts(5, 4, ClassInterval::FourThirds).unwrap();
        assert_eq!((inside.desirable, inside.undesirable), (1.0, 1.0));
        // The paper's own setting for 1 to 10.
        let paper = ClassWeights::from_counts(1, 10, ClassInterval::Ratio(4.0 / 3.0)).unwrap();
        assert!((paper.desirable - 13.333).abs() < 1e-3);
    }

    #[test]
    fn an_empty_class_is_an_error() {
        let error = ClassWeights::from_counts(0, 3, ClassInterval::ThreeHalves).unwrap_err();
        assert_eq!(
            error.to_string(),
            "counts must both be positive, got 0 desirable and 3 undesirable"
        );
        assert!(ClassWeights::from_counts(1, 1, ClassInterval::Ratio(f64::NAN)).is_err());
    }
}
