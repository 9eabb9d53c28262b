//! Benchmarks, judges, the sandbox, the endpoint.
#[path = "../common/mod.rs"]
mod common;
mod smollm2;
