//! Which examples an epoch has.

use super::method::{DataKind, Method};
use super::refusal::refused;
use crate::data::{Mixing, SamplerConfig, SourceConfig};
use crate::error::Error;
use serde::{Deserialize, Serialize};

/// Settings of [`SamplerConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerSettings {
    /// Thumbs: fraction of the thumbs up that is ever seen, in (0, 1\].
    pub keep_desirable: f64,
    /// Thumbs: fraction of the thumbs down that is ever seen, in (0, 1\].
    pub keep_undesirable: f64,
    /// One completion of each prompt an epoch, another in the next.
    pub one_per_prompt: bool,
    /// Thumbs: thumbs up for one thumb down; the class that is too large is cut to it.
    pub class_ratio: Option<f64>,
    /// Thumbs: both kinds in each batch.
    pub stratified: bool,
    /// Batches of similar length; so many batches are sorted together, 50 is usual.
    pub length_buckets: Option<usize>,
    /// How many rows an epoch of several sources has: `first-exhausted`, `all-exhausted`.
    #[serde(with = "MixingName")]
    pub mixing: Mixing,
    /// Shares of parts of the data, in the order of the files, after what is held out.
    pub sources: Vec<Source>,
}

/// A part of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Rows, at least 1.
    pub rows: usize,
    /// Share of an epoch, relative to those of the others.
    pub weight: f64,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            keep_desirable: 1.0,
            keep_undesirable: 1.0,
            one_per_prompt: false,
            class_ratio: None,
            stratified: false,
            length_buckets: None,
            mixing: Mixing::FirstExhausted,
            sources: Vec::new(),
        }
    }
}

impl SamplerSettings {
    /// As the sampler has it.
    pub fn config(&self) -> SamplerConfig {
        let sources = self.sources.iter();
        SamplerConfig::new()
            .with_keep_desirable(self.keep_desirable)
            .with_keep_undesirable(self.keep_undesirable)
            .with_one_per_prompt(self.one_per_prompt)
            .with_class_ratio(self.class_ratio)
            .with_stratified(self.stratified)
            .with_length_buckets(self.length_buckets)
            .with_mixing(self.mixing)
            .with_sources(
                sources
                    .map(|s| SourceConfig::new(s.rows, s.weight))
                    .collect(),
            )
    }

    pub(super) fn validate(&self, method: &Method) -> Result<(), Error> {
        let of_thumbs = [
            ("sampler.keep_desirable", self.keep_desirable != 1.0),
            ("sampler.keep_undesirable", self.keep_undesirable != 1.0),
            ("sampler.class_ratio", self.class_ratio.is_some()),
            ("sampler.stratified", self.stratified),
        ];
        if self.mixing != Mixing::FirstExhausted && self.sources.is_empty() {
            let message = "says how sources are mixed: it needs sampler.sources";
            return Err(refused("sampler.mixing", message));
        }
        let thumbs = method.data_kind() == DataKind::Thumbs;
        match of_thumbs.iter().find(|(_, given)| *given && !thumbs) {
            Some((place, _)) => Err(for_thumbs(place, method)),
            None => Ok(()),
        }
    }
}

/// A setting for thumbs, with another method.
pub(super) fn for_thumbs(place: &str, method: &Method) -> Error {
    let name = method.name();
    refused(
        place,
        format!("is for thumbs: kto, apo-zero, bco; got method {name}"),
    )
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Mixing", rename_all = "kebab-case")]
enum MixingName {
    FirstExhausted,
    AllExhausted,
}
