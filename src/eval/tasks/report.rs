//! Scores of a task.

use crate::eval::score::Score;
use crate::eval::tasks::records::Record;
use crate::eval::tasks::task::Request;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Scores by metric.
pub type Scores = BTreeMap<String, Score>;

/// What a model got in a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The task.
    pub task: String,
    /// The version of its prompts and rules.
    pub version: String,
    /// Who answered.
    pub model: String,
    /// Number of items.
    pub n: usize,
    /// Mean over all items, so that groups weigh by their size.
    pub micro: Scores,
    /// Mean over groups, which all weigh the same.
    #[serde(rename = "macro")]
    pub macro_: Scores,
    /// Mean over the items of each group.
    pub groups: BTreeMap<String, Scores>,
}

impl Report {
    /// The report of graded records.
    pub(in crate::eval) fn of<Q: Request>(
        task: String,
        version: String,
        model: &str,
        records: &[Record<Q>],
    ) -> Self {
        let mut by_group: BTreeMap<&str, Vec<&Record<Q>>> = BTreeMap::new();
        for record in records {
            by_group.entry(&record.group).or_default().push(record);
        }
        let groups: BTreeMap<String, Scores> = by_group
            .iter()
            .map(|(group, records)| (group.to_string(), scores(records)))
            .collect();
        let mut by_metric: BTreeMap<String, Vec<Score>> = BTreeMap::new();
        for (metric, score) in groups.values().flatten() {
            by_metric.entry(metric.clone()).or_default().push(*score);
        }
        let macro_ = by_metric
            .into_iter()
            .filter_map(|(metric, scores)| Some((metric, Score::macro_mean(scores)?)));
        Self {
            task,
            version,
            model: model.into(),
            n: records.len(),
            micro: scores(&records.iter().collect::<Vec<_>>()),
            macro_: macro_.collect(),
            groups,
        }
    }
}

fn scores<Q: Request>(records: &[&Record<Q>]) -> Scores {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for record in records {
        for (metric, &value) in &record.grade.metrics {
            values.entry(metric).or_default().push(value);
        }
    }
    values
        .into_iter()
        .filter_map(|(metric, values)| Some((metric.to_string(), Score::mean(values)?)))
        .collect()
}
