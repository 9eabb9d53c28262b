//! Is the aligned model better?
//!
//! | type | of what | says |
//! |---|---|---|
//! | [`WinRate`] | answers of two models to the same prompts | how often the first is better, with a 95 % interval |
//! | [`auc`] | rewards of unpaired completions with thumbs | how often a liked one is rewarded more than a disliked one |

mod reward;
mod win_rate;

pub use reward::auc;
pub use win_rate::WinRate;
