//! What a run leaves.

use crate::train::metrics::Metrics;
use crate::train::run::step::StepReport;

/// What a run leaves.
///
/// ```no_run
/// # use burn_kto::prelude::*;
/// # fn shown(run: Run<Llama>) -> Result<(), Error> {
/// for (step, metrics) in &run.evaluations {
///     println!("after step {step}: held-out loss {:?}", metrics.get("loss"));
/// }
/// if run.interrupted {
///     println!("stopped after step {}", run.steps);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Run<M> {
    /// The trained model, on its autodiff device; `policy.valid()` for use.
    pub policy: M,
    /// Optimizer steps finished, those before a resumed run included.
    pub steps: usize,
    /// Whether it was asked to stop before the end.
    pub interrupted: bool,
    /// The last step's report; `None` if this call took no step.
    pub last: Option<StepReport>,
    /// Held-out metrics and the step they were taken after, in order; 0 is before the first. Those
    /// of this call only, where it went on from a checkpoint.
    pub evaluations: Vec<(usize, Metrics)>,
}
