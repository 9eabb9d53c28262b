//! Which turns are learned from and which are there to be answered only, in all spellings in use.

use crate::data::read::row::parsed::Wrong;
use crate::data::read::rows::shown;
use serde_json::Value;

/// Keys of a message that say what it counts.
const WEIGHTS: [&str; 9] = [
    "weight",
    "loss_weight",
    "loss",
    "train",
    "training",
    "trainable",
    "train_on",
    "loss_mask",
    "masked",
];
/// Those that say it the other way round.
const TURNED: &str = "masked";
/// Keys that say it of parts of a message, by characters.
const PARTS: [&str; 3] = ["train_detail", "training_detail", "train_on_spans"];

/// Whether a key of a message says what it counts.
pub(in crate::data) fn is_read(key: &str) -> bool {
    WEIGHTS.contains(&key) || PARTS.contains(&key)
}

/// Whether a message is context only.
///
/// # Errors
///
/// Where a weight is neither 0 nor 1, where two of them differ, and where parts of the message have
/// their own.
pub(in crate::data) fn is_context(message: &Value) -> Result<bool, Wrong> {
    let given = |key: &&'static str| Some((*key, message.get(*key).filter(|v| !v.is_null())?));
    if let Some((key, _)) = PARTS.iter().find_map(given) {
        return Err(format!(
            "\"{key}\" weighs parts of a message, and a message is learned as a whole: \"weight\" 0 \
             makes it context only"
        )
        .into());
    }
    let mut found: Option<(&str, bool)> = None;
    for (key, value) in WEIGHTS.iter().filter_map(given) {
        let counts = counts(value).ok_or_else(|| {
            let got = shown(value);
            format!("\"{key}\" of a message must be 0 (context only) or 1, got {got}")
        })?;
        let counts = counts != (key == TURNED);
        match found {
            Some((other, same)) if same != counts => {
                return Err(format!("\"{other}\" and \"{key}\" of a message differ").into());
            }
            _ => found = Some((key, counts)),
        }
    }
    Ok(found.is_some_and(|(_, counts)| !counts))
}

/// 0 or 1, as a number, a truth or the text of one.
fn counts(value: &Value) -> Option<bool> {
    let text = value.as_str().map(|text| text.trim().to_lowercase());
    let number = match &text {
        Some(text) => text.parse().ok(),
        None => value.as_f64(),
    };
    match (value.as_bool(), number, text.as_deref()) {
        (Some(counts), ..) => Some(counts),
        (_, Some(1.0), _) | (_, _, Some("true")) => Some(true),
        (_, Some(0.0), _) | (_, _, Some("false")) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_spelling_says_the_same() {
        for context in [
            json!({"weight": 0}),
            json!({"weight": 0.0}),
            json!({"loss_weight": "0"}),
            json!({"loss": false}),
            json!({"train": false}),
            json!({"training": "False"}),
            json!({"masked": true}),
            json!({"masked": 1, "weight": 0}),
        ] {
            assert!(is_context(&context).unwrap(), "{context}");
        }
        for learned in [
            json!({}),
            json!({"weight": null}),
            json!({"weight": 1}),
            json!({"loss": 1.0, "train": true}),
            json!({"masked": false}),
        ] {
            assert!(!is_context(&learned).unwrap(), "{learned}");
        }
        for wrong in [
            json!({"weight": 0.5}),
            json!({"weight": -1}),
            json!({"train": "no"}),
            json!({"loss": [0]}),
            json!({"weight": 0, "train": true}),
            json!({"train_detail": [{"begin_offset": 0}]}),
        ] {
            assert!(is_context(&wrong).is_err(), "{wrong}");
        }
    }
}
