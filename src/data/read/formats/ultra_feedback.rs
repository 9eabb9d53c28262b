//! UltraFeedback as it was rated: four models' answers, each with ratings from 1 to 5 in several
//! aspects.
//!
//! The binarised form has `chosen` and `rejected` and is read by its columns.

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::columns::Columns;
use crate::data::read::row::parsed::{Feedback, Parsed, Wrong};
use crate::data::read::row::ranked::Ranked;
use crate::data::read::rows::shown;
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;

pub(super) const FORM: Form = Form {
    format: Format::UltraFeedback,
    name: "ultra-feedback",
    recognises: |columns| columns.has(&["instruction", "completions"]),
    reads: &["instruction", "completions", "system", "tools"],
    beside: &["source", "models", "correct_answers", "incorrect_answers"],
    unweighted: Some("rows without a label"),
    parse: |columns, choices| parse(columns, choices.overall_score),
};

/// The answers with the mean of their ratings; or with `overall_score`, a critic's mark from 1 to
/// 10, of which thousands are known to say 10 where the critique says 1.
fn parse(columns: &Columns<'_>, overall: bool) -> Result<Vec<Parsed>, Wrong> {
    let instruction = columns.required("instruction")?.text()?;
    if instruction.trim().is_empty() {
        return Ok(vec![Parsed::Dropped(DropReason::EmptyPrompt)]);
    }
    let completions = columns.required("completions")?;
    if completions.value.is_null() {
        return Ok(vec![Parsed::Dropped(DropReason::NoCompletions)]);
    }
    let Value::Array(completions) = completions.value else {
        return Err(completions.must_be("a list"));
    };
    if completions.is_empty() {
        return Ok(vec![Parsed::Dropped(DropReason::NoCompletions)]);
    }
    let (mut answers, mut parsed) = (Vec::new(), Vec::new());
    for completion in completions {
        if completion["response"].is_null() && completion.get("response").is_some() {
            parsed.push(Parsed::Dropped(DropReason::EmptyCompletion));
            continue;
        }
        let Some(response) = completion["response"].as_str() else {
            return Err(format!(
                "a completion must have a text as \"response\", got {}",
                shown(completion)
            )
            .into());
        };
        if response.trim().is_empty() {
            parsed.push(Parsed::Dropped(DropReason::EmptyCompletion));
            continue;
        }
        let score = if overall {
            number(completion, "overall_score")?
        } else {
            mean_rating(&completion["annotations"])?
        };
        match score {
            None => parsed.push(Parsed::Dropped(DropReason::AnswerUnrated)),
            score => answers.push((response.to_string(), score)),
        }
    }
    if !answers.is_empty() {
        let prompt = Prompt::Messages(vec![Message::new("user", instruction)]);
        parsed.push(Parsed::Kept(Feedback::Ranked(Ranked { prompt, answers })));
    }
    Ok(parsed)
}

/// Over the aspects that were rated; `None` if none was.
fn mean_rating(annotations: &Value) -> Result<Option<f64>, Wrong> {
    let aspects = annotations.as_object().into_iter().flat_map(|a| a.values());
    let mut ratings = Vec::new();
    for aspect in aspects {
        // One aspect, or a list of one.
        let one = aspect.as_array().and_then(|list| list.first());
        ratings.extend(number(one.unwrap_or(aspect), "Rating")?);
    }
    let n = ratings.len();
    Ok((n > 0).then(|| ratings.into_iter().sum::<f64>() / n as f64))
}

/// A number, or a text that is one. Not applicable is written `N/A`.
fn number(rated: &Value, key: &str) -> Result<Option<f64>, Wrong> {
    let number = match &rated[key] {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim() == "N/A" => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    };
    match number.filter(|number| number.is_finite()) {
        Some(number) => Ok(Some(number)),
        None => Err(format!(
            "\"{key}\" must be a number or \"N/A\", got {}",
            shown(&rated[key])
        )
        .into()),
    }
}
