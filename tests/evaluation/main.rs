//! Benchmarks, judges, the sandbox, the endpoint.

mod common;
#[cfg(feature = "endpoint")]
mod endpoint;
mod sandbox;
mod smollm2;
