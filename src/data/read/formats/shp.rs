//! Stanford Human Preferences: two answers to a post and how many votes each has.

use crate::data::example::Prompt;
use crate::data::read::formats::columns::text;
use crate::data::read::row::parsed::{NO_PROMPT, Parsed, Wrong};
use crate::data::read::rows::{Row, shown};
use crate::model::Message;
use serde_json::Value;

const WEAK: &str = "scores are too close";
const NOT_POSITIVE: &str = "a score is not positive, so there is no ratio";
const DISAGREE: &str = "label and scores disagree";

/// A pair, if one score is at least `least` times the other. The ratio is taken of the scores,
/// greater by smaller.
pub(in crate::data) fn parse(row: &Row, least: f64) -> Result<Parsed, Wrong> {
    let (a, b) = (text(row, "human_ref_A")?, text(row, "human_ref_B")?);
    let history = text(row, "history")?;
    let a_is_better = match row.get("labels").and_then(Value::as_u64) {
        Some(1) => true,
        Some(0) => false,
        _ => {
            let got = row.get("labels").unwrap_or(&Value::Null);
            return Err(format!(
                "\"labels\" must be 1 (A is better) or 0 (B is better), got {}",
                shown(got)
            ));
        }
    };
    let (chosen, rejected, high, low) = if a_is_better {
        (a, b, score(row, "score_A")?, score(row, "score_B")?)
    } else {
        (b, a, score(row, "score_B")?, score(row, "score_A")?)
    };
    if let (Some(high), Some(low)) = (high, low) {
        if high < low {
            return Ok(Parsed::Dropped(DISAGREE));
        }
        if least > 1.0 && low <= 0.0 {
            return Ok(Parsed::LeftOut(NOT_POSITIVE));
        }
        if least > 1.0 && high / low < least {
            return Ok(Parsed::LeftOut(WEAK));
        }
    } else if least > 1.0 {
        return Err("a least ratio of scores needs \"score_A\" and \"score_B\"".into());
    }
    if history.trim().is_empty() {
        return Ok(Parsed::Dropped(NO_PROMPT));
    }
    let prompt = Prompt::Messages(vec![Message::new("user", history)]);
    Ok(Parsed::pair(prompt, chosen.into(), rejected.into()))
}

fn score(row: &Row, column: &str) -> Result<Option<f64>, Wrong> {
    match row.get(column) {
        None | Some(Value::Null) => Ok(None),
        Some(score) => match score.as_f64() {
            Some(score) => Ok(Some(score)),
            None => Err(format!(
                "\"{column}\" must be a number, got {}",
                shown(score)
            )),
        },
    }
}
