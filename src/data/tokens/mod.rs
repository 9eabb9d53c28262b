//! Token ids, and examples made of them.

pub(super) mod examples;
#[cfg(feature = "cache")]
pub(super) mod file;
pub(super) mod ids;
