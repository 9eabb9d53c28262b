//! Rewards on held-out pairs, and how far the policy went for them.

use crate::eval::rewards::auc::auc;
use crate::eval::rewards::calibration::Calibration;
use crate::eval::score::Score;
use crate::model::CausalLm;
use crate::reference::Reference;
use crate::sequence::Sequences;
use serde::{Deserialize, Serialize};

/// What rewards say of pairs of which one is known to be better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreferenceMetrics {
    /// How often the better one is rewarded more; a tie counts half.
    pub accuracy: Score,
    /// How often any better one is rewarded more than any worse one, whatever the prompt.
    pub auc: f64,
    /// Chosen − rejected.
    pub margin: Score,
    /// Mean reward of the better ones.
    pub chosen: Score,
    /// Mean reward of the worse ones.
    pub rejected: Score,
    /// Calibration of σ(margin), the probability that the first is preferred (Bradley–Terry), in
    /// ten bins; each pair counts once from either side.
    pub calibration: Calibration,
}

impl PreferenceMetrics {
    /// From the rewards of pairs; `None` of nothing.
    ///
    /// ```
    /// use burn_kto::eval::PreferenceMetrics;
    /// let metrics = PreferenceMetrics::of(&[1.0, 2.0, 0.0], &[0.0, 0.5, 0.5]).unwrap();
    /// assert_eq!(metrics.margin.value, (1.0 + 1.5 - 0.5) / 3.0);
    /// assert!((metrics.accuracy.value - 2.0 / 3.0).abs() < 1e-15);
    /// ```
    ///
    /// # Panics
    ///
    /// If the lengths differ or a reward is NaN.
    pub fn of(chosen: &[f64], rejected: &[f64]) -> Option<Self> {
        assert_eq!(chosen.len(), rejected.len(), "a pair needs two rewards");
        let margins: Vec<f64> = chosen.iter().zip(rejected).map(|(c, r)| c - r).collect();
        let right = margins.iter().map(|margin| match margin {
            m if *m > 0.0 => 1.0,
            m if *m < 0.0 => 0.0,
            _ => 0.5,
        });
        let thumbs = chosen.iter().map(|c| (*c, true));
        let thumbs = thumbs.chain(rejected.iter().map(|r| (*r, false)));
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let predictions: Vec<(f64, bool)> = margins
            .iter()
            .flat_map(|&margin| [(sigmoid(margin), true), (sigmoid(-margin), false)])
            .collect();
        Some(Self {
            accuracy: Score::mean(right)?,
            auc: auc(thumbs)?,
            margin: Score::mean(margins.iter().copied())?,
            chosen: Score::mean(chosen.iter().copied())?,
            rejected: Score::mean(rejected.iter().copied())?,
            calibration: Calibration::of(&predictions, 10)?,
        })
    }
}

/// How far a policy is from its reference, on answers that the policy wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// KL(π ‖ π_ref) of whole answers: mean of log π − log π_ref. Without bias where the answers
    /// were drawn from the policy at temperature 1; greedy answers give the log-ratio of the
    /// likeliest texts instead.
    pub kl: Score,
    /// The same per token: sum over sum.
    pub kl_per_token: f64,
    /// Tokens of the policy's answers less those of the reference's to the same prompts.
    pub length: Score,
    /// Mean length of the policy's answers over that of the reference's.
    pub length_ratio: f64,
}

/// One answer of the policy, and how long the reference's answer to the same prompt was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftSample {
    /// log π of the policy's answer.
    pub policy: f64,
    /// log π_ref of the same answer.
    pub reference: f64,
    /// Its tokens.
    pub length: usize,
    /// Tokens of the reference's answer.
    pub reference_length: usize,
}

impl Drift {
    /// `None` of nothing, or where one side wrote no token at all.
    pub fn of(samples: &[DriftSample]) -> Option<Self> {
        let ratio = |s: &DriftSample| s.policy - s.reference;
        let tokens: f64 = samples.iter().map(|s| s.length as f64).sum();
        let reference_tokens: f64 = samples.iter().map(|s| s.reference_length as f64).sum();
        if tokens == 0.0 || reference_tokens == 0.0 {
            return None;
        }
        let change = |s: &DriftSample| s.length as f64 - s.reference_length as f64;
        Some(Self {
            kl: Score::mean(samples.iter().map(ratio))?,
            kl_per_token: samples.iter().map(ratio).sum::<f64>() / tokens,
            length: Score::mean(samples.iter().map(change))?,
            length_ratio: tokens / reference_tokens,
        })
    }
}

/// Rewards that a policy implies, β (log π − log π_ref) of each row.
pub fn implicit_rewards<M: CausalLm, R: Reference<M>>(
    policy: &M,
    reference: &R,
    sequences: &Sequences,
    beta: f64,
) -> Vec<f64> {
    let policy_model = policy.valid();
    let sequences = sequences.without_autodiff();
    let policy = policy_model.log_probs(&sequences).into_data();
    let reference = reference.log_probs(&policy_model, &sequences).into_data();
    let pairs = policy.iter::<f64>().zip(reference.iter::<f64>());
    pairs
        .map(|(policy, reference)| beta * (policy - reference))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_by_hand() {
        let sample = |policy, reference, length, reference_length| DriftSample {
            policy,
            reference,
            length,
            reference_length,
        };
        let drift = Drift::of(&[sample(-4.0, -6.0, 10, 8), sample(-3.0, -2.0, 10, 12)]).unwrap();
        assert_eq!((drift.kl.value, drift.kl_per_token), (0.5, 0.05));
        assert_eq!((drift.length.value, drift.length_ratio), (0.0, 1.0));
        assert_eq!(Drift::of(&[]), None);
    }

    #[test]
    fn equal_rewards_are_chance() {
        let metrics = PreferenceMetrics::of(&[1.0, 2.0], &[1.0, 2.0]).unwrap();
        assert_eq!((metrics.accuracy.value, metrics.auc), (0.5, 0.5));
        assert_eq!(metrics.calibration.error, 0.0);
        assert!((metrics.calibration.log_loss - std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(PreferenceMetrics::of(&[], &[]), None);
    }
}
