//! Is a difference more than chance?

use crate::eval::score::Score;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Which test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PairedTest {
    /// McNemar's exact test, for items that are right or wrong: among those that only one side got
    /// right, is either side favoured?
    McNemar,
    /// Signs of the differences flipped at random: exact up to 12 differences, 10 000 draws above.
    SignFlip,
}

/// Two sides on the same items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Mean of first − second, with its paired standard error.
    pub difference: Score,
    /// How often chance alone gives a difference as large, in either direction; NaN where a value
    /// is.
    pub p_value: f64,
    /// By which test.
    pub test: PairedTest,
}

const DRAWS: usize = 10_000;
const EXACT: usize = 12;

impl Comparison {
    /// Compares values item by item, in the same order; `None` of nothing.
    ///
    /// ```
    /// use burn_kto::eval::Comparison;
    /// let before = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    /// let after = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    /// let comparison = Comparison::paired(&after, &before).unwrap();
    /// assert!((comparison.p_value - 2.0 / 64.0).abs() < 1e-12); // six of six in one direction
    /// ```
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn paired(first: &[f64], second: &[f64]) -> Option<Self> {
        assert_eq!(first.len(), second.len(), "items are compared one by one");
        let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
        let difference = Score::mean(differences.iter().copied())?;
        let right_or_wrong = |value: &f64| *value == 0.0 || *value == 1.0;
        let (p_value, test) = if first.iter().chain(second).all(right_or_wrong) {
            let better = differences.iter().filter(|d| **d > 0.0).count();
            let worse = differences.iter().filter(|d| **d < 0.0).count();
            (sign_test(better, worse), PairedTest::McNemar)
        } else {
            (sign_flip(&differences), PairedTest::SignFlip)
        };
        Some(Self {
            difference,
            p_value,
            test,
        })
    }
}

/// Exact two-sided binomial test of `wins` against `losses` at one half; ties say nothing and stay
/// out. 1 where there is neither.
///
/// ```
/// use burn_kto::eval::sign_test;
/// assert!((sign_test(8, 2) - 0.109375).abs() < 1e-12); // 2 (1 + 10 + 45) / 1024
/// assert_eq!(sign_test(3, 3), 1.0);
/// ```
pub fn sign_test(wins: usize, losses: usize) -> f64 {
    let (n, fewer) = (wins + losses, wins.min(losses));
    // ln C(n, i) − n ln 2, from i = 0 on: the powers themselves underflow.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = log_term.exp();
    for i in 1..=fewer {
        log_term += ((n - i + 1) as f64 / i as f64).ln();
        tail += log_term.exp();
    }
    (2.0 * tail).min(1.0)
}

fn sign_flip(differences: &[f64]) -> f64 {
    let moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    if moved.iter().any(|d| d.is_nan()) {
        return f64::NAN; // Nothing compares with NaN, so that p would come out as 0.
    }
    // Sums of the same numbers in other signs differ by rounding; those count as equal.
    let observed = moved.iter().sum::<f64>().abs();
    let reach = observed * (1.0 - 1e-12);
    if moved.len() <= EXACT {
        let all = 1_usize << moved.len();
        let sum = |signs: usize| -> f64 {
            let flipped = moved.iter().enumerate();
            flipped
                .map(|(i, d)| if signs >> i & 1 == 1 { -d } else { *d })
                .sum()
        };
        let as_large = (0..all).filter(|&signs| sum(signs).abs() >= reach).count();
        return as_large as f64 / all as f64;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let as_large = (0..DRAWS)
        .filter(|_| {
            let signed = moved
                .iter()
                .map(|d| if rng.random::<bool>() { *d } else { -d });
            signed.sum::<f64>().abs() >= reach
        })
        .count();
    (as_large + 1) as f64 / (DRAWS + 1) as f64
}

/// The 95 % percentile interval of the mean over 10 000 bootstrap samples; `None` of fewer than two
/// values.
pub fn bootstrap_interval(values: &[f64], seed: u64) -> Option<(f64, f64)> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = (0..n).map(|_| values[rng.random_range(0..n)]);
            drawn.sum::<f64>() / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((DRAWS - 1) as f64 * share).round() as usize];
    Some((at(0.025), at(0.975)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_against_sums_of_binomials() {
        // python3: 2 * sum(math.comb(100, i) for i in range(41)) / 2**100
        assert!((sign_test(60, 40) - 0.056_887_933_640_980_78).abs() < 1e-12);
        assert_eq!(sign_test(40, 60), sign_test(60, 40));
        assert_eq!(sign_test(0, 0), 1.0);
        assert!(sign_test(4000, 6000) > 0.0);
    }

    #[test]
    fn flips_are_exact_for_few_and_near_for_many() {
        let first = [0.9, 0.8, 0.4, 0.7];
        let second = [0.5, 0.6, 0.5, 0.1];
        let few = Comparison::paired(&first, &second).unwrap();
        // Differences .4 .2 -.1 .6, sum 1.1; as large: all the same sign, and 1.1 itself, both
        // ways: 4 of 16.
        assert_eq!((few.p_value, few.test), (0.25, PairedTest::SignFlip));
        // 40 differences of 0.5 of which 28 point up: near the binomial test.
        let first: Vec<f64> = (0..40).map(|i| if i < 28 { 0.5 } else { 0.0 }).collect();
        let second: Vec<f64> = (0..40).map(|i| if i < 28 { 0.0 } else { 0.5 }).collect();
        let many = Comparison::paired(&first, &second).unwrap();
        let exact = sign_test(28, 12);
        assert!(
            (many.p_value - exact).abs() < 4.0 * (exact / 1e4).sqrt(),
            "{many:?} {exact}"
        );
    }

    #[test]
    fn nan_is_no_finding() {
        let broken = Comparison::paired(&[f64::NAN, 0.5, 0.7], &[0.1, 0.2, 0.3]).unwrap();
        assert!(broken.p_value.is_nan());
    }

    #[test]
    fn the_bootstrap_agrees_with_the_normal_interval() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 4 == 0)).collect();
        let (low, high) = bootstrap_interval(&values, 1).unwrap();
        let (a, b) = Score::mean(values).unwrap().interval().unwrap();
        assert!(
            (low - a).abs() < 0.006 && (high - b).abs() < 0.006,
            "{low} {high} {a} {b}"
        );
    }
}
