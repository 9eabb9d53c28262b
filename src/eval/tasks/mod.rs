//! Benchmarks: tasks, who takes them, and what comes of it.

pub(super) mod bbh;
pub mod extract;
pub(super) mod few_shot;
pub(super) mod gsm8k;
pub(super) mod human_eval;
pub(super) mod local;
mod local_choice;
pub(super) mod mmlu;
mod multiple_choice;
pub(super) mod records;
pub(super) mod report;
pub(super) mod runner;
mod source;
pub(super) mod task;
