//! Regular expressions that try too many ways: the tokenizers library reads no further in a text
//! then, without a word, and the rest of it becomes other tokens.

use fancy_regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// Characters of each run in a text that is made for an expression.
const RUN: usize = 300;

/// Refuses a tokenizer with an expression that gives up on one of these texts, or on one made of
/// its own characters.
pub(super) fn check(tokenizer: &Value, texts: &[String]) -> Result<(), String> {
    let mut all = BTreeSet::new();
    for part in ["normalizer", "pre_tokenizer", "decoder"] {
        gather(&tokenizer[part], &mut all);
    }
    for expression in all {
        // What cannot be read here is for the library to refuse.
        let Ok(regex) = Regex::new(expression) else {
            continue;
        };
        let own = own(expression);
        for text in texts.iter().chain(&own) {
            if regex.find_iter(text).any(|found| found.is_err()) {
                let message = format!("its regular expression {expression:?} gives up on a text");
                return Err(format!("{message} of {} characters", text.chars().count()));
            }
        }
    }
    Ok(())
}

fn gather<'a>(value: &'a Value, all: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => {
            all.extend(map.get("Regex").and_then(Value::as_str));
            map.values().for_each(|value| gather(value, all));
        }
        Value::Array(list) => list.iter().for_each(|value| gather(value, all)),
        _ => {}
    }
}

/// Runs of each letter or digit that it has, with and without another end.
fn own(expression: &str) -> Vec<String> {
    let letters: BTreeSet<char> = expression.chars().filter(|c| c.is_alphanumeric()).collect();
    let runs = letters
        .into_iter()
        .take(64)
        .map(|c| c.to_string().repeat(RUN));
    runs.flat_map(|run| [run.clone() + "!", run]).collect()
}
