//! What is pooled, and how good the mean is.

use std::fmt::Debug;
use std::ops::Add;

/// Sum, sum of squares and count of the log-ratios log π − log π_ref of mismatched pairs: what
/// micro-batches and ranks add up before anything is clamped.
///
/// ```
/// use burn_kto::prelude::*;
/// let ranks = [KlSums::of(&[4.0]), KlSums::of(&[-2.0])];
/// let pooled = (ranks[0] + ranks[1]).estimate(true).unwrap();
/// assert_eq!(pooled.value, 1.0); // clamping each first would give (4 + 0) / 2
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KlSums {
    /// Σ
    pub sum: f64,
    /// Σ of the squares
    pub squares: f64,
    /// Number of pairs.
    pub count: f64,
}

impl KlSums {
    /// The sums of these log-ratios.
    pub fn of(log_ratios: &[f64]) -> Self {
        Self {
            sum: log_ratios.iter().sum(),
            squares: log_ratios.iter().map(|r| r * r).sum(),
            count: log_ratios.len() as f64,
        }
    }

    /// The mean and what is known about it; `None` without a pair.
    pub fn estimate(self, clamp: bool) -> Option<KlEstimate> {
        let Self {
            sum,
            squares,
            count,
        } = self;
        if count == 0.0 {
            return None;
        }
        let raw = sum / count;
        let variance = (squares - sum * raw).max(0.0) / (count - 1.0);
        Some(KlEstimate {
            value: if clamp { raw.max(0.0) } else { raw },
            raw,
            standard_error: (count > 1.0).then(|| (variance / count).sqrt()),
            clamped: clamp && raw < 0.0,
            count,
        })
    }
}

impl Add for KlSums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
            count: self.count + other.count,
        }
    }
}

/// An estimate of z0 and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct KlEstimate {
    /// z0.
    pub value: f64,
    /// The mean before the clamp.
    pub raw: f64,
    /// Standard error of the mean; `None` for a single pair.
    pub standard_error: Option<f64>,
    /// Whether the clamp at 0 acted.
    pub clamped: bool,
    /// Number of pairs.
    pub count: f64,
}

/// Several processes or threads that train one model.
///
/// The whole of what the reference point needs of them: one sum. Every rank has to call it equally
/// often, and gets the same result.
pub trait Ranks: Debug + Send + Sync {
    /// The sum over all ranks.
    fn sum(&self, mine: KlSums) -> KlSums;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_a_mean() {
        // 1, 2, 3, 4: variance 5/3, standard error sqrt(5/12).
        let sums = KlSums::of(&[1.0, 2.0]) + KlSums::of(&[3.0, 4.0]);
        let estimate = sums.estimate(true).unwrap();
        assert_eq!((estimate.value, estimate.count), (2.5, 4.0));
        assert!((estimate.standard_error.unwrap() - (5.0_f64 / 12.0).sqrt()).abs() < 1e-15);
        assert!(!estimate.clamped);
        let one = KlSums::of(&[-1.0]).estimate(true).unwrap();
        assert_eq!((one.value, one.raw, one.standard_error), (0.0, -1.0, None));
        assert!(one.clamped);
        assert_eq!(KlSums::of(&[-1.0]).estimate(false).unwrap().value, -1.0);
        assert_eq!(KlSums::default().estimate(true), None);
    }
}
