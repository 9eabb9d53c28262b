//! Numbers that overflowed end a run: nothing that holds them is saved as a result.

use crate::error::Error;
use crate::train::metrics::Metrics;
use crate::train::run::blame::Blamed;
use crate::train::run::step::StepReport;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{FloatDType, Tensor};

const REMEDY: &str = "a smaller learning rate may help, in a run and a folder of its own: one that \
    is resumed keeps its settings";
/// Before the first step no learning rate is to blame.
const BEFORE: &str = "are all weights of the model and the reference finite?";

const SOME: &str = "all others are finite, so look at those";

/// The error that says `what` is not finite, of which examples, and what may help.
fn not_finite(step: usize, what: &str, blamed: &Blamed) -> Error {
    let remedy = match step {
        0 if blamed.are_some() => SOME,
        0 => BEFORE,
        _ => REMEDY,
    };
    blamed.error(step, what, remedy)
}

/// Refuses a step whose loss or gradient is not finite; `blamed` says which examples it had.
pub(super) fn check_report(
    step: usize,
    report: &StepReport,
    blamed: impl FnOnce() -> Blamed,
) -> Result<(), Error> {
    let (loss, norm) = (report.metrics.get("loss"), report.grad_norm);
    match loss {
        Some(loss) if !loss.is_finite() => {
            Err(not_finite(step, &format!("the loss is {loss}"), &blamed()))
        }
        _ if norm.is_finite() => Ok(()),
        _ => {
            let what = format!("the norm of the gradient is {norm}");
            Err(not_finite(step, &what, &blamed()))
        }
    }
}

/// Refuses held-out metrics whose loss is not finite; `blamed` says of which examples.
pub(super) fn check_held_out(
    step: usize,
    metrics: &Metrics,
    blamed: impl FnOnce() -> Blamed,
) -> Result<(), Error> {
    match metrics.get("loss") {
        Some(loss) if !loss.is_finite() => {
            let what = format!("the held-out loss is {loss}");
            Err(not_finite(step, &what, &blamed()))
        }
        _ => Ok(()),
    }
}

/// Refuses weights of which one is not finite.
pub(super) fn check_weights<M: Module>(step: usize, policy: &M) -> Result<(), Error> {
    /// For each parameter 0, or NaN where a value of it is not finite: x − x is 0 otherwise.
    struct Differences(Vec<Tensor<1>>);
    impl ModuleVisitor for Differences {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().without_autodiff();
            let zeros = values.clone() - values;
            self.0.push(zeros.sum().cast(FloatDType::F32));
        }
    }
    let mut differences = Differences(Vec::new());
    policy.visit(&mut differences);
    if differences.0.is_empty() || Tensor::cat(differences.0, 0).sum().into_scalar::<f32>() == 0.0 {
        return Ok(());
    }
    let message = format!("a weight of the policy is no longer finite; {REMEDY}");
    Err(Error::Training { step, message })
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    #[test]
    fn weights_that_overflowed_are_refused() {
        let linear = LinearConfig::new(2, 3).init(&Device::flex());
        assert!(check_weights(7, &linear).is_ok());
        for bad in [f32::NAN, f32::INFINITY] {
            let mut linear = linear.clone();
            linear.weight = linear
                .weight
                .map(|weight| weight.slice_fill([0..1, 1..2], bad));
            let error = check_weights(7, &linear).unwrap_err().to_string();
            assert!(
                error.starts_with("step 7: a weight of the policy is no longer"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_loss_that_is_not_a_number_is_named() {
        let mut metrics = Metrics::default();
        assert!(check_held_out(0, &metrics, Blamed::default).is_ok());
        metrics.add("loss", f64::NAN, 1.0);
        let error = check_held_out(2, &metrics, Blamed::default)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("step 2: the held-out loss is NaN; a smaller learning rate may"),
            "{error}"
        );
        let error = check_held_out(0, &metrics, Blamed::default)
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("weights of the model and the reference finite?"),
            "{error}"
        );
    }
}
