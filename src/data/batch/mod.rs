//! From token ids to batches.

pub(super) mod batches;
pub(super) mod binary;
mod mismatch;
