//! What people say about completions.

use crate::data::reason::DropReason;
use crate::model::{Message, WEIGHT};
use serde_json::Value;

/// What a completion answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// A text that the completion continues as it stands.
    Text(String),
    /// A conversation that the assistant answers, written as the model's chat template says.
    Messages(Vec<Message>),
}

impl Prompt {
    /// Bytes in memory, roughly.
    pub(in crate::data) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Messages(messages) => messages.iter().map(bytes_of).sum(),
        }
    }
}

fn bytes_of(message: &Message) -> usize {
    let extra = message.extra.iter();
    let extra = extra.map(|(key, value)| key.len() + value.to_string().len());
    size_of::<Message>() + message.role.len() + message.content.len() + extra.sum::<usize>()
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Message>> for Prompt {
    fn from(messages: Vec<Message>) -> Self {
        Self::Messages(messages)
    }
}

/// Why a turn of the assistant is not learned from: it is more than its text, or context only.
pub(in crate::data) fn not_learned(turn: &Message) -> Option<DropReason> {
    let reasoning = turn.extra.get("reasoning_content").and_then(Value::as_str);
    match () {
        () if turn.extra.contains_key("tool_calls") => Some(DropReason::CallsTool),
        () if reasoning.is_some_and(|text| !text.trim().is_empty()) => {
            Some(DropReason::HasReasoning)
        }
        () if turn.extra.contains_key(WEIGHT) => Some(DropReason::ContextOnly),
        () => None,
    }
}

/// What all kinds of examples have in common, for whoever counts them.
pub trait Example {
    fn prompt(&self) -> &Prompt;

    /// What was answered; of a pair both.
    fn answers(&self) -> [&str; 2];

    fn thumb(&self) -> Option<bool> {
        None
    }

    /// What another may say otherwise of the same answers.
    fn verdict(&self) -> Option<bool> {
        self.thumb()
    }

    fn score(&self) -> Option<f64> {
        None
    }

    fn weight(&self) -> Option<f64> {
        None
    }
}

impl Example for SftExample {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    fn answers(&self) -> [&str; 2] {
        [&self.completion, ""]
    }
}

impl Example for BinaryExample {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    fn answers(&self) -> [&str; 2] {
        [&self.completion, ""]
    }

    fn thumb(&self) -> Option<bool> {
        Some(self.desirable)
    }

    fn weight(&self) -> Option<f64> {
        Some(self.weight)
    }
}

impl Example for PreferenceExample {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// In an order of their own, so that a pair and its contrary are about the same.
    fn answers(&self) -> [&str; 2] {
        let (a, b) = (self.chosen.as_str(), self.rejected.as_str());
        if a < b { [a, b] } else { [b, a] }
    }

    fn verdict(&self) -> Option<bool> {
        Some(self.chosen < self.rejected)
    }
}

impl Example for ScoredExample {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    fn answers(&self) -> [&str; 2] {
        [&self.completion, ""]
    }

    fn score(&self) -> Option<f64> {
        Some(self.score)
    }
}

/// A demonstration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SftExample {
    /// What was asked.
    pub prompt: Prompt,
    /// What should be answered.
    pub completion: String,
}

/// A completion and a thumb up or down.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryExample {
    /// What was asked.
    pub prompt: Prompt,
    /// What was answered.
    pub completion: String,
    /// Thumb up?
    pub desirable: bool,
    /// What the example's loss is multiplied with; 1 is usual. Finite and not negative.
    pub weight: f64,
}

/// Two completions of one prompt, one better than the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferenceExample {
    /// What was asked.
    pub prompt: Prompt,
    /// The better answer.
    pub chosen: String,
    /// The worse answer.
    pub rejected: String,
}

/// A completion and a score, higher being better.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredExample {
    /// What was asked.
    pub prompt: Prompt,
    /// What was answered.
    pub completion: String,
    /// How good it is.
    pub score: f64,
}

impl SftExample {
    /// A demonstration.
    pub fn new(prompt: impl Into<Prompt>, completion: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            completion: completion.into(),
        }
    }
}

impl SftExample {
    /// A demonstration for each turn of the assistant, the last one included. What calls a tool is
    /// none, nor what has reasoning beside its text, or `weight` 0.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// let turns = [("user", "a"), ("assistant", "b"), ("user", "c")];
    /// let turns = turns.map(|(role, text)| Message::new(role, text));
    /// let examples = SftExample::new(turns.to_vec(), "d").into_turns();
    /// let [first, last] = &examples[..] else { panic!() };
    /// assert_eq!(*first, SftExample::new(turns[..1].to_vec(), "b"));
    /// assert_eq!(*last, SftExample::new(turns.to_vec(), "d"));
    /// ```
    pub fn into_turns(self) -> Vec<Self> {
        let mut turns = Vec::new();
        if let Prompt::Messages(messages) = &self.prompt {
            for (i, message) in messages.iter().enumerate() {
                if i > 0 && is_answer(message) {
                    turns.push(Self::new(messages[..i].to_vec(), message.content.as_str()));
                }
            }
        }
        turns.push(self);
        turns
    }

    /// Bytes of what [`into_turns`](Self::into_turns) makes, roughly: each turn has all before it.
    pub(in crate::data) fn bytes_of_turns(&self) -> usize {
        let Prompt::Messages(messages) = &self.prompt else {
            return self.prompt.bytes();
        };
        let (mut before, mut all) = (0_usize, 0_usize);
        for message in messages {
            if is_answer(message) {
                all = all.saturating_add(before);
            }
            before += bytes_of(message);
        }
        all.saturating_add(before)
    }
}

/// Whether a turn can be a demonstration.
fn is_answer(message: &Message) -> bool {
    let said = message.role == "assistant" && !message.content.trim().is_empty();
    said && not_learned(message).is_none()
}

impl BinaryExample {
    /// A completion and a thumb.
    pub fn new(prompt: impl Into<Prompt>, completion: impl Into<String>, desirable: bool) -> Self {
        Self {
            prompt: prompt.into(),
            completion: completion.into(),
            desirable,
            weight: 1.0,
        }
    }

    /// Sets the weight.
    pub fn with_weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// A demonstration, if it is desirable.
    pub fn into_sft(self) -> Option<SftExample> {
        self.desirable
            .then(|| SftExample::new(self.prompt, self.completion))
    }
}

impl PreferenceExample {
    /// Two completions of one prompt.
    pub fn new(
        prompt: impl Into<Prompt>,
        chosen: impl Into<String>,
        rejected: impl Into<String>,
    ) -> Self {
        Self {
            prompt: prompt.into(),
            chosen: chosen.into(),
            rejected: rejected.into(),
        }
    }

    /// The chosen becomes desirable and the rejected undesirable: the KTO paper's "naive
    /// assumption", which works well.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// let [up, down] = PreferenceExample::new("2 + 2 =", " 4", " 5").into_binary();
    /// assert_eq!(up, BinaryExample::new("2 + 2 =", " 4", true));
    /// assert_eq!(down, BinaryExample::new("2 + 2 =", " 5", false));
    /// ```
    pub fn into_binary(self) -> [BinaryExample; 2] {
        [
            BinaryExample::new(self.prompt.clone(), self.chosen, true),
            BinaryExample::new(self.prompt, self.rejected, false),
        ]
    }

    /// The chosen as a demonstration.
    pub fn into_sft(self) -> SftExample {
        SftExample::new(self.prompt, self.chosen)
    }
}

impl ScoredExample {
    /// A completion and a score.
    pub fn new(prompt: impl Into<Prompt>, completion: impl Into<String>, score: f64) -> Self {
        Self {
            prompt: prompt.into(),
            completion: completion.into(),
            score,
        }
    }
}
