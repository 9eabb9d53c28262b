//! Wins that are not for length.

use crate::eval::score::Z95;
use serde::{Deserialize, Serialize};

/// How often the first side would win if answers were equally long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LengthControlled {
    /// σ(a): the modelled win rate at no difference of length.
    pub rate: f64,
    /// Its 95 % interval, from the normal interval of a.
    pub interval: (f64, f64),
    /// b: log-odds for one unit of tanh of the standardised difference; positive where the judge
    /// likes length.
    pub length_effect: f64,
}

/// Weight of the penalty b² / 2 on the length effect: it keeps the fit finite where length tells
/// wins from losses without fail.
const RIDGE: f64 = 1e-2;

/// Fits P(win) = σ(a + b tanh(d / s)), where d is the difference of lengths, first − second, and s
/// its standard deviation, and reads it at d = 0. Two of the three terms of AlpacaEval 2's
/// regression; the third, the difficulty of each instruction, needs data of other models.
///
/// `games` are (score, difference of lengths); a score is 1 for a win, 0 for a loss, 0.5 for a tie.
/// `None` with fewer than two games, or where all scores are 0 or all are 1: then the fit runs
/// away.
///
/// ```
/// use burn_kto::eval::LengthControlled;
/// // The longer answer wins whoever gave it: nothing is left for the model.
/// let games = [(1.0, 30.0), (0.0, -30.0), (1.0, 20.0), (0.0, -20.0), (0.5, 0.0)];
/// let controlled = LengthControlled::of(&games).unwrap();
/// assert!((controlled.rate - 0.5).abs() < 1e-9 && controlled.length_effect > 1.0);
/// ```
impl LengthControlled {
    /// Newton's method on the penalised log-likelihood.
    pub fn of(games: &[(f64, f64)]) -> Option<Self> {
        let n = games.len();
        let total: f64 = games.iter().map(|(score, _)| score).sum();
        if n < 2 || total <= 0.0 || total >= n as f64 {
            return None;
        }
        let mean = games.iter().map(|(_, d)| d).sum::<f64>() / n as f64;
        let squares: f64 = games.iter().map(|(_, d)| (d - mean).powi(2)).sum();
        let deviation = (squares / (n - 1) as f64).sqrt();
        // Where every difference is the same, length cannot be told from the model, and counts as
        // no difference.
        let feature = |d: f64| {
            if deviation > 0.0 {
                (d / deviation).tanh()
            } else {
                0.0
            }
        };
        let (mut a, mut b) = (0.0_f64, 0.0_f64);
        let mut variance = f64::NAN;
        for _ in 0..100 {
            let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, -RIDGE * b, 0.0, 0.0, RIDGE);
            for &(score, d) in games {
                let x = feature(d);
                let p = 1.0 / (1.0 + (-(a + b * x)).exp());
                let w = p * (1.0 - p);
                ga += score - p;
                gb += (score - p) * x;
                haa += w;
                hab += w * x;
                hbb += w * x * x;
            }
            let determinant = haa * hbb - hab * hab;
            if !(determinant.is_finite() && determinant > 0.0) {
                return None;
            }
            variance = hbb / determinant;
            let steps = [
                (hbb * ga - hab * gb) / determinant,
                (haa * gb - hab * ga) / determinant,
            ];
            // A step from far away may overshoot; the function is concave, so short steps arrive
            // too.
            let [da, db] = steps.map(|step: f64| step.clamp(-2.0, 2.0));
            a += da;
            b += db;
            if da.abs() + db.abs() < 1e-12 {
                break;
            }
        }
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let spread = Z95 * variance.sqrt();
        Some(Self {
            rate: sigmoid(a),
            interval: (sigmoid(a - spread), sigmoid(a + spread)),
            length_effect: b,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_lengths_it_is_the_rate() {
        let games: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i < 7), 0.0)).collect();
        let controlled = LengthControlled::of(&games).unwrap();
        assert!((controlled.rate - 0.7).abs() < 1e-9);
        assert_eq!(LengthControlled::of(&[(1.0, 3.0), (1.0, -2.0)]), None);
        assert_eq!(LengthControlled::of(&[]), None);
    }

    /// The same objective maximised by a grid search in python3, to six digits.
    #[test]
    fn numbers_of_another_optimiser() {
        let games = [
            (1.0, 10.0),
            (1.0, 25.0),
            (0.0, 5.0),
            (1.0, -3.0),
            (0.0, -20.0),
            (0.5, 0.0),
            (0.0, -8.0),
            (1.0, 12.0),
        ];
        let controlled = LengthControlled::of(&games).unwrap();
        assert!(
            (controlled.rate - GOLDEN_RATE).abs() < 1e-6,
            "{controlled:?}"
        );
        assert!(
            (controlled.length_effect - GOLDEN_EFFECT).abs() < 1e-5,
            "{controlled:?}"
        );
    }

    const GOLDEN_RATE: f64 = 0.499_779_218_4;
    const GOLDEN_EFFECT: f64 = 2.748_957_809_6;
}
