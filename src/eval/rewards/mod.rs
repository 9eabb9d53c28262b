//! Do rewards tell good from bad, and what did they cost?

pub(super) mod auc;
pub(super) mod calibration;
pub(super) mod preference;
