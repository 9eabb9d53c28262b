//! What rows are made of, whichever form they have.

pub(super) mod answer;
pub(super) mod cell;
pub(super) mod columns;
pub(super) mod context;
pub(super) mod labelled;
pub(super) mod messages;
pub(super) mod pair;
pub(in crate::data) mod parsed;
pub(in crate::data) mod ranked;
mod transcript;
