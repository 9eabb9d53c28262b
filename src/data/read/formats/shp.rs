//! Stanford Human Preferences: two answers to a post and how many votes each has.

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::rows::shown;
use crate::data::reason::{DropReason, LeftOutReason};
use crate::model::Message;
use serde_json::Value;

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
    ],
    reports_unread: false,
    unweighted: Some("rows without a label"),
    asks_apart: false,
    answers: &[],
    parse: |columns, choices| Ok(vec![parse(columns, choices.score_ratio)?]),
};

/// A pair, if one score is at least `least` times the other. The ratio is taken of the scores,
/// greater by smaller.
fn parse(columns: &Columns<'_>, least: f64) -> Result<Parsed, Wrong> {
    let text = |column| columns.required(column)?.text();
    let (a, b) = (text("human_ref_A")?, text("human_ref_B")?);
    let history = text("history")?;
    let labels = columns.row.get("labels");
    let a_is_better = match labels.and_then(Value::as_u64) {
        Some(1) => true,
        Some(0) => false,
        _ => {
            let got = labels.unwrap_or(&Value::Null);
            return Err(format!(
                "\"labels\" must be 1 (A is better) or 0 (B is better), got {}",
                shown(got)
            ));
        }
    };
    let score = |column| {
        Cell::given(columns.row, column)
            .map(Cell::number)
            .transpose()
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
