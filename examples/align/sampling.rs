//! Options of the sampler.

use burn_kto::prelude::*;
use clap::Args;

/// Batches sorted by length together; what Hugging Face's sampler takes.
const BUCKET: usize = 50;

/// Which examples an epoch has, and in which order.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sampling")]
pub(crate) struct Sampling {
    /// Thumbs: both kinds in each batch, in the proportion of the data.
    #[arg(long, requires = "model")]
    stratify: bool,

    /// Thumbs: fraction of the thumbs up that is trained on.
    #[arg(long, value_name = "F", default_value_t = 1.0, requires = "model")]
    keep_desirable: f64,

    /// Thumbs: fraction of the thumbs down that is trained on.
    #[arg(long, value_name = "F", default_value_t = 1.0, requires = "model")]
    keep_undesirable: f64,

    /// One completion of each prompt an epoch, another in the next.
    #[arg(long, requires = "model")]
    one_per_prompt: bool,

    /// Batches of similar length: less padding, less time.
    #[arg(long, requires = "model")]
    length_buckets: bool,
}

impl Sampling {
    pub(crate) fn config(&self) -> SamplerConfig {
        SamplerConfig::new()
            .with_stratified(self.stratify)
            .with_keep_desirable(self.keep_desirable)
            .with_keep_undesirable(self.keep_undesirable)
            .with_one_per_prompt(self.one_per_prompt)
            .with_length_buckets(self.length_buckets.then_some(BUCKET))
    }

    /// Options that need thumbs, and whether they were given.
    pub(crate) fn of_thumbs(&self) -> [(&'static str, bool); 3] {
        [
            ("stratify", self.stratify),
            ("keep-desirable", self.keep_desirable != 1.0),
            ("keep-undesirable", self.keep_undesirable != 1.0),
        ]
    }
}
