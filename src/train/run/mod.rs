//! The training loop, and what it writes.

mod checkpoint;
pub(super) mod config;
mod draws;
mod finite;
mod held_out;
pub(super) mod hook;
mod identity;
mod journal;
pub(super) mod optimizer;
mod plan;
pub(super) mod progress;
pub(super) mod schedule;
pub(super) mod session;
pub(super) mod setup;
mod start_check;
pub(super) mod step;
pub(super) mod trainer;
