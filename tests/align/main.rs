//! The main job as a library and as a program, on a tiny random model.

mod common;
mod data;
#[cfg(feature = "hub")]
mod hub;
mod layers;
mod methods;
mod program;
mod settings;
