//! What rows are made of, whichever form they have.

pub(super) mod answer;
pub(super) mod messages;
pub(in crate::data) mod parsed;
pub(in crate::data) mod ranked;
