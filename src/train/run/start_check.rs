//! Whether the reference is the policy that training starts from.

use crate::train::metrics::Metrics;

/// Rewards further from 0 than this do not come from rounding.
const TOLERANCE: f64 = 0.01;

/// What to say of `metrics` that were taken before the first step, where rewards are relative to
/// the reference.
pub(super) fn reference_warning(metrics: &Metrics) -> Option<String> {
    let rewards = ["rewards/chosen", "rewards/rejected"].map(|name| metrics.get(name));
    let rewards = rewards.into_iter().flatten();
    let furthest = rewards.max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    (furthest.abs() > TOLERANCE).then(|| {
        format!(
            "rewards at step 0 are {furthest:.2}, not 0: the reference is not the policy that \
             training starts from; make it of that policy, before training: \
             Frozen::new(&policy)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(chosen: Option<f64>, rejected: Option<f64>) -> Metrics {
        let mut metrics = Metrics::default();
        metrics.add("loss", 1.0, 2.0);
        for (name, mean) in [("rewards/chosen", chosen), ("rewards/rejected", rejected)] {
            if let Some(mean) = mean {
                metrics.add(name, 4.0 * mean, 4.0);
            }
        }
        metrics
    }

    #[test]
    fn the_policy_itself_gives_no_warning() {
        assert_eq!(reference_warning(&metrics(Some(0.0), Some(-0.0))), None);
        assert_eq!(reference_warning(&metrics(Some(1e-3), None)), None);
        assert_eq!(reference_warning(&metrics(None, None)), None, "no rewards");
    }

    #[test]
    fn another_model_is_named_by_the_reward_that_is_furthest_off() {
        let warning = reference_warning(&metrics(Some(3.494), Some(-2.0))).unwrap();
        assert!(
            warning.starts_with("rewards at step 0 are 3.49, not 0: the reference is not"),
            "{warning}"
        );
        let warning = reference_warning(&metrics(None, Some(-0.5))).unwrap();
        assert!(warning.contains("-0.50"), "{warning}");
        assert!(reference_warning(&metrics(Some(f64::NAN), None)).is_none());
    }
}
