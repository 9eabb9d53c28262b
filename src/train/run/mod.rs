//! The training loop, and what it writes.

mod blame;
pub(super) mod checkpoint;
pub(super) mod config;
mod draws;
mod finite;
pub(super) mod folder;
mod held_out;
pub(super) mod hook;
mod identity;
mod journal;
pub(super) mod lock;
mod manifest;
pub(super) mod optimizer;
pub(super) mod outcome;
mod plan;
pub(super) mod progress;
pub(super) mod schedule;
mod session;
mod setup;
mod start_check;
pub(super) mod step;
pub(super) mod trainer;
mod work;
