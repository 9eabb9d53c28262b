//! The training loop, and what it writes.

mod checkpoint;
pub(super) mod config;
mod journal;
pub(super) mod optimizer;
mod plan;
pub(super) mod progress;
pub(super) mod step;
pub(super) mod trainer;
