//! How feedback is read.

use crate::data::read::formats::choices::Choices;
use crate::data::read::formats::form::Format;
use crate::data::read::mapping::Mapping;
use crate::data::read::report::ReadReport;
use crate::data::read::row::ranked::RankedPairs;
use crate::error::Error;

/// The settings of a [`Reader`](crate::data::Reader).
#[derive(Clone, Debug)]
pub struct ReadSettings {
    /// What the rows must be of; `None` if their columns tell.
    pub(in crate::data) format: Option<Format>,
    /// A row that would be dropped is an error instead.
    pub(in crate::data) strict: bool,
    /// Columns by the names that are known.
    pub(in crate::data) columns: Mapping,
    /// Which pairs are made of ranked answers.
    pub(in crate::data) pairs: RankedPairs,
    /// What a form may leave open.
    pub(in crate::data) choices: Choices,
    /// At most so many of a prompt.
    pub(in crate::data) per_prompt: Option<usize>,
    /// Whether duplicates are kept.
    pub(in crate::data) duplicates: bool,
    /// The seed of what is drawn at random.
    pub(in crate::data) seed: u64,
}

impl Default for ReadSettings {
    fn default() -> Self {
        Self {
            format: None,
            strict: false,
            columns: Mapping::default(),
            pairs: RankedPairs::default(),
            choices: Choices {
                language: None,
                score_ratio: 1.0,
                overall_score: false,
                every_turn: false,
            },
            per_prompt: None,
            duplicates: true,
            seed: 42,
        }
    }
}

impl ReadSettings {
    /// Checks the ranges.
    pub(in crate::data) fn validate(&self) -> Result<(), Error> {
        self.columns.validate()?;
        let ratio = self.choices.score_ratio;
        Error::check(
            ratio >= 1.0 && ratio.is_finite(),
            "score_ratio",
            "must be at least 1 and finite",
            ratio,
        )
    }

    /// Refuses settings for a format that no row had: they would have been ignored.
    pub(in crate::data) fn check_used(&self, report: &ReadReport) -> Result<(), Error> {
        let choices = &self.choices;
        let (oasst, shp, ultra) = (Format::Oasst, Format::Shp, Format::UltraFeedback);
        let (asked, ratio) = (choices.language.is_some(), choices.score_ratio > 1.0);
        let settings = [
            ("language", asked, oasst, "is for oasst"),
            ("score_ratio", ratio, shp, "is for shp"),
            (
                "overall_score",
                choices.overall_score,
                ultra,
                "is for ultra-feedback",
            ),
        ];
        for (field, given, format, reason) in settings {
            let ignored = given && report.rows > 0 && !report.formats.contains_key(&format);
            let got: Vec<String> = report.formats.keys().map(Format::to_string).collect();
            let got = format!("rows of {}", got.join(", "));
            Error::check(!ignored, field, reason, got)?;
        }
        Ok(())
    }
}
