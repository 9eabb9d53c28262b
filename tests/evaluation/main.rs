//! Benchmarks, judges, the sandbox, the endpoint.

mod common;
#[cfg(feature = "endpoint")]
mod endpoint;
mod local;
mod matches;
mod runs;
mod sandbox;
mod smollm2;
mod tasks;
