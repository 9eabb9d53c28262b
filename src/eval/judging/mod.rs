//! Which of two answers is better.

pub(super) mod judge;
pub(super) mod length_control;
pub(super) mod protocol;
pub(super) mod win_rate;
