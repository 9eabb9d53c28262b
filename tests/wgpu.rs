//! The suite on wgpu, in a process of its own: a driver that crashes must not take other tests
//! along.

#[path = "backends/suite.rs"]
mod suite;

fn device_name() -> String {
    "wgpu".into()
}
