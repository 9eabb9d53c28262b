//! Which data set's form a row has.

pub(super) mod choices;
mod columns;
mod halos;
mod hh;
mod oasst;
mod shp;
mod ultra_feedback;

use crate::data::read::formats::choices::Choices;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::rows::Row;
use crate::error::Error;
use std::fmt;
use std::str::FromStr;

/// The forms of feedback that are read. Each row's columns tell which one it has; naming one makes
/// rows of another an error.
///
/// | format | columns | one row becomes |
/// |---|---|---|
/// | `columns` | `prompt` + `completion` \[+ `label` or `score`\], `messages` \[+ `label`\], \[`prompt` +\] `chosen` + `rejected`; texts or messages | what it says |
/// | `hh` | `chosen` + `rejected`, transcripts of Anthropic-HH | a pair |
/// | `oasst` | OpenAssistant's trees, `message_tree_id` + `prompt`, or one message with `replies` a row | the ranked answers of each prompt in the tree |
/// | `shp` | Stanford Human Preferences: `history`, `human_ref_A`, `human_ref_B`, `labels`, `score_A`, `score_B` | a pair |
/// | `ultra-feedback` | UltraFeedback as rated: `instruction`, `completions` with `annotations` | the rated answers of a prompt |
/// | `halos` | HALOs: `prompt`, `output` + `label`, or `output_A` + `output_B` + `label` | a thumb, or a pair |
/// | `sharegpt` | `conversations` \[+ `chosen` + `rejected`, or `label` or `kto_tag`\], \[`system`\] | a pair, a thumb or a demonstration |
/// | `alpaca` | `instruction`, `input`, `output` | a demonstration |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `columns`.
    Columns,
    /// `hh`.
    AnthropicHh,
    /// `oasst`.
    Oasst,
    /// `shp`.
    Shp,
    /// `ultra-feedback`.
    UltraFeedback,
    /// `halos`.
    Halos,
    /// `sharegpt`.
    ShareGpt,
    /// `alpaca`.
    Alpaca,
}

const NAMES: [(Format, &str); 8] = [
    (Format::Columns, "columns"),
    (Format::AnthropicHh, "hh"),
    (Format::Oasst, "oasst"),
    (Format::Shp, "shp"),
    (Format::UltraFeedback, "ultra-feedback"),
    (Format::Halos, "halos"),
    (Format::ShareGpt, "sharegpt"),
    (Format::Alpaca, "alpaca"),
];

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(format, _)| format == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = NAMES.iter().find(|(_, name)| *name == text);
        named
            .map(|(format, _)| *format)
            .ok_or_else(|| Error::Config {
                field: "format",
                reason: "must be columns, hh, oasst, shp, ultra-feedback, halos, sharegpt or alpaca",
                value: format!("\"{text}\""),
            })
    }
}

impl Format {
    /// What the columns look like; `None` of nothing known.
    fn of(row: &Row) -> Option<Self> {
        let has = |columns: &[&str]| columns.iter().all(|column| row.contains_key(*column));
        let text = |column: &str| row.get(column).is_some_and(serde_json::Value::is_string);
        Some(
            if has(&["message_tree_id", "prompt"]) || has(&["message_id", "text", "role"]) {
                Self::Oasst
            } else if has(&["human_ref_A", "human_ref_B"]) {
                Self::Shp
            } else if has(&["instruction", "completions"]) {
                Self::UltraFeedback
            } else if has(&["output_A", "output_B"]) || has(&["prompt", "output", "label"]) {
                Self::Halos
            } else if (has(&["instruction", "output"]) && !has(&["completion"]))
                || (has(&["instruction", "chosen", "rejected"]) && !has(&["prompt"]))
            {
                Self::Alpaca
            } else if has(&["conversations"]) && !has(&["prompt"]) {
                Self::ShareGpt
            } else if text("chosen") && text("rejected") && !has(&["prompt"]) {
                Self::AnthropicHh
            } else if has(&["completion"])
                || has(&["messages"])
                || has(&["chosen", "rejected"])
                || has(&["chosen_messages", "rejected_messages"])
            {
                Self::Columns
            } else {
                return None;
            },
        )
    }

    /// What a row says; in which form, if `wanted` does not say.
    pub(in crate::data) fn parse(
        wanted: Option<Self>,
        row: &Row,
        choices: &Choices,
    ) -> Result<(Self, Vec<Parsed>), Wrong> {
        let Some(format) = Self::of(row) else {
            return Err(columns::unknown(row));
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted != format) {
            let found = columns::found(row);
            return Err(format!(
                "is not of the format {wanted}: its columns are those of {format}: {found}"
            ));
        }
        if matches!(format, Self::Oasst | Self::Shp | Self::UltraFeedback) {
            columns::unweighted(row, "rows without a label")?;
        }
        let parsed = match format {
            Self::Columns | Self::AnthropicHh => vec![columns::parse(row)?],
            Self::Oasst => oasst::parse(row, choices.language.as_deref())?,
            Self::Shp => vec![shp::parse(row, choices.score_ratio)?],
            Self::UltraFeedback => ultra_feedback::parse(row, choices.overall_score)?,
            Self::Halos => vec![halos::parse(row)?],
            Self::ShareGpt => vec![columns::conversation(row)?],
            Self::Alpaca => vec![columns::instruction(row)?],
        };
        Ok((format, parsed))
    }
}
