//! From texts and messages to token ids.

mod continuation;
pub(super) mod encoder;
mod guard;
pub(super) mod kind;
mod marked;
mod marks;
pub(super) mod report;
mod row;
mod settings;
mod shown;
mod tasks;
mod veil;
