//! What a benchmark is, and what is asked of whoever takes it.
//!
//! A [`Task`] asks one kind of question, a [`Subject`] answers it, and the types say which: a task
//! that compares log-probabilities cannot be given to an endpoint that only writes.

use crate::error::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// A kind of question.
pub trait Request: Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// What answers it.
    type Response: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
}

/// Which of these texts is the most likely one to follow?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// What comes before, most wanted first: the first that leaves room is used, and the last loses
    /// its beginning if none does.
    pub contexts: Vec<String>,
    /// What may follow.
    pub continuations: Vec<String>,
}

/// The answer to a [`Choice`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogProbs {
    /// log p(continuation | context), summed over tokens, one a continuation. JSON has no NaN and
    /// no infinity: both are `null` there, and NaN again when read.
    #[serde(deserialize_with = "null_as_nan")]
    pub log_probs: Vec<f64>,
    /// Which of the contexts had room.
    pub context: usize,
    /// Whether even that lost its beginning.
    pub truncated: bool,
}

/// So that records of a model that went wrong can be gone on with.
fn null_as_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}

impl Request for Choice {
    type Response = LogProbs;
}

/// What comes next?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// What comes before. Loses its beginning where it leaves no room for `max_tokens`.
    pub prompt: String,
    /// A text ends before the first of these.
    pub stop: Vec<String>,
    /// At most so many tokens a text.
    pub max_tokens: usize,
    /// Number of texts.
    pub samples: usize,
    /// 0 takes the most likely token each time, so that all texts are the same; above, tokens are
    /// drawn.
    pub temperature: f64,
    /// Nucleus of the draws, in (0, 1].
    pub top_p: f64,
    /// Seeds the draws.
    pub seed: u64,
}

impl Completion {
    /// One text of the most likely tokens.
    pub fn greedy(prompt: impl Into<String>, stop: &[&str], max_tokens: usize) -> Self {
        Self {
            prompt: prompt.into(),
            stop: stop.iter().map(ToString::to_string).collect(),
            max_tokens,
            samples: 1,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
        }
    }
}

/// The answer to a [`Completion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Texts {
    /// Without the stop.
    pub texts: Vec<String>,
    /// Whether the prompt lost its beginning.
    pub truncated: bool,
}

impl Request for Completion {
    type Response = Texts;
}

/// Whoever answers: a model, an endpoint, a person.
pub trait Subject<Q: Request> {
    /// One response a request, in order.
    ///
    /// # Errors
    ///
    /// Where a request cannot be answered.
    fn answer(&self, requests: &[Q]) -> Result<Vec<Q::Response>, Error>;
}

/// A question of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Item<Q> {
    /// Unique within the task.
    pub id: String,
    /// What it is averaged with: a subject, a sub-task.
    pub group: String,
    /// The question.
    pub request: Q,
}

/// How good a response was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grade {
    /// What was wanted.
    pub target: String,
    /// What was understood, by the name of the rule that read it; `null` where the rule found
    /// nothing.
    pub extracted: BTreeMap<String, Option<String>>,
    /// Points, by the name of the metric.
    pub metrics: BTreeMap<String, f64>,
}

impl Grade {
    /// A grade with nothing read yet.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            ..Self::default()
        }
    }

    /// Adds what `rule` read, and under its name one point if `correct`.
    #[must_use]
    pub fn with(mut self, rule: &str, extracted: Option<String>, correct: bool) -> Self {
        self.extracted.insert(rule.into(), extracted);
        self.metrics.insert(rule.into(), f64::from(correct));
        self
    }
}

/// A benchmark: questions, and how answers are graded.
pub trait Task {
    /// What it asks.
    type Request: Request;

    /// Its name, as it stands in tables and file names.
    fn name(&self) -> String;

    /// What its prompts and rules are, with a number that changes whenever a score would.
    fn version(&self) -> String;

    /// Its questions.
    fn items(&self) -> &[Item<Self::Request>];

    /// Grades the response to question `index`.
    ///
    /// # Errors
    ///
    /// Where grading itself fails; a bad answer is a bad grade, not an error.
    fn grade(
        &self,
        index: usize,
        response: &<Self::Request as Request>::Response,
    ) -> Result<Grade, Error>;
}
