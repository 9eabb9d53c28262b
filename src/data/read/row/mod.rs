//! What rows are made of, whichever form they have.

pub(super) mod answer;
pub(super) mod asked;
pub(super) mod cell;
pub(super) mod columns;
pub(super) mod context;
pub(super) mod conversation;
pub(super) mod labelled;
mod messages;
pub(super) mod names;
mod overlap;
pub(super) mod pair;
pub(in crate::data) mod parsed;
pub(in crate::data) mod ranked;
pub(super) mod transcript;
mod weight;
pub(super) mod written;
