//! By what a checkpoint knows the models of its run.

use crate::error::Error;
use crate::model::CausalLm;
use crate::reference::Reference;
use crate::sequence::Sequences;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What policy and reference say of the same few rows, in nats. Empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Of the policy.
    pub policy: Vec<f64>,
    /// Of the reference; empty for an objective that does not look at it.
    pub reference: Vec<f64>,
}

impl Fingerprint {
    /// Log-probabilities of rows, by the policy and by the reference where it is asked.
    pub(super) fn of<M: CausalLm, R: Reference<M>>(
        policy: &M,
        reference: Option<&R>,
        sequences: &Sequences,
    ) -> Self {
        let sequences = sequences.without_autodiff();
        let of_reference = reference.map(|reference| reference.log_probs(policy, &sequences));
        Self {
            policy: values(policy.valid().log_probs(&sequences)),
            reference: of_reference.map(values).unwrap_or_default(),
        }
    }
}

/// Whether policy and reference, where it is asked, can read some sequences.
pub(super) fn check_models<M: CausalLm, R: Reference<M>>(
    policy: &M,
    reference: Option<&R>,
    sequences: &Sequences,
) -> Result<(), Error> {
    if let Some(row) = sequences.unscored() {
        let message =
            format!("row {row} of the batch has no scored token: is its completion empty?");
        return Err(Error::Usage { message });
    }
    policy.check(sequences)?;
    reference.map_or(Ok(()), |reference| reference.check(policy, sequences))
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// How far models that are one may be apart in the mean: half precision rounds a token by up to
/// some hundredths of a nat, on each device in its own way.
#[cfg(feature = "train")]
const NATS: f64 = 0.05;
/// The same, as a share of what they say.
#[cfg(feature = "train")]
const SHARE: f64 = 2e-3;

/// Whether two models say the same, but for the rounding of another device.
#[cfg(feature = "train")]
pub(in crate::train) fn agree(ours: &[f64], theirs: &[f64]) -> bool {
    let rows = || ours.iter().zip(theirs);
    let n = rows().count();
    // Of nothing nothing can be said.
    if n == 0 || rows().any(|(a, b)| !a.is_finite() && !b.is_finite()) {
        return true;
    }
    let mean = |of: fn((&f64, &f64)) -> f64| rows().map(of).sum::<f64>() / n as f64;
    let (apart, size) = (mean(|(a, b)| (a - b).abs()), mean(|(_, b)| b.abs()));
    apart <= NATS + SHARE * size
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;

    #[test]
    fn models_agree_up_to_rounding() {
        assert!(agree(&[-40.0, -1.0], &[-40.1, -1.02]));
        assert!(!agree(&[-40.0, -1.0], &[-40.0, -1.3]));
        assert!(!agree(&[-40.0], &[f64::NAN]));
        assert!(agree(&[f64::NAN], &[f64::NAN]));
        assert!(agree(&[], &[-1.0]) && agree(&[-1.0], &[]));
    }
}
