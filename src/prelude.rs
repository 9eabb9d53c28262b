//! `use burn_kto::prelude::*;` brings what a training script needs.

pub use crate::error::Error;
pub use crate::model::*;
pub use crate::sequence::Sequences;
