//! What a row says, whichever form it has.

use crate::data::example::{BinaryExample, PreferenceExample, Prompt, SftExample};
use crate::data::labels::ScoredExample;
use crate::data::read::row::ranked::Ranked;

/// What became of a row.
#[derive(Debug)]
pub(in crate::data) enum Parsed {
    /// Something to learn from.
    Said(Said),
    /// Not an error of the file, but of no use.
    Dropped(&'static str),
    /// Of use, but not asked for.
    LeftOut(&'static str),
}

/// What a row of use says.
#[derive(Debug)]
pub enum Said {
    Sft(SftExample),
    Binary(BinaryExample),
    Preference(PreferenceExample),
    Scored(ScoredExample),
    Ranked(Ranked),
}

/// What is wrong, for the caller to put the path and line before.
pub(in crate::data) type Wrong = String;

/// Why some rows are of no use.
pub(in crate::data) const EMPTY: &str = "completion is empty";
pub(in crate::data) const NO_PROMPT: &str = "prompt is empty";
const SAME: &str = "chosen and rejected are the same";

impl Parsed {
    /// A thumb, if there is a completion.
    pub(in crate::data) fn binary(
        prompt: Prompt,
        completion: String,
        desirable: bool,
        weight: f64,
    ) -> Self {
        if completion.trim().is_empty() {
            return Self::Dropped(EMPTY);
        }
        let example = BinaryExample::new(prompt, completion, desirable).with_weight(weight);
        Self::Said(Said::Binary(example))
    }

    /// A pair, if there are two completions.
    pub(in crate::data) fn pair(prompt: Prompt, chosen: String, rejected: String) -> Self {
        if chosen.trim().is_empty() || rejected.trim().is_empty() {
            return Self::Dropped(EMPTY);
        }
        if chosen == rejected {
            return Self::Dropped(SAME);
        }
        let example = PreferenceExample::new(prompt, chosen, rejected);
        Self::Said(Said::Preference(example))
    }

    /// What was asked, where one thing was.
    pub(in crate::data) fn prompt_mut(&mut self) -> Option<&mut Prompt> {
        match self {
            Self::Said(said) => said.prompt_mut(),
            Self::Dropped(_) | Self::LeftOut(_) => None,
        }
    }
}

impl Said {
    fn prompt_mut(&mut self) -> Option<&mut Prompt> {
        match self {
            Self::Sft(example) => Some(&mut example.prompt),
            Self::Binary(example) => Some(&mut example.prompt),
            Self::Preference(example) => Some(&mut example.prompt),
            Self::Scored(example) => Some(&mut example.prompt),
            Self::Ranked(_) => None,
        }
    }
}
