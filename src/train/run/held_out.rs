//! Metrics of a policy on held-out examples.

use crate::data::Batcher;
use crate::error::Error;
use crate::train::metrics::{LossOutput, Metrics};
use crate::train::objective::Objective;
use crate::train::run::blame::{self, Blamed};
use crate::train::run::config::TrainerConfig;
use crate::train::run::draws;
use burn::module::Module;
use burn::tensor::Device;

/// Means over `examples`, as a step of training takes them, without a gradient.
pub(super) fn evaluate<M, R, L, B>(
    config: &TrainerConfig,
    policy: &M,
    reference: &R,
    objective: &L,
    batcher: &B,
    examples: &[B::Example],
    device: &Device,
) -> Result<Metrics, Error>
where
    M: Module,
    B: Batcher,
    L: Objective<M, R, Batch = B::Batch>,
    L::Output: LossOutput,
{
    let policy = policy.valid();
    let mut metrics = Metrics::default();
    let indices: Vec<usize> = (0..examples.len()).collect();
    for (batch, indices) in indices.chunks(config.batch_size).enumerate() {
        let mut rng = draws::of_evaluation(config.seed, batch);
        let size = config.micro_batch_size;
        let window = batcher.window(examples, indices, size, &mut rng, device);
        let mut window = window.map_err(of_held_out)?;
        for batch in &window {
            objective
                .check(&policy, reference, batch)
                .map_err(of_held_out)?;
        }
        objective.prepare(&policy, reference, &mut window);
        for batch in window {
            let weight = objective.weight(&batch);
            for (name, sum, count) in objective.facts(&batch) {
                metrics.add(name, sum, count);
            }
            let output = objective.evaluate(&policy, reference, batch);
            metrics.add_output(&output, weight);
        }
    }
    Ok(metrics)
}

/// The examples that [`evaluate`] saw, up to the first batch with one whose loss is not finite.
pub(super) fn blamed<M, R, L, B>(
    config: &TrainerConfig,
    policy: &M,
    reference: &R,
    objective: &L,
    batcher: &B,
    examples: &[B::Example],
    device: &Device,
) -> Blamed
where
    M: Module,
    B: Batcher,
    L: Objective<M, R, Batch = B::Batch>,
    L::Output: LossOutput,
{
    let indices: Vec<usize> = (0..examples.len()).collect();
    let mut rows = Vec::new();
    for (batch, indices) in indices.chunks(config.batch_size).enumerate() {
        let mut rng = draws::of_evaluation(config.seed, batch);
        if let Ok(window) = batcher.window(examples, indices, 1, &mut rng, device) {
            let of_batch = blame::rows(policy, reference, objective, window, indices);
            let is_found = of_batch.iter().any(blame::Row::is_bad);
            rows.extend(of_batch);
            if is_found {
                break;
            }
        }
    }
    Blamed::new(rows, true)
}

/// An error of held-out examples says that it is of them.
fn of_held_out(error: Error) -> Error {
    let of = |message| format!("held-out examples: {message}");
    match error {
        Error::Dataset { message } => Error::Dataset {
            message: of(message),
        },
        Error::Usage { message } => Error::Usage {
            message: of(message),
        },
        other => other,
    }
}
