//! The main job as a library and as a program, on a tiny random model.

mod common;
mod data;
#[cfg(feature = "hub")]
mod hub;
mod layers;
#[cfg(feature = "hub")]
#[path = "../common/hub.rs"]
mod loopback;
mod methods;
mod program;
mod runs;
mod settings;
