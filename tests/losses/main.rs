//! Losses and log-probabilities: against the peers' numbers, against differences, and by their
//! laws.

#[path = "../common/mod.rs"]
mod common;
mod fused;
mod golden;
mod gradients;
mod properties;
mod refusals;
mod values;
