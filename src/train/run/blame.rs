//! Which examples a loss that is not finite came from.

use crate::train::metrics::{LossOutput, Metrics};
use crate::train::objective::Objective;
use burn::module::Module;

/// Rows that are named at most.
const NAMED: usize = 8;

/// What a row of a step comes to by itself.
struct Row {
    /// Its index in the training data.
    index: usize,
    loss: f64,
    /// How many of its metrics are not finite: what it has of the others is in few of them.
    bad: usize,
}

/// The rows of a step whose loss or gradient is not finite, the worst first, in words; `batches`
/// holds each of them by itself. Only the rows where a batcher makes other batches than that.
pub(super) fn rows_of<M, R, L>(
    policy: &M,
    reference: &R,
    objective: &L,
    mut batches: Vec<L::Batch>,
    indices: &[usize],
) -> String
where
    M: Module,
    L: Objective<M, R>,
    L::Output: LossOutput,
{
    let policy = policy.valid();
    objective.prepare(&policy, reference, &mut batches);
    if batches.len() != indices.len() {
        return listed(indices.iter().map(|index| index.to_string()), indices.len());
    }
    let row = |(batch, index): (L::Batch, &usize)| {
        let mut metrics = Metrics::default();
        metrics.add_output(&objective.evaluate(&policy, reference, batch), 1.0);
        Row {
            index: *index,
            loss: metrics.get("loss").unwrap_or_default(),
            bad: metrics
                .means()
                .values()
                .filter(|mean| !mean.is_finite())
                .count(),
        }
    };
    let mut rows: Vec<Row> = batches.into_iter().zip(indices).map(row).collect();
    rows.sort_by(|a, b| b.bad.cmp(&a.bad).then(b.loss.total_cmp(&a.loss)));
    let shown = rows
        .iter()
        .map(|row| format!("{} (loss {:.4})", row.index, row.loss));
    listed(shown, rows.len())
}

fn listed(rows: impl Iterator<Item = String>, all: usize) -> String {
    let mut named: Vec<String> = rows.take(NAMED).collect();
    if all > NAMED {
        named.push("..".into());
    }
    let named = named.join(", ");
    format!("its {all} training examples, the worst first, counted from 0: {named}; ")
}
