//! From texts and messages to token ids.

mod continuation;
pub(super) mod encoder;
mod guard;
pub(super) mod kind;
mod marked;
pub(super) mod report;
mod tasks;
