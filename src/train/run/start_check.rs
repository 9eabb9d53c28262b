//! Whether the reference is the policy that training starts from.

use crate::train::objective::{Fingerprint, agree};

/// What to say of what the models said of a few rows before the first step, where rewards are
/// relative to the reference.
pub(super) fn reference_warning(models: &Fingerprint) -> Option<String> {
    if agree(&models.policy, &models.reference) {
        return None;
    }
    let rows = models.policy.iter().zip(&models.reference);
    let ratios = rows.map(|(policy, reference)| policy - reference);
    let furthest = ratios.max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    // What is not finite is refused elsewhere, by another name.
    furthest.is_finite().then(|| {
        format!(
            "rewards at step 0 are not 0, log π − log π_ref of a completion is {furthest:.2}: the \
             reference is not the policy that training starts from; make it of that policy, before \
             training: Frozen::new(&policy)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(policy: &[f64], reference: &[f64]) -> Fingerprint {
        Fingerprint {
            policy: policy.into(),
            reference: reference.into(),
        }
    }

    #[test]
    fn the_policy_itself_gives_no_warning() {
        assert_eq!(
            reference_warning(&models(&[-40.0, -1.0], &[-40.0, -1.0])),
            None
        );
        assert_eq!(
            reference_warning(&models(&[-40.0], &[-40.01])),
            None,
            "rounding"
        );
        assert_eq!(
            reference_warning(&models(&[-40.0], &[])),
            None,
            "none is looked at"
        );
        assert_eq!(reference_warning(&models(&[f64::NAN], &[-1.0])), None);
    }

    #[test]
    fn another_model_is_named_by_the_row_that_is_furthest_off() {
        let warning = reference_warning(&models(&[-40.0, -8.0, -9.0], &[-40.0, -9.0, -5.5]));
        assert!(
            warning
                .unwrap()
                .contains("of a completion is -3.50: the reference is not")
        );
    }
}
