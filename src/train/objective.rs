//! A loss together with the passes through the models that it needs.

use crate::data::{BinaryBatch, PreferenceBatch};
use crate::kl::{KlEstimatorConfig, KlScope};
use crate::loss::{BinaryOutput, DpoLoss, KtoLoss, Pair, PreferenceOutput, SftLoss, SftOutput};
use crate::model::CausalLm;
use crate::reference::Reference;
use crate::sequence::Sequences;
use burn::tensor::Tensor;

/// A loss that can be computed from a batch. Implemented by the losses.
///
/// | objective | passes with gradient | passes without |
/// |---|---|---|
/// | [`KtoLoss`] | completions | reference on completions; policy and reference on mismatched pairs |
/// | [`DpoLoss`] | chosen, rejected | reference on both |
/// | [`SftLoss`] | completions | |
pub trait Objective<M, R> {
    /// What one pass works on.
    type Batch;
    /// What comes out.
    type Output;

    /// The loss of a batch, differentiable in the policy only.
    fn evaluate(&self, policy: &M, reference: &R, batch: Self::Batch) -> Self::Output;

    /// Called once an optimizer step with all of its micro-batches, before any of them is evaluated.
    ///
    /// For what is estimated over the whole step. Does nothing by default.
    fn prepare(&self, policy: &M, reference: &R, window: &mut [Self::Batch]) {
        let _ = (policy, reference, window);
    }

    /// What a batch counts in the mean over an optimizer step: its examples, or its scored tokens. 1 by default.
    fn weight(&self, batch: &Self::Batch) -> f64 {
        let _ = batch;
        1.0
    }

    /// Tokens that the policy reads with a gradient, to report the speed. 0 by default.
    fn tokens(&self, batch: &Self::Batch) -> usize {
        let _ = batch;
        0
    }
}

impl<M: CausalLm, R: Reference<M>> Objective<M, R> for KtoLoss {
    type Batch = BinaryBatch;
    type Output = BinaryOutput;

    /// z0 is `batch.kl` if it is there, else the estimate from `batch.mismatched`.
    fn evaluate(&self, policy: &M, reference: &R, batch: BinaryBatch) -> BinaryOutput {
        let kl = batch
            .kl
            .clone()
            .unwrap_or_else(|| reference_point(self, policy, reference, [&batch.mismatched]));
        self.forward(
            policy.log_probs(&batch.completions),
            reference.log_probs(policy, &batch.completions),
            batch.desirable,
            kl,
        )
    }

    /// Estimates z0 over all micro-batches, unless the scope is the micro-batch or z0 is given.
    fn prepare(&self, policy: &M, reference: &R, window: &mut [BinaryBatch]) {
        let given = window.iter().any(|batch| batch.kl.is_some());
        if given || window.len() < 2 || self.config().kl.scope == KlScope::MicroBatch {
            return;
        }
        let mismatched = window.iter().map(|batch| &batch.mismatched);
        let kl = reference_point(self, policy, reference, mismatched);
        for batch in window {
            batch.kl = Some(kl.clone());
        }
    }

    fn weight(&self, batch: &BinaryBatch) -> f64 {
        batch.completions.dims()[0] as f64
    }

    fn tokens(&self, batch: &BinaryBatch) -> usize {
        batch.completions.num_tokens()
    }
}

/// z0 from mismatched pairs, without any graph. Without a reference model the mean of log π is itself the point, and not clamped.
fn reference_point<'a, M: CausalLm, R: Reference<M>>(
    loss: &KtoLoss,
    policy: &M,
    reference: &R,
    mismatched: impl IntoIterator<Item = &'a Sequences>,
) -> Tensor<1> {
    let frozen = policy.valid();
    let (mut of_policy, mut of_reference) = (Vec::new(), Vec::new());
    for sequences in mismatched {
        of_policy.push(frozen.log_probs(&sequences.without_autodiff()));
        of_reference.push(reference.log_probs(policy, sequences));
    }
    let config = KlEstimatorConfig {
        clamp: loss.config().kl.clamp && !R::FREE,
        ..loss.config().kl.clone()
    };
    let estimator = config.init();
    estimator.estimate(Tensor::cat(of_policy, 0), Tensor::cat(of_reference, 0))
}

impl<M: CausalLm, R: Reference<M>> Objective<M, R> for DpoLoss {
    type Batch = PreferenceBatch;
    type Output = PreferenceOutput;

    fn evaluate(&self, policy: &M, reference: &R, batch: PreferenceBatch) -> PreferenceOutput {
        let PreferenceBatch {
            chosen, rejected, ..
        } = batch;
        self.forward_with_lengths(
            Pair::new(policy.log_probs(&chosen), policy.log_probs(&rejected)),
            Pair::new(
                reference.log_probs(policy, &chosen),
                reference.log_probs(policy, &rejected),
            ),
            Pair::new(lengths(&chosen), lengths(&rejected)),
        )
    }

    fn weight(&self, batch: &PreferenceBatch) -> f64 {
        batch.chosen.dims()[0] as f64
    }

    fn tokens(&self, batch: &PreferenceBatch) -> usize {
        batch.chosen.num_tokens() + batch.rejected.num_tokens()
    }
}

/// Scored tokens of each row, `[batch]`.
fn lengths(sequences: &Sequences) -> Tensor<1> {
    let mask = sequences.target_mask().without_autodiff();
    mask.float().sum_dim(1).squeeze_dim::<1>(1)
}

impl<M: CausalLm, R> Objective<M, R> for SftLoss {
    type Batch = Sequences;
    type Output = SftOutput;

    /// The reference is not looked at.
    fn evaluate(&self, policy: &M, _reference: &R, batch: Sequences) -> SftOutput {
        self.forward(policy.token_log_probs(&batch), batch.target_mask())
    }

    fn weight(&self, batch: &Sequences) -> f64 {
        batch.num_scored() as f64
    }

    fn tokens(&self, batch: &Sequences) -> usize {
        batch.num_tokens()
    }
}
