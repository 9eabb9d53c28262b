//! Lists that stand in a text, as tables and exports write them.

use crate::data::read::row::parsed::Wrong;
use crate::data::read::rows::parse;
use serde_json::Value;

/// The messages that a text is plainly a list of, as JSON; `None` where it is a text like others.
///
/// # Errors
///
/// Where it is such a list as Python prints it: it would be taken for what somebody said.
pub(in crate::data) fn messages(text: &str, column: &str) -> Result<Option<Value>, Wrong> {
    let Some(value) = list(text, column)? else {
        return Ok(None);
    };
    let all = match &value {
        Value::Array(items) => !items.is_empty() && items.iter().all(is_message),
        value => is_message(value),
    };
    Ok(all.then_some(value))
}

/// The value that a text writes as JSON, where it begins like a list or an object.
///
/// # Errors
///
/// Where Python printed a list of messages.
pub(in crate::data) fn list(text: &str, column: &str) -> Result<Option<Value>, Wrong> {
    let start = text.trim();
    if !start.starts_with(['[', '{']) {
        return Ok(None);
    }
    let printed = ["[{'", "{'", "[{\"role\": '", "[{'role': \""];
    let has = |keys: [&str; 2]| {
        let mut keys = keys.iter().map(|key| format!("'{key}'"));
        keys.any(|key| start.contains(&key) || start.contains(&key.replace('\'', "\"")))
    };
    // Python's dictionaries are what answers in code are about, too.
    if printed.iter().any(|begin| start.starts_with(begin))
        && start.ends_with([']', '}'])
        && has(["role", "from"])
        && has(["content", "value"])
    {
        return Err(format!(
            "\"{column}\" is a list as Python prints it, not JSON: write it with json.dumps, or \
             export the table as JSON Lines or Parquet"
        )
        .into());
    }
    Ok(parse(text).ok())
}

fn is_message(value: &Value) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| value.get(*name).is_some());
    has(&["role", "from"]) && has(&["content", "value", "parts", "tool_calls"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plainly_a_list_of_messages_is_one() {
        let read = |text: &str| messages(text, "prompt").unwrap().is_some();
        assert!(read(r#" [{"role": "user", "content": "a"}]"#));
        assert!(read(r#"{"from": "human", "value": "a"}"#));
        for text in [
            "[1] says the book",
            "[]",
            "{}",
            r#"[{"role": "user"}]"#,
            r#"[{"role": "user", "content": "a"}, 1]"#,
            r#"Write JSON: [{"role": "user", "content": "a"}]"#,
            "[{'a': 1}]",
        ] {
            assert!(!read(text), "{text}");
        }
        let printed = "[{'content': 'a', 'role': 'user'}\n {'content': 'b'}]";
        assert!(messages(printed, "prompt").is_err());
    }
}
