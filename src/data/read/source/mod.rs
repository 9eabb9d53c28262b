//! Where files come from.

mod card;
pub(in crate::data) mod files;
mod hub;
mod made;
mod names;
mod split;
