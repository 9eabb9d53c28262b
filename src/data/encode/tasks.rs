//! Work on many examples, on all cores with feature `rayon`.

/// Examples a task for one core: some milliseconds, long beside what handing it over costs.
pub(in crate::data) const TASK: usize = 64;

/// Every task's result, in order, computed on all cores.
#[cfg(feature = "rayon")]
pub(in crate::data) fn map_tasks<E: Sync, R: Send>(
    examples: &[E],
    task: impl Fn(&[E]) -> R + Sync,
) -> Vec<R> {
    use rayon::prelude::*;
    examples.par_chunks(TASK).map(&task).collect()
}

/// Every task's result, in order.
#[cfg(not(feature = "rayon"))]
pub(in crate::data) fn map_tasks<'e, E, R>(
    examples: &'e [E],
    task: impl Fn(&[E]) -> R + 'e,
) -> impl Iterator<Item = R> + 'e {
    examples.chunks(TASK).map(task)
}
