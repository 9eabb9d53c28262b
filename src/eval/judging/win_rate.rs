//! Wins of one model over another.

use crate::eval::score::Z95;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Wins, ties and losses on the same prompts. A tie counts half a win.
///
/// ```
/// use burn_kto::eval::WinRate;
/// let wins = WinRate { wins: 60, ties: 20, losses: 20 };
/// assert_eq!(wins.rate(), Some(0.7));
/// assert_eq!(wins.to_string(), "70.0 % [60.4, 78.1] (60 wins, 20 ties, 20 losses)");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WinRate {
    /// The first model was better.
    pub wins: usize,
    /// Neither was.
    pub ties: usize,
    /// The second model was better.
    pub losses: usize,
}

impl WinRate {
    /// From the scores of both models' answers, the first model's first: the higher score wins.
    pub fn of(scores: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut result = Self::default();
        for (first, second) in scores {
            if first > second {
                result.wins += 1;
            } else if first < second {
                result.losses += 1;
            } else {
                result.ties += 1;
            }
        }
        result
    }

    /// Number of comparisons.
    pub fn n(&self) -> usize {
        self.wins + self.ties + self.losses
    }

    /// (wins + ties / 2) / n; `None` without a comparison.
    pub fn rate(&self) -> Option<f64> {
        let n = self.n() as f64;
        (n > 0.0).then(|| (self.wins as f64 + 0.5 * self.ties as f64) / n)
    }

    /// Wilson's 95 % interval of the rate; with ties it is on the safe side, because a tie varies
    /// less than a win or a loss.
    pub fn interval(&self) -> Option<(f64, f64)> {
        const Z: f64 = Z95;
        let (p, n) = (self.rate()?, self.n() as f64);
        let centre = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Some(((centre - spread) / scale, (centre + spread) / scale))
    }
}

impl fmt::Display for WinRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(rate), Some((low, high))) = (self.rate(), self.interval()) else {
            return f.write_str("no comparison");
        };
        let Self { wins, ties, losses } = self;
        let [rate, low, high] = [rate, low, high].map(|p| 100.0 * p);
        write!(
            f,
            "{rate:.1} % [{low:.1}, {high:.1}] ({wins} wins, {ties} ties, {losses} losses)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // 8 of 10: (0.490, 0.943), as in the literature.
        let (low, high) = WinRate {
            wins: 8,
            ties: 0,
            losses: 2,
        }
        .interval()
        .unwrap();
        assert!((low - 0.4901625).abs() < 1e-6 && (high - 0.9433178).abs() < 1e-6);
        let (low, high) = WinRate {
            wins: 5,
            ties: 0,
            losses: 0,
        }
        .interval()
        .unwrap();
        assert!(low > 0.5 && high <= 1.0);
    }

    #[test]
    fn scores_are_compared_and_nothing_is_nothing() {
        let result = WinRate::of([(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]);
        assert_eq!(
            result,
            WinRate {
                wins: 1,
                ties: 1,
                losses: 1
            }
        );
        assert_eq!(WinRate::default().rate(), None);
        assert_eq!(WinRate::default().to_string(), "no comparison");
    }
}
