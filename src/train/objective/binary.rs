//! Losses on single completions with thumbs.

use super::fingerprint::check_models;
use super::forward::forward_objective;
use super::state::{restored, saved};
use super::{Fingerprint, Objective};
use crate::data::BinaryBatch;
use crate::error::Error;
use crate::kl::{KlEstimator, KlScope};
use crate::loss::{BcoLoss, BinaryOutput, KtoLoss, RewardsSeen, TokenLevel, Tokens};
use crate::model::CausalLm;
use crate::reference::{Reference, TokenReference};
use crate::sequence::Sequences;
use crate::train::metrics::Metrics;
use burn::tensor::{DType, Tensor};
use serde_json::Value;

const FIXED_FREE: &str = "a fixed z0 needs a reference: without one r is log π itself, and only its \
                          mean over mismatched pairs is a point to compare it with";
const NO_PAIRS: &str = "z0 is estimated from mismatched pairs, and the batch has none: let the \
                        batcher make them, or fix z0";
const ONE_RANK: &str = "gradients are not summed over ranks: each would train a model of its own; \
                        train with one rank";
pub(super) const UNBOUNDED: &str = "bounds on log-ratios need a reference: without one they bound \
                                    the log-probabilities themselves";

impl<M: CausalLm, R: Reference<M>> Objective<M, R> for KtoLoss {
    type Batch = BinaryBatch;
    type Output = BinaryOutput;

    /// z0 is `batch.kl` if it is there, else the estimate from `batch.mismatched`.
    fn evaluate(&self, policy: &M, reference: &R, batch: BinaryBatch) -> BinaryOutput {
        let batch = ready(self.estimator(), R::FREE, batch, |mismatched| {
            pairs(policy, reference, mismatched)
        });
        let of_policy = policy.log_probs(&batch.completions);
        let of_reference = reference.log_probs(policy, &batch.completions);
        finish(self, batch, of_policy, of_reference)
    }

    fn check(&self, policy: &M, reference: &R, batch: &BinaryBatch) -> Result<(), Error> {
        check_models(policy, Some(reference), &batch.completions)?;
        let estimator = self.estimator();
        let refused = |message: &str| {
            Err(Error::Usage {
                message: message.into(),
            })
        };
        if estimator.num_ranks() > 1 {
            return refused(ONE_RANK);
        }
        let fixed = matches!(estimator.config().scope, KlScope::Fixed { .. });
        if batch.kl.is_some() {
            return Ok(());
        }
        if fixed {
            return if R::FREE { refused(FIXED_FREE) } else { Ok(()) };
        }
        if batch.mismatched.dims()[0] == 0 {
            return refused(NO_PAIRS);
        }
        check_models(policy, Some(reference), &batch.mismatched)
    }

    fn fingerprint(&self, policy: &M, reference: &R, batch: &BinaryBatch) -> Fingerprint {
        Fingerprint::of(policy, Some(reference), &batch.completions)
    }

    /// Estimates z0 over all micro-batches, unless the scope is the micro-batch or z0 is given.
    fn prepare(&self, policy: &M, reference: &R, window: &mut [BinaryBatch]) {
        pool(self.estimator(), R::FREE, window, |mismatched| {
            pairs(policy, reference, mismatched)
        });
    }

    fn weight(&self, batch: &BinaryBatch) -> f64 {
        batch.completions.dims()[0] as f64
    }

    fn tokens(&self, batch: &BinaryBatch) -> usize {
        batch.completions.num_tokens()
    }

    /// `kl/matched_fraction`, which must be 0: of the mismatched pairs, how many have a completion
    /// of their own prompt.
    fn facts(&self, batch: &BinaryBatch) -> Vec<(&'static str, f64, f64)> {
        let [pairs, _] = batch.mismatched.dims();
        let matched = batch.matched_pairs.into_iter();
        matched
            .map(|matched| ("kl/matched_fraction", matched as f64, pairs as f64))
            .collect()
    }

    fn relative_rewards(&self) -> bool {
        true
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }

    fn observe(&mut self, metrics: &Metrics) {
        if let Some(raw) = metrics.get("kl/raw") {
            self.estimator_mut().observe(raw);
        }
    }

    fn state(&self) -> Value {
        saved(self.estimator().average())
    }

    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        let average: Option<f64> = restored(state)?;
        let estimator = self.estimator_mut();
        *estimator = estimator.clone().with_average(average);
        Ok(())
    }
}

/// Bounds each token's log-ratio, those of the mismatched pairs too.
impl<M: CausalLm, R: TokenReference<M>> Objective<M, R> for TokenLevel<KtoLoss> {
    type Batch = BinaryBatch;
    type Output = BinaryOutput;

    fn evaluate(&self, policy: &M, reference: &R, batch: BinaryBatch) -> BinaryOutput {
        let loss = self.loss();
        let batch = ready(loss.estimator(), R::FREE, batch, |mismatched| {
            self.log_probs(frozen_tokens(policy, reference, mismatched))
        });
        assert!(!R::FREE, "{UNBOUNDED}");
        let completions = tokens(policy, policy, reference, &batch.completions);
        let (of_policy, of_reference) = self.log_probs(completions);
        finish(loss, batch, of_policy, of_reference)
    }

    fn prepare(&self, policy: &M, reference: &R, window: &mut [BinaryBatch]) {
        pool(self.loss().estimator(), R::FREE, window, |mismatched| {
            self.log_probs(frozen_tokens(policy, reference, mismatched))
        });
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }

    fn check(&self, policy: &M, reference: &R, batch: &BinaryBatch) -> Result<(), Error> {
        if R::FREE {
            return Err(Error::Usage {
                message: UNBOUNDED.into(),
            });
        }
        self.loss().check(policy, reference, batch)
    }

    forward_objective! {
        this => (this.loss(), this.loss_mut()), except evaluate check prepare identity
    }
}

/// The mismatched pairs are not looked at.
impl<M: CausalLm, R: Reference<M>> Objective<M, R> for BcoLoss {
    type Batch = BinaryBatch;
    type Output = BinaryOutput;

    fn evaluate(&self, policy: &M, reference: &R, batch: BinaryBatch) -> BinaryOutput {
        let of_policy = policy.log_probs(&batch.completions);
        let of_reference = reference.log_probs(policy, &batch.completions);
        let desirable = batch.desirable;
        match batch.weights {
            Some(weights) => self.forward_weighted(of_policy, of_reference, desirable, weights),
            None => self.forward(of_policy, of_reference, desirable),
        }
    }

    fn check(&self, policy: &M, reference: &R, batch: &BinaryBatch) -> Result<(), Error> {
        check_models(policy, Some(reference), &batch.completions)
    }

    fn fingerprint(&self, policy: &M, reference: &R, batch: &BinaryBatch) -> Fingerprint {
        Fingerprint::of(policy, Some(reference), &batch.completions)
    }

    fn weight(&self, batch: &BinaryBatch) -> f64 {
        batch.completions.dims()[0] as f64
    }

    fn tokens(&self, batch: &BinaryBatch) -> usize {
        batch.completions.num_tokens()
    }

    fn relative_rewards(&self) -> bool {
        true
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }

    fn observe(&mut self, metrics: &Metrics) {
        let of = |name| metrics.sum(name).unwrap_or_default();
        self.observe(RewardsSeen {
            desirable: of("rewards/chosen"),
            undesirable: of("rewards/rejected"),
        });
    }

    fn state(&self) -> Value {
        saved(self.seen())
    }

    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        *self = self.clone().with_seen(restored(state)?);
        Ok(())
    }
}

fn finish(
    loss: &KtoLoss,
    batch: BinaryBatch,
    policy: Tensor<1>,
    reference: Tensor<1>,
) -> BinaryOutput {
    let kl = batch.kl.expect("ready sets it");
    let mut output = loss.run(policy, reference, batch.desirable, kl, batch.weights);
    output.mismatched = batch.kl_from;
    output
}

/// log π and log π_ref of sequences, without any graph.
fn pairs<M: CausalLm, R: Reference<M>>(
    policy: &M,
    reference: &R,
    sequences: &Sequences,
) -> (Tensor<1>, Tensor<1>) {
    let of_policy = policy.valid().log_probs(&sequences.without_autodiff());
    (of_policy, reference.log_probs(policy, sequences))
}

/// Tokens of `model`, and of the reference of `policy`.
fn tokens<M: CausalLm, R: TokenReference<M>>(
    model: &M,
    policy: &M,
    reference: &R,
    sequences: &Sequences,
) -> Tokens {
    Tokens::new(
        model.token_log_probs(sequences),
        reference.token_log_probs(policy, sequences),
        sequences.target_mask(),
    )
}

fn frozen_tokens<M: CausalLm, R: TokenReference<M>>(
    policy: &M,
    reference: &R,
    sequences: &Sequences,
) -> Tokens {
    let sequences = sequences.without_autodiff();
    tokens(&policy.valid(), policy, reference, &sequences)
}

/// The batch with z0, estimated from its own pairs if it has none yet.
fn ready(
    estimator: &KlEstimator,
    free: bool,
    mut batch: BinaryBatch,
    log_probs: impl Fn(&Sequences) -> (Tensor<1>, Tensor<1>),
) -> BinaryBatch {
    if batch.kl.is_none() {
        estimate(estimator, free, std::slice::from_mut(&mut batch), log_probs);
    }
    batch
}

/// One z0 for all micro-batches of a step.
fn pool(
    estimator: &KlEstimator,
    free: bool,
    window: &mut [BinaryBatch],
    log_probs: impl Fn(&Sequences) -> (Tensor<1>, Tensor<1>),
) {
    let given = window.iter().any(|batch| batch.kl.is_some());
    if !given && window.len() > 1 && estimator.config().scope != KlScope::MicroBatch {
        estimate(estimator, free, window, log_probs);
    }
}

/// Gives a window its z0. Without a reference model the mean of log π is itself the point, and not
/// clamped.
fn estimate(
    estimator: &KlEstimator,
    free: bool,
    window: &mut [BinaryBatch],
    log_probs: impl Fn(&Sequences) -> (Tensor<1>, Tensor<1>),
) {
    if let KlScope::Fixed { value } = estimator.config().scope {
        assert!(!free, "{FIXED_FREE}");
        for batch in window {
            let device = batch.completions.tokens.device().inner();
            batch.kl = Some(Tensor::full([1], value, (&device, DType::F32)));
        }
        return;
    }
    let (mut policy, mut reference) = (Vec::new(), Vec::new());
    for batch in &*window {
        let (of_policy, of_reference) = log_probs(&batch.mismatched);
        policy.push(of_policy);
        reference.push(of_reference);
    }
    let (policy, reference) = (Tensor::cat(policy, 0), Tensor::cat(reference, 0));
    let (kl, from) = if free {
        estimator.unclamped().estimate_from(policy, reference)
    } else {
        estimator.estimate_from(policy, reference)
    };
    for batch in &mut *window {
        batch.kl = Some(kl.clone());
    }
    // Reported once a step, so that what is pooled from it counts each pair once.
    window[0].kl_from = Some(from);
}
