//! `use burn_kto::prelude::*;` brings what a training script needs.

pub use crate::data::*;
pub use crate::device::{DeviceChoice, check_dtype};
pub use crate::error::Error;
pub use crate::eval::{WinRate, auc};
pub use crate::kl::*;
pub use crate::logprob::{
    FusedLinearLogProbs, FusedLinearLogProbsConfig, average_log_probs, sequence_log_probs,
    token_log_probs,
};
pub use crate::loss::*;
pub use crate::model::*;
pub use crate::reference::*;
pub use crate::sequence::Sequences;
pub use crate::train::*;
