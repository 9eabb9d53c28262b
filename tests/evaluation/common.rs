//! Where data is, and subjects that answer by rule.

use burn_kto::eval::{Completion, Task, Texts};
use std::path::PathBuf;

/// The shared benchmark files, or a line that they are not there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/eval");
    let path = root.join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no {}", path.display());
    None
}

/// Mean of a metric over answers to all items of a task, given in its order.
pub(crate) fn mean<T: Task<Request = Completion>>(
    task: &T,
    metric: &str,
    answer: impl Fn(usize) -> String,
) -> f64 {
    let n = task.items().len();
    let points = (0..n).map(|i| {
        let texts = vec![answer(i)];
        let truncated = false;
        task.grade(i, &Texts { texts, truncated }).unwrap().metrics[metric]
    });
    points.sum::<f64>() / n as f64
}
