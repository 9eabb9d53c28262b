//! Who says which of two answers is better.

use crate::data::{Encoder, Prompt, SftExample};
use crate::error::Error;
use crate::model::CausalLm;
use crate::reference::Reference;
use crate::sequence::Sequences;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// What a judge said of two answers, in the order in which they were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The first is better.
    First,
    /// The second is better.
    Second,
    /// Neither is.
    Tie,
    /// It said something, but not which.
    Unparsed,
}

impl Verdict {
    /// The higher score wins; NaN wins nothing and is unparsed.
    pub fn of_scores(first: f64, second: f64) -> Self {
        match first.partial_cmp(&second) {
            Some(std::cmp::Ordering::Greater) => Self::First,
            Some(std::cmp::Ordering::Less) => Self::Second,
            Some(std::cmp::Ordering::Equal) => Self::Tie,
            None => Self::Unparsed,
        }
    }
}

/// Compares two answers to a prompt.
pub trait Judge {
    /// Who it is, for the record.
    fn name(&self) -> String;

    /// Which is better?
    ///
    /// # Errors
    ///
    /// Where it gave no answer at all; one that cannot be understood is [`Verdict::Unparsed`].
    fn judge(&self, prompt: &Prompt, first: &str, second: &str) -> Result<Verdict, Error>;
}

/// Scores one answer.
pub trait Reward {
    /// Higher is better.
    ///
    /// # Errors
    ///
    /// Where it cannot be scored.
    fn reward(&self, prompt: &Prompt, answer: &str) -> Result<f64, Error>;
}

/// A judge by a rule of yours.
///
/// ```
/// use burn_kto::eval::{Judge, RuleJudge, Verdict};
/// let shorter = RuleJudge::new("shorter", |_, answer| -(answer.len() as f64));
/// assert_eq!(shorter.judge(&"Hi".into(), "Hello.", "Hello there.").unwrap(), Verdict::First);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RuleJudge<F> {
    name: &'static str,
    score: F,
}

impl<F: Fn(&Prompt, &str) -> f64> RuleJudge<F> {
    /// The answer with the higher score is better.
    pub fn new(name: &'static str, score: F) -> Self {
        Self { name, score }
    }
}

impl<F: Fn(&Prompt, &str) -> f64> Judge for RuleJudge<F> {
    fn name(&self) -> String {
        format!("rule: {}", self.name)
    }

    fn judge(&self, prompt: &Prompt, first: &str, second: &str) -> Result<Verdict, Error> {
        let score = |answer| (self.score)(prompt, answer);
        Ok(Verdict::of_scores(score(first), score(second)))
    }
}

/// A judge by a reward model.
#[derive(Clone, Debug)]
pub struct RewardJudge<R> {
    name: String,
    reward: R,
}

impl<R: Reward> RewardJudge<R> {
    /// The answer with the higher reward is better.
    pub fn new(name: impl Into<String>, reward: R) -> Self {
        let name = name.into();
        Self { name, reward }
    }
}

impl<R: Reward> Judge for RewardJudge<R> {
    fn name(&self) -> String {
        format!("reward: {}", self.name)
    }

    fn judge(&self, prompt: &Prompt, first: &str, second: &str) -> Result<Verdict, Error> {
        let first = self.reward.reward(prompt, first)?;
        Ok(Verdict::of_scores(
            first,
            self.reward.reward(prompt, second)?,
        ))
    }
}

/// The reward that an aligned model implies: β (log π(answer | prompt) − log π_ref(answer |
/// prompt)) (Rafailov et al. 2023, eq. 5).
#[derive(Clone, Debug)]
pub struct ImplicitReward<'a, M, R> {
    policy: M,
    reference: R,
    beta: f64,
    encoder: Encoder<'a>,
    device: Device,
}

impl<'a, M: CausalLm, R: Reference<M>> ImplicitReward<'a, M, R> {
    /// From an aligned model and what it began from.
    pub fn new(policy: &M, reference: R, beta: f64, encoder: Encoder<'a>, device: &Device) -> Self {
        Self {
            policy: policy.valid(),
            reference,
            beta,
            encoder,
            device: device.clone().inner(),
        }
    }
}

impl<M: CausalLm, R: Reference<M>> Reward for ImplicitReward<'_, M, R> {
    fn reward(&self, prompt: &Prompt, answer: &str) -> Result<f64, Error> {
        let example = SftExample::new(prompt.clone(), answer);
        let encoded = self.encoder.encode_sft(&[example])?;
        let Some(row) = encoded.examples.first() else {
            let message = format!("an answer cannot be scored: {}", encoded.report);
            return Err(Error::Dataset { message });
        };
        // A single row needs no padding.
        let rows = [(&row.prompt[..], &row.completion[..])];
        let sequences = Sequences::padded(rows, 0, &self.device);
        let policy = self.policy.log_probs(&sequences).into_scalar::<f64>();
        let reference = self.reference.log_probs(&self.policy, &sequences);
        Ok(self.beta * (policy - reference.into_scalar::<f64>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_decide_and_nan_does_not() {
        assert_eq!(Verdict::of_scores(1.0, 0.0), Verdict::First);
        assert_eq!(Verdict::of_scores(0.0, 1.0), Verdict::Second);
        assert_eq!(Verdict::of_scores(1.0, 1.0), Verdict::Tie);
        assert_eq!(Verdict::of_scores(f64::NAN, 1.0), Verdict::Unparsed);
    }
}
