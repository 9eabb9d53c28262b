//! What a form of feedback is.

use crate::data::read::formats::choices::Choices;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::parsed::{Parsed, Wrong};

/// The forms of feedback that are read. Each row's columns tell which one it has; naming one makes
/// rows of another an error.
///
/// | format | columns | one row becomes |
/// |---|---|---|
/// | `columns` | `prompt` + `completion` \[+ `label` or `score`\], `messages` \[+ `label`\], \[`prompt` +\] `chosen` + `rejected`; texts or messages; `text` | what it says |
/// | `hh` | `chosen` + `rejected`, transcripts of Anthropic-HH | a pair |
/// | `oasst` | OpenAssistant's trees, `message_tree_id` + `prompt`, or one message with `replies` a row | the ranked answers of each prompt in the tree |
/// | `shp` | Stanford Human Preferences: `history`, `human_ref_A`, `human_ref_B`, `labels`, `score_A`, `score_B` | a pair |
/// | `ultra-feedback` | UltraFeedback as rated: `instruction`, `completions` with `annotations` | the rated answers of a prompt |
/// | `halos` | HALOs: `prompt`, `output` + `label`, or `output_A` + `output_B` + `label` | a thumb, or a pair |
/// | `sharegpt` | `conversations` \[+ `chosen` + `rejected`, or `label` or `kto_tag`\], \[`system`\] | a pair, a thumb or a demonstration |
/// | `verdict` | two answers and which is better, such as `response_0` + `response_1` + `better_response_id`, `conversation_a` + `conversation_b` + `winner`, `answer_a` + `answer_b` + `score_a` + `score_b` | a pair, or nothing of a tie |
/// | `alpaca` | `instruction`, `input`, `output` \[+ `label`\], or `chosen` + `rejected` | a pair, a thumb or a demonstration |
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
    /// `verdict`.
    Verdict,
}

/// All that is to be known of a format.
pub(super) struct Form {
    pub(super) format: Format,
    /// What people call it.
    pub(super) name: &'static str,
    /// Whether a row's columns are of it, where no form before it recognised them.
    pub(super) recognises: fn(&Columns<'_>) -> bool,
    /// Columns that it reads, under their own names.
    pub(super) reads: &'static [&'static str],
    /// Columns that its data set is known to have besides, which need not be read.
    pub(super) beside: &'static [&'static str],
    /// What its rows are called, where none of them may have a weight.
    pub(super) unweighted: Option<&'static str>,
    /// What a row says.
    pub(super) parse: fn(&Columns<'_>, &Choices) -> Result<Vec<Parsed>, Wrong>,
}
