//! What makes two runs the same run.

use crate::data::SamplerConfig;
use crate::train::run::config::TrainerConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a run's identity is made of.
pub(super) struct Definition<'a> {
    pub(super) config: &'a TrainerConfig,
    pub(super) sampler: &'a SamplerConfig,
    pub(super) examples: usize,
    pub(super) fingerprint: u64,
    /// The objective's own identity.
    pub(super) loss: String,
    /// The reference's own identity.
    pub(super) reference: String,
}

/// What a run is: order, pairs and learning rates follow from this and the step alone.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(super) struct Identity {
    config: Value,
    /// A checkpoint from before there were samplers has the default one.
    #[serde(default = "plain_sampler")]
    sampler: Value,
    examples: usize,
    fingerprint: u64,
    loss: String,
    reference: String,
}

impl Identity {
    pub(super) fn new(run: Definition<'_>) -> Self {
        // How often to look at a run does not change it.
        let config = run.config.clone().with_evaluate_every(None);
        let config = config.with_checkpoint_every(None);
        // All ranks are one run.
        let sampler = run.sampler.clone().with_rank(0);
        Self {
            config: settings(&config),
            sampler: settings(&sampler),
            examples: run.examples,
            fingerprint: run.fingerprint,
            loss: run.loss,
            reference: run.reference,
        }
    }

    /// The first thing in which another run differs.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if self.examples != other.examples {
            let (ours, theirs) = (self.examples, other.examples);
            return Some(format!("it has {theirs} examples, this run {ours}"));
        }
        if self.fingerprint != other.fingerprint {
            return Some("its examples are not those of this run".into());
        }
        let texts = [
            ("loss", &self.loss, &other.loss),
            ("reference", &self.reference, &other.reference),
        ];
        if let Some((name, ours, theirs)) = texts.into_iter().find(|(_, a, b)| a != b) {
            return Some(format!("its {name} is {theirs}, this run's {ours}"));
        }
        let config = different_field(&self.config, &other.config, "");
        config.or_else(|| different_field(&self.sampler, &other.sampler, "sampler's "))
    }
}

fn settings(config: &impl std::fmt::Display) -> Value {
    serde_json::from_str(&config.to_string()).unwrap_or_default()
}

fn plain_sampler() -> Value {
    settings(&SamplerConfig::new())
}

/// The first field in which settings differ, both values.
fn different_field(ours: &Value, theirs: &Value, whose: &str) -> Option<String> {
    let (ours, theirs) = (ours.as_object()?, theirs.as_object()?);
    let field = ours.keys().find(|key| ours.get(*key) != theirs.get(*key))?;
    let shown = |config: &Map<String, Value>| config.get(field).cloned().unwrap_or_default();
    let (ours, theirs) = (shown(ours), shown(theirs));
    Some(format!("its {whose}{field} is {theirs}, this run's {ours}"))
}
