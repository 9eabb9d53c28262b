//! Where files come from.

pub(in crate::data) mod files;
mod hub;
mod names;
mod split;
