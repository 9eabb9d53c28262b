//! The main job as a library and as a program, on a tiny random model.

mod common;
mod methods;
mod program;
mod settings;
