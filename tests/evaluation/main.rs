//! Benchmarks, judges, the sandbox, the endpoint.

mod common;
mod sandbox;
mod smollm2;
