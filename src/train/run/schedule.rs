//! The learning rate over a run: a warm-up, then a fall.

use burn::config::Config;

/// Course of the learning rate after the warm-up.
#[derive(Config, Debug, PartialEq, Eq, Copy)]
pub enum Schedule {
    /// The peak throughout.
    Constant,
    /// A straight line to 0 at the end of the run.
    Linear,
    /// Half a cosine to 0 at the end of the run.
    Cosine,
}

impl Schedule {
    /// Learning rate of step `step`, counted from 0, of `total`, which rises to `peak` over the
    /// share `warmup` of the run.
    pub(super) fn learning_rate(&self, peak: f64, warmup: f64, step: usize, total: usize) -> f64 {
        let rising = (warmup * total as f64).round() as usize;
        if step < rising {
            return peak * (step + 1) as f64 / rising as f64;
        }
        let progress = (step - rising) as f64 / (total - rising).max(1) as f64;
        let factor = match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - progress,
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        };
        peak * factor
    }
}
