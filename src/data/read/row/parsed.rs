//! What a row says, whichever form it has.

use crate::data::example::{BinaryExample, PreferenceExample, Prompt, ScoredExample, SftExample};
use crate::data::read::row::ranked::Ranked;
use crate::data::read::rows::shown;
use crate::data::reason::{DropReason, LeftOutReason};
use serde_json::Value;

/// What became of a row.
#[derive(Debug)]
pub(in crate::data) enum Parsed {
    /// Something to learn from.
    Kept(Feedback),
    /// Not an error of the file, but of no use.
    Dropped(DropReason),
    /// Useful, but not asked for.
    LeftOut(LeftOutReason),
}

/// What would make more of a demonstration, and is null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nulls {
    /// Its label.
    pub label: bool,
    /// What is worse than it.
    pub rejected: bool,
}

/// What a row of use says of a prompt.
#[derive(Debug)]
pub enum Feedback {
    Sft(SftExample, Nulls),
    Binary(BinaryExample),
    Preference(PreferenceExample),
    Scored(ScoredExample),
    Ranked(Ranked),
}

/// Why nothing is made of a row.
#[derive(Debug)]
pub(in crate::data) enum Wrong {
    /// It might be misread: what is wrong, for the caller to put the path and line before.
    Error(String),
    /// It is well-formed, but of no use; and what was got, where that says more.
    Useless(DropReason, Option<String>),
}

impl Wrong {
    /// A row of no use, and what was got.
    pub(in crate::data) fn useless(reason: DropReason, got: &Value) -> Self {
        Self::Useless(reason, Some(shown(got)))
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self::Error(message)
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        Self::Error(message.into())
    }
}

impl From<DropReason> for Wrong {
    fn from(reason: DropReason) -> Self {
        Self::Useless(reason, None)
    }
}

impl Parsed {
    /// A thumb, if there is a completion.
    pub(in crate::data) fn binary(
        prompt: Prompt,
        completion: String,
        desirable: bool,
        weight: f64,
    ) -> Self {
        if completion.trim().is_empty() {
            return Self::Dropped(DropReason::EmptyCompletion);
        }
        let example = BinaryExample::new(prompt, completion, desirable).with_weight(weight);
        Self::Kept(Feedback::Binary(example))
    }

    /// A pair, if there are two completions.
    pub(in crate::data) fn pair(prompt: Prompt, chosen: String, rejected: String) -> Self {
        if chosen.trim().is_empty() || rejected.trim().is_empty() {
            return Self::Dropped(DropReason::EmptyCompletion);
        }
        if chosen == rejected {
            return Self::Dropped(DropReason::SamePair);
        }
        let example = PreferenceExample::new(prompt, chosen, rejected);
        Self::Kept(Feedback::Preference(example))
    }

    /// What was asked, where one thing was.
    pub(in crate::data) fn prompt_mut(&mut self) -> Option<&mut Prompt> {
        match self {
            Self::Kept(feedback) => feedback.prompt_mut(),
            Self::Dropped(_) | Self::LeftOut(_) => None,
        }
    }
}

impl Feedback {
    fn prompt_mut(&mut self) -> Option<&mut Prompt> {
        match self {
            Self::Sft(example, _) => Some(&mut example.prompt),
            Self::Binary(example) => Some(&mut example.prompt),
            Self::Preference(example) => Some(&mut example.prompt),
            Self::Scored(example) => Some(&mut example.prompt),
            Self::Ranked(ranked) => Some(&mut ranked.prompt),
        }
    }
}
