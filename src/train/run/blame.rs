//! Which examples a loss that is not finite came from.

use crate::error::Error;
use crate::train::metrics::{LossOutput, Metrics};
use crate::train::objective::Objective;
use burn::module::Module;

/// Rows that are named at most.
const NAMED: usize = 8;

/// What an example comes to by itself.
pub(super) struct Row {
    /// Its index among those that it is one of.
    index: usize,
    /// `None` where the batcher makes other batches than one an example.
    loss: Option<f64>,
    /// How many of its metrics are not finite: of what it got from others only few are.
    bad: usize,
}

impl Row {
    /// Whether its loss is not finite.
    pub(super) fn is_bad(&self) -> bool {
        self.loss.is_some_and(|loss| !loss.is_finite())
    }
}

/// What each of the examples `indices` comes to; `batches` holds them one by one.
pub(super) fn rows<M, R, L>(
    policy: &M,
    reference: &R,
    objective: &L,
    mut batches: Vec<L::Batch>,
    indices: &[usize],
) -> Vec<Row>
where
    M: Module,
    L: Objective<M, R>,
    L::Output: LossOutput,
{
    let policy = policy.valid();
    objective.prepare(&policy, reference, &mut batches);
    if batches.len() != indices.len() {
        let unknown = |&index| Row {
            index,
            loss: None,
            bad: 0,
        };
        return indices.iter().map(unknown).collect();
    }
    let row = |(batch, &index)| {
        let mut metrics = Metrics::default();
        metrics.add_output(&objective.evaluate(&policy, reference, batch), 1.0);
        let bad = |mean: &&f64| !mean.is_finite();
        Row {
            index,
            loss: metrics.get("loss"),
            bad: metrics.means().values().filter(bad).count(),
        }
    };
    batches.into_iter().zip(indices).map(row).collect()
}

/// The examples that something not finite came from.
#[derive(Default)]
pub(super) struct Blamed {
    /// The worst first.
    rows: Vec<Row>,
    held_out: bool,
}

impl Blamed {
    pub(super) fn new(mut rows: Vec<Row>, held_out: bool) -> Self {
        let loss = |row: &Row| row.loss.unwrap_or(f64::NEG_INFINITY);
        rows.sort_by(|a, b| b.bad.cmp(&a.bad).then(loss(b).total_cmp(&loss(a))));
        Self { rows, held_out }
    }

    /// Whether the loss of some of them is not finite, and that of others is.
    pub(super) fn are_some(&self) -> bool {
        let is_finite = |row: &Row| row.loss.is_some_and(f64::is_finite);
        let finite = self.rows.iter().filter(|row| is_finite(row)).count();
        finite > 0 && finite < self.rows.len()
    }

    /// The error that says `what` is not finite, and what may help.
    pub(super) fn error(&self, step: usize, what: &str, remedy: &str) -> Error {
        Error::NotFinite {
            step,
            message: format!("{what}; {}{remedy}", self.words()),
            examples: self.rows.iter().map(|row| row.index).collect(),
            held_out: self.held_out,
        }
    }

    fn words(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let shown = self.rows.iter().take(NAMED).map(|row| match row.loss {
            Some(loss) => format!("{} (loss {loss:.4})", row.index),
            None => row.index.to_string(),
        });
        let mut named: Vec<String> = shown.collect();
        if self.rows.len() > NAMED {
            named.push("..".into());
        }
        let which = match self.held_out {
            true => "held-out",
            false => "training",
        };
        let (all, named) = (self.rows.len(), named.join(", "));
        format!("of {all} {which} examples, counted from 0, the worst are {named}; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_itself_comes_before_those_that_it_spoilt() {
        let row = |index, loss, bad| Row { index, loss, bad };
        let rows = vec![
            row(3, Some(0.5), 0),
            row(1, Some(f64::NAN), 2),
            row(9, Some(f64::NAN), 7),
            row(4, Some(2.0), 0),
        ];
        let blamed = Blamed::new(rows, false);
        assert!(blamed.are_some());
        let error = blamed.error(2, "the loss is NaN", "so it is");
        let expected = "step 2: the loss is NaN; of 4 training examples, counted from 0, the worst \
            are 9 (loss NaN), 1 (loss NaN), 4 (loss 2.0000), 3 (loss 0.5000); so it is";
        assert_eq!(error.to_string(), expected);
        assert!(
            matches!(error, Error::NotFinite { examples, held_out: false, .. }
                if examples == [9, 1, 4, 3])
        );
        let unknown = (0..9).map(|index| row(index, None, 0)).collect();
        let expected = "of 9 held-out examples, counted from 0, the worst are 0, 1, 2, 3, 4, 5, \
            6, 7, ..; ";
        let blamed = Blamed::new(unknown, true);
        assert!(!blamed.are_some());
        assert_eq!(blamed.words(), expected);
    }
}
