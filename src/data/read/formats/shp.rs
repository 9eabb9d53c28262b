//! Stanford Human Preferences: two answers to a post and how many votes each has.

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::reason::{DropReason, LeftOutReason};
use crate::model::Message;

pub(super) const FORM: Form = Form {
    format: Format::Shp,
    name: "shp",
    recognises: |columns| columns.has(&["human_ref_A", "human_ref_B"]),
    reads: &[
        "history",
        "human_ref_A",
        "human_ref_B",
        "labels",
        "score_A",
        "score_B",
        "system",
        "tools",
    ],
    beside: &[
        "post_id",
        "domain",
        "upvote_ratio",
        "c_root_id_A",
        "c_root_id_B",
        "created_at_utc_A",
        "created_at_utc_B",
        "seconds_difference",
        "score_ratio",
    ],
    unweighted: Some("rows without a label"),
    parse: |columns, choices| Ok(vec![parse(columns, choices.score_ratio)?]),
};

/// A pair, if one score is at least `least` times the other. The ratio is taken of the scores,
/// greater by smaller.
fn parse(columns: &Columns<'_>, least: f64) -> Result<Parsed, Wrong> {
    let text = |column| columns.required(column)?.text();
    let (a, b) = (text("human_ref_A")?, text("human_ref_B")?);
    let history = text("history")?;
    let labels = columns.required("labels")?;
    let a_is_better = labels.thumb().map_err(|wrong| match wrong {
        Wrong::Error(_) => labels.must_be("1 (A is better) or 0 (B is better)"),
        null => null,
    })?;
    let score = |column| {
        let cell = columns.named(column).filter(|cell| cell.is_given());
        cell.map(Cell::number).transpose()
    };
    let (chosen, rejected, high, low) = if a_is_better {
        (a, b, score("score_A")?, score("score_B")?)
    } else {
        (b, a, score("score_B")?, score("score_A")?)
    };
    if let (Some(high), Some(low)) = (high, low) {
        if high < low {
            return Ok(Parsed::Dropped(DropReason::LabelAgainstScores));
        }
        if least > 1.0 && low <= 0.0 {
            return Ok(Parsed::LeftOut(LeftOutReason::ScoreNotPositive));
        }
        if least > 1.0 && high / low < least {
            return Ok(Parsed::LeftOut(LeftOutReason::ScoresTooClose));
        }
    } else if least > 1.0 {
        return Err("a least ratio of scores needs \"score_A\" and \"score_B\"".into());
    }
    if history.trim().is_empty() {
        return Ok(Parsed::Dropped(DropReason::EmptyPrompt));
    }
    let prompt = Prompt::Messages(vec![Message::new("user", history)]);
    Ok(Parsed::pair(prompt, chosen.into(), rejected.into()))
}
