//! One optimizer step.

use crate::train::metrics::{LossOutput, Metrics};
use crate::train::objective::Objective;
use crate::train::run::optimizer::Optimizer;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;

/// Report of one optimizer step.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Means pooled over the micro-batches, before the update.
    pub metrics: Metrics,
    /// Norm of the gradient over all parameters, before clipping.
    pub grad_norm: f64,
    /// Tokens that the policy read with a gradient.
    pub tokens: usize,
}

/// One optimizer step over the micro-batches of `window`.
///
/// The gradient is that of the mean over everything in the window, whatever the sizes of the
/// micro-batches: each loss is scaled by its share of the total [weight](Objective::weight). Only
/// what a loss itself takes from a whole batch depends on them: the sorting of `Aot`, z0 in the
/// scope of a micro-batch, this step's part in BCO's δ, and the margins of β-DPO. After the step
/// the objective [observes](Objective::observe) what is reported. Where the loss or the gradient is
/// not finite, the policy comes back unchanged and the report shows it.
///
/// # Panics
///
/// If the window is empty, or a trainable parameter gets no gradient because the policy is not on
/// an autodiff device: call [`Module::train`] first.
pub fn train_step<M, R, L>(
    objective: &mut L,
    policy: M,
    reference: &R,
    mut window: Vec<L::Batch>,
    optimizer: &mut Optimizer,
    learning_rate: f64,
) -> (M, StepReport)
where
    M: Module,
    L: Objective<M, R>,
    L::Output: LossOutput,
{
    assert!(
        !window.is_empty(),
        "a step needs at least one batch, got none"
    );
    objective.prepare(&policy, reference, &mut window);
    let weights: Vec<f64> = window.iter().map(|batch| objective.weight(batch)).collect();
    let total: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let mut metrics = Metrics::default();
    let mut tokens = 0;
    let mut gradients = GradientsAccumulator::new();
    for (batch, weight) in window.into_iter().zip(weights) {
        tokens += objective.tokens(&batch);
        for (name, sum, count) in objective.facts(&batch) {
            metrics.add(name, sum, count);
        }
        let output = objective.evaluate(&policy, reference, batch);
        metrics.add_output(&output, weight);
        let loss = output.loss();
        assert!(
            loss.is_autodiff(),
            "the policy is not on an autodiff device; call policy.train() first"
        );
        let grads = loss.mul_scalar(weight / total).backward();
        gradients.accumulate(&policy, GradientsParams::from_grads(grads, &policy));
    }
    let gradients = gradients.grads();
    let finite = metrics.get("loss").is_none_or(f64::is_finite);
    let (policy, grad_norm) = if finite {
        optimizer.step(learning_rate, policy, gradients)
    } else {
        (policy, f64::NAN)
    };
    if grad_norm.is_finite() {
        objective.observe(&metrics);
    }
    let report = StepReport {
        metrics,
        grad_norm,
        tokens,
    };
    (policy, report)
}

/// Number of parameters that ask for a gradient.
pub(in crate::train) fn num_trainable<M: Module>(module: &M) -> usize {
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += usize::from(param.is_require_grad());
        }
    }
    let mut count = Count(0);
    module.visit(&mut count);
    count.0
}
