//! What makes two runs the same run.

use crate::data::SamplerConfig;
use crate::reference::FIXED;
use crate::train::objective::{Fingerprint, agree};
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
    pub(super) start: Start,
}

/// What a run began with.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub(super) struct Start {
    /// What the objective carried then.
    pub(super) objective: Value,
    /// What policy and reference said then of the first rows.
    pub(super) models: Fingerprint,
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
    /// Nothing is known of it in a checkpoint from before it was written.
    #[serde(default)]
    pub(super) start: Start,
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
            start: run.start,
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
        if let Some((whose, ours, theirs)) = texts.into_iter().find(|(_, a, b)| a != b) {
            return Some(different_part(ours, theirs, whose));
        }
        let config = different_field(&self.config, &other.config, "");
        let settings =
            config.or_else(|| different_field(&self.sampler, &other.sampler, "sampler's "));
        settings.or_else(|| self.different_reference(other))
    }

    /// What is said where the reference is another model. One that moves, and so has an identity of
    /// its own, is read from the checkpoint.
    fn different_reference(&self, other: &Self) -> Option<String> {
        let (ours, theirs) = (&self.start.models.reference, &other.start.models.reference);
        let says = |values: &[f64]| values.first().copied().unwrap_or_default();
        (self.reference == FIXED && !agree(ours, theirs)).then(|| {
            format!(
                "its reference gives the first row a log-probability of {:.3}, this run's {:.3}: \
                 they are not the same model",
                says(theirs),
                says(ours)
            )
        })
    }
}

/// Where two texts of a loss differ, as far as they can be told apart by their fields.
fn different_part(ours: &str, theirs: &str, whose: &str) -> String {
    let same = ours.chars().zip(theirs.chars()).take_while(|(a, b)| a == b);
    let same: usize = same.map(|(c, _)| c.len_utf8()).sum();
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    // The last `field: ` before the difference has the value in which they differ.
    let field = ours[..same].rmatch_indices(": ").find_map(|(end, _)| {
        let start = ours[..end].rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
        (start < end).then_some((&ours[start..end], end + 2))
    });
    let value = |text: &'_ str, start: usize| {
        let text = &text[start..];
        let end = text.find([',', ' ', '{', '(', ')', '}']);
        text[..end.unwrap_or(text.len())].to_string()
    };
    match field {
        Some((field, at)) if !ours[at..same].contains([',', '}']) => {
            let (ours, theirs) = (value(ours, at), value(theirs, at));
            format!("its {whose} is another: {field} {theirs}, this run's {ours}")
        }
        _ => {
            let (ours, theirs) = (value(ours, 0), value(theirs, 0));
            match ours == theirs {
                true => format!("its {whose} is another {theirs}, with other settings"),
                false => format!("its {whose} is {theirs}, this run's {ours}"),
            }
        }
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
