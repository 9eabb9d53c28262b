//! Do probabilities come true?

use serde::{Deserialize, Serialize};

/// How well predicted probabilities agree with what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error: mean over predictions of |mean prediction − share that came
    /// true| of their bin.
    pub error: f64,
    /// Mean of (p − outcome)².
    pub brier: f64,
    /// Mean of −ln p(outcome), p kept 1e-15 away from 0 and 1.
    pub log_loss: f64,
    /// Bins of equal width that hold a prediction.
    pub bins: Vec<Bin>,
}

/// Predictions of about the same probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Number of predictions.
    pub n: usize,
    /// Mean prediction.
    pub predicted: f64,
    /// Share that came true.
    pub observed: f64,
}

impl Calibration {
    /// From (probability, whether it came true), in `bins` bins of equal width; `None` of nothing.
    ///
    /// ```
    /// use burn_kto::eval::Calibration;
    /// let sure_and_wrong_half_the_time = [(0.9, true), (0.9, false)];
    /// let calibration = Calibration::of(&sure_and_wrong_half_the_time, 10).unwrap();
    /// assert!((calibration.error - 0.4).abs() < 1e-12);
    /// assert!((calibration.brier - (0.01 + 0.81) / 2.0).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    ///
    /// If `bins` is 0 or a probability is not in [0, 1].
    pub fn of(predictions: &[(f64, bool)], bins: usize) -> Option<Self> {
        assert!(bins > 0, "calibration needs at least one bin");
        let n = predictions.len() as f64;
        if predictions.is_empty() {
            return None;
        }
        let mut sums = vec![(0_usize, 0.0, 0.0); bins];
        let (mut brier, mut log_loss) = (0.0, 0.0);
        for &(p, outcome) in predictions {
            assert!(
                (0.0..=1.0).contains(&p),
                "a probability is in [0, 1], got {p}"
            );
            let came = f64::from(outcome);
            let (count, predicted, observed) =
                &mut sums[((p * bins as f64) as usize).min(bins - 1)];
            *count += 1;
            *predicted += p;
            *observed += came;
            brier += (p - came).powi(2);
            let likelihood = if outcome { p } else { 1.0 - p };
            log_loss -= likelihood.max(1e-15).ln();
        }
        let filled = sums.into_iter().filter(|(count, ..)| *count > 0);
        let bins: Vec<Bin> = filled
            .map(|(n, predicted, observed)| Bin {
                n,
                predicted: predicted / n as f64,
                observed: observed / n as f64,
            })
            .collect();
        let gap = |bin: &Bin| bin.n as f64 * (bin.predicted - bin.observed).abs();
        Some(Self {
            error: bins.iter().map(gap).sum::<f64>() / n,
            brier: brier / n,
            log_loss: log_loss / n,
            bins,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let predictions = [(1.0, true), (0.95, false), (0.2, false), (0.25, true)];
        let calibration = Calibration::of(&predictions, 10).unwrap();
        // Bins: {0.2, 0.25} mean .225 observed .5; {0.95, 1} mean .975 observed .5.
        assert!((calibration.error - (2.0 * 0.275 + 2.0 * 0.475) / 4.0).abs() < 1e-12);
        assert_eq!(calibration.bins.len(), 2);
        let log_loss = -(0.05_f64.ln() + 0.8_f64.ln() + 0.25_f64.ln()) / 4.0;
        assert!((calibration.log_loss - log_loss).abs() < 1e-9);
        assert_eq!(Calibration::of(&[], 10), None);
    }
}
