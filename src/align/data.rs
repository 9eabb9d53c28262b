//! What is learned from.

use super::method::{DataKind, Method};
use super::refusal::refused;
use super::sampler::for_thumbs;
use crate::data::{Encoder, Format, RankedPairs, Reader, ScoreLabels, ScoreThreshold, ScoreWeight};
use crate::error::Error;
use crate::model::ModelFolder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is read, how much of it, and how it is encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// A file, a folder, a pattern, or `hf://owner/name[@revision][/pattern]`.
    pub path: Option<PathBuf>,
    /// Form of the rows, if their columns should not tell.
    #[serde(with = "super::text::option")]
    pub format: Option<Format>,
    /// Columns of other names: `{ prompt = "question" }` reads `question` as `prompt`.
    pub columns: BTreeMap<String, String>,
    /// What would be dropped is an error.
    pub strict: bool,
    /// Methods on pairs, of ranked answers: which pairs are made of them, `adjacent`, `all` or
    /// `extremes`.
    #[serde(with = "PairsName")]
    pub pairs: RankedPairs,
    /// SHP: one score is at least so many times the other.
    pub score_ratio: f64,
    /// UltraFeedback: the critic's overall mark instead of the mean of the ratings.
    pub overall_score: bool,
    /// OpenAssistant: messages in this language only.
    pub language: Option<String>,
    /// At most so many of a prompt, drawn at random.
    pub per_prompt: Option<usize>,
    /// Demonstrations: every turn of the assistant is one.
    pub every_turn: bool,
    /// Demonstrations: all is scored that the chat template marks.
    pub generation_marks: bool,
    /// Special tokens that the texts spell are special tokens.
    pub special_tokens_in_text: bool,
    /// Leave out what was there before.
    pub without_duplicates: bool,
    /// Thumbs: made of scores, by what a score has to be above.
    pub threshold: Option<Threshold>,
    /// Thumbs of scores: they weigh by the distance from the threshold, cut at so many times the
    /// mean distance. At least 1.
    pub score_cap: Option<f64>,
    /// Longest sequence in tokens; the model's, at most 512, where none is set.
    pub max_length: Option<usize>,
    /// Longest prompt in tokens; half of the longest sequence where none is set.
    pub max_prompt_length: Option<usize>,
    /// Use the first so many examples.
    pub limit: Option<usize>,
    /// Share of the prompts that is held out, in \[0, 1).
    pub held_out: f64,
    /// Folder where token ids are kept, so that the same data is tokenized once.
    pub cache: Option<PathBuf>,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            path: None,
            format: None,
            columns: BTreeMap::new(),
            strict: false,
            pairs: RankedPairs::Adjacent,
            score_ratio: 1.0,
            overall_score: false,
            language: None,
            per_prompt: None,
            every_turn: false,
            generation_marks: false,
            special_tokens_in_text: false,
            without_duplicates: false,
            threshold: None,
            score_cap: None,
            max_length: None,
            max_prompt_length: None,
            limit: None,
            held_out: 0.1,
            cache: None,
        }
    }
}

/// What a score has to be above: a name, a number, or `{ low, high }` between which thumbs are
/// drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "must be mean, median, prompt-mean, prompt-median, a number, or { low, high }"
)]
#[allow(missing_docs)] // those of ScoreThreshold
pub enum Threshold {
    Named(NamedThreshold),
    Fixed(f64),
    #[serde(rename_all = "kebab-case")]
    Bernoulli {
        low: f64,
        high: f64,
    },
}

/// Thresholds that follow from the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // those of ScoreThreshold
pub enum NamedThreshold {
    Mean,
    Median,
    PromptMean,
    PromptMedian,
}

impl Threshold {
    /// As the labels have it.
    pub fn threshold(self) -> ScoreThreshold {
        match self {
            Self::Named(NamedThreshold::Mean) => ScoreThreshold::Mean,
            Self::Named(NamedThreshold::Median) => ScoreThreshold::Median,
            Self::Named(NamedThreshold::PromptMean) => ScoreThreshold::PromptMean,
            Self::Named(NamedThreshold::PromptMedian) => ScoreThreshold::PromptMedian,
            Self::Fixed(threshold) => ScoreThreshold::Fixed { threshold },
            Self::Bernoulli { low, high } => ScoreThreshold::Bernoulli { low, high },
        }
    }
}

impl DataSettings {
    pub(super) fn validate(&self, method: &Method) -> Result<(), Error> {
        let share = self.held_out;
        let ok = (0.0..1.0).contains(&share);
        Error::check(ok, "held_out", "must be in [0, 1)", share)?;
        let least = [
            ("per_prompt", self.per_prompt, 1),
            ("limit", self.limit, 1),
            ("max_length", self.max_length, 2),
            ("max_prompt_length", self.max_prompt_length, 1),
        ];
        for (name, value, least) in least {
            if let Some(value) = value.filter(|value| *value < least) {
                let message = format!("must be at least {least}, got {value}");
                return Err(refused(&format!("data.{name}"), message));
            }
        }
        let thumbs = method.data_kind() == DataKind::Thumbs;
        if self.threshold.is_some() && !thumbs {
            return Err(for_thumbs("data.threshold", method));
        }
        if self.score_cap.is_some() && self.threshold.is_none() {
            let message = "weighs thumbs that are made of scores: it needs data.threshold";
            return Err(refused("data.score_cap", message));
        }
        if let Some(labels) = self.labels(0) {
            labels.validate()?;
        }
        if self.pairs != RankedPairs::Adjacent && method.data_kind() != DataKind::Pairs {
            let name = method.name();
            let message = format!("is for methods on pairs; got method {name}");
            return Err(refused("data.pairs", message));
        }
        if let (Some(most), Some(prompt)) = (self.max_length, self.max_prompt_length) {
            fits(prompt, most)?;
        }
        let teaches = method.data_kind() == DataKind::Demonstrations;
        let of_sft = [
            ("data.every_turn", self.every_turn),
            ("data.generation_marks", self.generation_marks),
        ];
        if let Some((place, _)) = of_sft.iter().find(|(_, given)| *given && !teaches) {
            let name = method.name();
            let message = format!("is for demonstrations: sft; got method {name}");
            return Err(refused(place, message));
        }
        if self.every_turn && self.generation_marks {
            let message = "scores every turn in one pass, every_turn in one each: give one of them";
            return Err(refused("data.generation_marks", message));
        }
        Ok(())
    }

    pub(super) fn reader(&self, seed: u64) -> Reader {
        let mut reader = Reader::new()
            .with_seed(seed)
            .with_columns(self.columns.clone())
            .with_score_ratio(self.score_ratio)
            .with_pairs(self.pairs);
        if let Some(format) = self.format {
            reader = reader.with_format(format);
        }
        if let Some(language) = &self.language {
            reader = reader.with_language(language);
        }
        if let Some(most) = self.per_prompt {
            reader = reader.with_per_prompt(most);
        }
        if self.strict {
            reader = reader.with_strict();
        }
        if self.every_turn {
            reader = reader.with_every_turn();
        }
        if self.without_duplicates {
            reader = reader.without_duplicates();
        }
        if self.overall_score {
            reader = reader.with_overall_score();
        }
        reader
    }

    pub(super) fn labels(&self, seed: u64) -> Option<ScoreLabels> {
        let labels = ScoreLabels::new(self.threshold?.threshold()).with_seed(seed);
        Some(match self.score_cap {
            Some(cap) => labels.with_weight(ScoreWeight::Magnitude { cap }),
            None => labels,
        })
    }

    /// The limits, for a model that reads so many tokens.
    ///
    /// # Errors
    ///
    /// If it does not read that many.
    pub(super) fn limits(&self, longest: usize) -> Result<Limits, Error> {
        let most = self.max_length.unwrap_or(longest.min(512));
        if most > longest {
            let message = format!(
                "must not be more than the model reads, got {most} for a model of {longest}"
            );
            return Err(refused("data.max_length", message));
        }
        let prompt = self.max_prompt_length.unwrap_or(most / 2);
        fits(prompt, most)?;
        Ok(Limits {
            sequence: most,
            prompt,
        })
    }

    /// The encoder of a model's folder within these limits.
    pub(super) fn encoder<'a>(&self, folder: &'a ModelFolder, limits: Limits) -> Encoder<'a> {
        let encoder = Encoder::new(&folder.tokenizer, folder.template(), limits.sequence);
        let mut encoder = encoder.with_max_prompt_length(limits.prompt);
        if self.generation_marks {
            encoder = encoder.with_generation_marks();
        }
        if self.special_tokens_in_text {
            encoder = encoder.with_special_tokens_in_text();
        }
        encoder
    }
}

/// Tokens that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Tokens of a sequence.
    pub sequence: usize,
    /// Tokens of its prompt.
    pub prompt: usize,
}

impl Limits {
    /// Whatever there is fits.
    pub(super) const NONE: Self = Self {
        sequence: usize::MAX,
        prompt: usize::MAX,
    };
}

/// Refuses prompts that leave no room for a completion.
fn fits(prompt: usize, most: usize) -> Result<(), Error> {
    if prompt < most {
        return Ok(());
    }
    let message =
        format!("must be less than max_length, so that completions fit; got {prompt} of {most}");
    Err(refused("data.max_prompt_length", message))
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RankedPairs", rename_all = "kebab-case")]
enum PairsName {
    Adjacent,
    All,
    Extremes,
}
