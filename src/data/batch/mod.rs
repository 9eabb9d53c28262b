//! From token ids to batches.

pub(super) mod batcher;
pub(super) mod batches;
pub(super) mod binary;
mod mismatch;
pub(super) mod preference;
pub(super) mod sft;
