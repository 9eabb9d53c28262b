//! Asks, grades, writes down, goes on.

use crate::error::Error;
use crate::eval::lines::Lines;
use crate::eval::tasks::records::Record;
use crate::eval::tasks::report::Report;
use crate::eval::tasks::task::{Item, Request, Subject, Task};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How to run a task.
#[derive(Clone, Debug, Default)]
pub struct RunnerConfig {
    limit: Option<usize>,
    records: Option<PathBuf>,
    batch: Option<usize>,
}

/// Items asked together unless said otherwise.
const BATCH: usize = 16;

impl RunnerConfig {
    /// All items, records kept in memory only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the first so many items of every group.
    #[must_use]
    pub fn with_limit(mut self, limit: Option<usize>) -> Self {
        self.limit = limit;
        self
    }

    /// Writes records to this file as they come, and does not ask again what it holds already.
    #[must_use]
    pub fn with_records(mut self, path: impl Into<PathBuf>) -> Self {
        self.records = Some(path.into());
        self
    }

    /// Asks so many items of a group together: more share the reading of common examples, fewer are
    /// lost by an interruption. 16 unless said.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = Some(batch.max(1));
        self
    }
}

/// How far a run is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EvalProgress {
    /// The task.
    pub task: String,
    /// Items graded, those of an earlier run included.
    pub done: usize,
    /// Items in all.
    pub total: usize,
    /// Means so far, by metric.
    pub means: BTreeMap<String, f64>,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Evaluation<Q: Request> {
    /// The scores.
    pub report: Report,
    /// One an item, in the task's order.
    pub records: Vec<Record<Q>>,
}

/// Puts a task to a subject called `model`; `progress` hears of every batch, and ends the run by
/// returning false.
///
/// # Errors
///
/// Where two items have one id; where the subject, the grading or the record file fails; where the
/// file's records are of another model, version or prompt; and where `progress` ended the run: what
/// was graded is in the file, and the same call goes on.
pub fn run_task<T: Task>(
    task: &T,
    subject: &dyn Subject<T::Request>,
    model: &str,
    config: &RunnerConfig,
    progress: &mut dyn FnMut(&EvalProgress) -> bool,
) -> Result<Evaluation<T::Request>, Error> {
    let mut items = BTreeMap::new();
    for item in task.items() {
        if items.insert(item.id.as_str(), item).is_some() {
            let message = format!("{}: two items have the id {}", task.name(), item.id);
            return Err(Error::Dataset { message });
        }
    }
    let chosen = chosen(task.items(), config.limit);
    let mut graded: BTreeMap<String, Record<T::Request>> = BTreeMap::new();
    let mut file = None;
    if let Some(path) = &config.records {
        let (opened, records) = Lines::open::<Record<T::Request>>(path)?;
        for record in records {
            let item = items.get(record.id.as_str()).copied();
            check(task, model, item, &record, path)?;
            graded.insert(record.id.clone(), record);
        }
        file = Some(opened);
    }
    let open: Vec<usize> = chosen
        .iter()
        .copied()
        .filter(|&index| !graded.contains_key(&task.items()[index].id))
        .collect();
    let mut state = EvalProgress {
        task: task.name(),
        done: chosen.len() - open.len(),
        total: chosen.len(),
        means: BTreeMap::new(),
    };
    // Items of a group share their worked examples, which a model reads once a batch.
    let group = |index: &usize| &task.items()[*index].group;
    let groups = open.chunk_by(|a, b| group(a) == group(b));
    for batch in groups.flat_map(|group| group.chunks(config.batch.unwrap_or(BATCH))) {
        let items = batch.iter().map(|&index| &task.items()[index]);
        let requests: Vec<T::Request> = items.map(|item| item.request.clone()).collect();
        let responses = subject.answer(&requests)?;
        if responses.len() != requests.len() {
            let message = format!(
                "{model} gave {} responses to {} requests",
                responses.len(),
                requests.len()
            );
            return Err(Error::Dataset { message });
        }
        let mut fresh = Vec::new();
        for (&index, response) in batch.iter().zip(responses) {
            fresh.push(record(task, model, index, response)?);
        }
        if let Some(file) = &mut file {
            file.append(&fresh)?;
        }
        state.done += fresh.len();
        graded.extend(fresh.into_iter().map(|record| (record.id.clone(), record)));
        state.means = means(
            chosen
                .iter()
                .filter_map(|&i| graded.get(&task.items()[i].id)),
        );
        if !progress(&state) && state.done < state.total {
            let message = format!(
                "{}: interrupted after {} of {} items",
                state.task, state.done, state.total
            );
            return Err(Error::Interrupted { message });
        }
    }
    let ids = chosen.iter().map(|&index| &task.items()[index].id);
    let records: Vec<Record<T::Request>> = ids.filter_map(|id| graded.remove(id)).collect();
    let report = Report::of(task.name(), task.version(), model, &records);
    Ok(Evaluation { report, records })
}

/// Indices of the first `limit` items of every group.
fn chosen<Q>(items: &[Item<Q>], limit: Option<usize>) -> Vec<usize> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let seen = seen.entry(&item.group).or_default();
        if limit.is_none_or(|limit| *seen < limit) {
            chosen.push(index);
        }
        *seen += 1;
    }
    chosen
}

fn record<T: Task>(
    task: &T,
    model: &str,
    index: usize,
    response: <T::Request as Request>::Response,
) -> Result<Record<T::Request>, Error> {
    let item = &task.items()[index];
    Ok(Record {
        task: task.name(),
        version: task.version(),
        model: model.into(),
        id: item.id.clone(),
        group: item.group.clone(),
        request: item.request.clone(),
        grade: task.grade(index, &response)?,
        response,
    })
}

/// Refuses to go on with records that were made otherwise: their mean with new ones would mean
/// nothing.
fn check<T: Task>(
    task: &T,
    model: &str,
    item: Option<&Item<T::Request>>,
    record: &Record<T::Request>,
    path: &std::path::Path,
) -> Result<(), Error> {
    let other = if record.task != task.name() {
        Some(format!("task {}", record.task))
    } else if record.version != task.version() {
        Some(format!("version \"{}\"", record.version))
    } else if record.model != model {
        Some(format!("model {}", record.model))
    } else if item.is_none_or(|item| item.request != record.request) {
        Some(format!("another question {}", record.id))
    } else {
        None
    };
    match other {
        None => Ok(()),
        Some(other) => Err(Error::Dataset {
            message: format!(
                "{}: holds records of {other}, so {} of {model} cannot go on there: choose another folder, or remove the file",
                path.display(),
                task.name()
            ),
        }),
    }
}

fn means<'a, Q: Request + 'a>(
    records: impl Iterator<Item = &'a Record<Q>>,
) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for record in records {
        for (metric, value) in &record.grade.metrics {
            let (sum, n) = sums.entry(metric.clone()).or_default();
            *sum += value;
            *n += 1.0;
        }
    }
    sums.into_iter()
        .map(|(metric, (sum, n))| (metric, sum / n))
        .collect()
}
