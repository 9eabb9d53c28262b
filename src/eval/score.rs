//! A mean and how sure it is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// z of a two-sided 95 % interval.
pub(crate) const Z95: f64 = 1.959_963_984_540_054;

/// A mean with its standard error.
///
/// ```
/// use burn_kto::eval::Score;
/// let score = Score::mean([1.0, 0.0, 1.0, 1.0]).unwrap();
/// assert_eq!((score.value, score.n), (0.75, 4));
/// assert_eq!(score.standard_error, Some(0.25)); // sqrt(0.25 / 4)
/// assert_eq!(score.to_string(), "0.7500 ± 0.2500 (n = 4)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The mean.
    pub value: f64,
    /// Sample standard deviation (divisor n − 1) over √n; `None` where it cannot be known, that is
    /// for one item.
    pub standard_error: Option<f64>,
    /// Number of items.
    pub n: usize,
}

impl Score {
    /// Mean of independent items; `None` of nothing.
    pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_error = (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt());
        Some(Self {
            value: mean,
            standard_error,
            n,
        })
    }

    /// Mean over groups that all weigh the same, whatever their size: √(Σ se²) / groups is its
    /// standard error, known if every group's is. `None` of nothing.
    pub fn macro_mean(groups: impl IntoIterator<Item = Self>) -> Option<Self> {
        let groups: Vec<Self> = groups.into_iter().collect();
        if groups.is_empty() {
            return None;
        }
        let count = groups.len() as f64;
        let variances: Option<Vec<f64>> = groups
            .iter()
            .map(|group| group.standard_error.map(|error| error * error))
            .collect();
        Some(Self {
            value: groups.iter().map(|group| group.value).sum::<f64>() / count,
            standard_error: variances.map(|v| v.iter().sum::<f64>().sqrt() / count),
            n: groups.iter().map(|group| group.n).sum(),
        })
    }

    /// The 95 % interval of the normal approximation: value ± 1.96 standard errors.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let spread = Z95 * self.standard_error?;
        Some((self.value - spread, self.value + spread))
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4}", self.value)?;
        if let Some(error) = self.standard_error {
            write!(f, " ± {error:.4}")?;
        }
        write!(f, " (n = {})", self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_pythons_statistics() {
        // statistics.stdev([1, 0, 0, 1, 1]) / math.sqrt(5)
        let score = Score::mean([1.0, 0.0, 0.0, 1.0, 1.0]).unwrap();
        assert!((score.value - 0.6).abs() < 1e-15);
        assert!((score.standard_error.unwrap() - 0.244_948_974_278_317_8).abs() < 1e-15);
        let (low, high) = score.interval().unwrap();
        assert!((low - 0.119_908_832_3).abs() < 1e-9 && (high - 1.080_091_167_7).abs() < 1e-9);
        assert_eq!(Score::mean([]), None);
        assert_eq!(Score::mean([1.0]).unwrap().standard_error, None);
    }

    #[test]
    fn groups_weigh_the_same() {
        let small = Score::mean([1.0, 0.0]).unwrap(); // 0.5 ± 0.5
        let large = Score::mean([1.0; 10]).unwrap(); // 1 ± 0
        let both = Score::macro_mean([small, large]).unwrap();
        assert_eq!(
            (both.value, both.standard_error, both.n),
            (0.75, Some(0.25), 12)
        );
        let alone = Score::mean([1.0]).unwrap();
        assert_eq!(
            Score::macro_mean([small, alone]).unwrap().standard_error,
            None
        );
    }
}
