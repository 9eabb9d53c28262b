//! UltraFeedback as it was rated: four models' answers, each with ratings from 1 to 5 in several aspects.
//!
//! The binarised form has `chosen` and `rejected` and is read by its columns.

use super::columns::{self, NO_PROMPT};
use super::example::Prompt;
use super::format::{EMPTY, Parsed, Wrong};
use super::ranked::Ranked;
use super::rows::{Row, shown};
use crate::model::Message;
use serde_json::Value;

/// The answers with the mean of their ratings; or with `overall_score`, a critic's mark from 1 to 10, of which thousands are known to say 10 where the
/// critique says 1.
pub(super) fn parse(row: &Row, overall: bool) -> Result<Vec<Parsed>, Wrong> {
    let instruction = columns::text(row, "instruction")?;
    if instruction.trim().is_empty() {
        return Ok(vec![Parsed::Dropped(NO_PROMPT)]);
    }
    let Some(Value::Array(completions)) = row.get("completions") else {
        let got = row.get("completions").unwrap_or(&Value::Null);
        return Err(format!(
            "\"completions\" must be a list, got {}",
            shown(got)
        ));
    };
    let (mut answers, mut parsed) = (Vec::new(), Vec::new());
    for completion in completions {
        let Some(response) = completion["response"].as_str() else {
            return Err(format!(
                "a completion must have a text as \"response\", got {}",
                shown(completion)
            ));
        };
        if response.trim().is_empty() {
            parsed.push(Parsed::Dropped(EMPTY));
            continue;
        }
        let score = if overall {
            number(&completion["overall_score"])
        } else {
            mean_rating(&completion["annotations"])
        };
        match score {
            None => parsed.push(Parsed::Dropped("answer has no rating")),
            score => answers.push((response.to_string(), score)),
        }
    }
    if !answers.is_empty() {
        let prompt = Prompt::Messages(vec![Message::new("user", instruction)]);
        parsed.push(Parsed::Ranked(Ranked { prompt, answers }));
    }
    Ok(parsed)
}

/// Over the aspects that were rated; `None` if none was. Not applicable is written `N/A`.
fn mean_rating(annotations: &Value) -> Option<f64> {
    let aspects = annotations.as_object()?.values();
    // One aspect, or a list of one.
    let aspects = aspects.map(|aspect| {
        aspect
            .as_array()
            .and_then(|list| list.first())
            .unwrap_or(aspect)
    });
    let ratings: Vec<f64> = aspects
        .filter_map(|aspect| number(&aspect["Rating"]))
        .collect();
    let n = ratings.len();
    (n > 0).then(|| ratings.into_iter().sum::<f64>() / n as f64)
}

/// A number, or a text that is one.
fn number(value: &Value) -> Option<f64> {
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| number.is_finite())
}
