//! What columns are called: by their own names, and by others that data sets and trainers use.

use serde_json::Value;

/// A column and its other names, the likelier ones first.
pub(in crate::data) struct Column {
    /// Its own name.
    pub(in crate::data) name: &'static str,
    /// What it is called elsewhere.
    pub(in crate::data) others: &'static [&'static str],
    /// Whether a value can be of it: what another name holds may be something else, such as the
    /// number of `turns`.
    pub(in crate::data) holds: fn(&Value) -> bool,
}

fn texts(value: &Value) -> bool {
    value.is_string() || value.is_array() || value.is_object()
}

fn lists(value: &Value) -> bool {
    let text = value.as_str().map(str::trim_start);
    value.is_array() || text.is_some_and(|text| text.starts_with('['))
}

fn objects(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(Value::is_object),
        other => lists(other),
    }
}

fn numbers(value: &Value) -> bool {
    let text = value.as_str().map(str::trim);
    value.is_number() || text.is_some_and(|text| text.parse::<f64>().is_ok())
}

fn thumbs(value: &Value) -> bool {
    value.is_boolean() || value.is_number() || value.is_string()
}

/// What was asked.
pub(in crate::data) const PROMPT: Column = Column {
    name: "prompt",
    others: &[
        "question",
        "query",
        "instruction",
        "problem",
        "user_prompt",
        "user_input",
        "user_message",
        "prompt_text",
        "input.messages",
    ],
    holds: texts,
};

/// What belongs to a prompt beside it, and is the prompt where there is no other.
pub(in crate::data) const INPUT: Column = Column {
    name: "input",
    others: &["context"],
    // Documents are none.
    holds: Value::is_string,
};

/// One answer.
pub(in crate::data) const COMPLETION: Column = Column {
    name: "completion",
    others: &[
        "response",
        "answer",
        "output",
        "reply",
        "solution",
        "generation",
        "model_output",
        "model_response",
        "generated_text",
        "generated_solution",
        "model_answer",
        "assistant_response",
        "bot_response",
        "target",
    ],
    holds: texts,
};

/// The better of two answers.
pub(in crate::data) const CHOSEN: Column = Column {
    name: "chosen",
    others: &[
        "chosen_messages",
        "chosen_response",
        "chosen_answer",
        "chosen_output",
        "chosen_completion",
        "response_chosen",
        "answer_chosen",
        "preferred",
        "preferred_output",
        "preferred_response",
        "preferred_answer",
        "preferred_completion",
        "accepted",
        "accepted_response",
        "positive",
        "winner_response",
    ],
    holds: texts,
};

/// The worse of two answers.
pub(in crate::data) const REJECTED: Column = Column {
    name: "rejected",
    others: &[
        "rejected_messages",
        "rejected_response",
        "rejected_answer",
        "rejected_output",
        "rejected_completion",
        "response_rejected",
        "answer_rejected",
        "non_preferred",
        "non_preferred_output",
        "non_preferred_response",
        "dispreferred",
        "dispreferred_output",
        "dispreferred_response",
        "dispreferred_completion",
        "unpreferred",
        "unpreferred_output",
        "negative",
        "loser_response",
    ],
    holds: texts,
};

/// A whole conversation.
pub(in crate::data) const MESSAGES: Column = Column {
    name: "messages",
    others: &[
        "conversation",
        "conversations",
        "dialogue",
        "dialog",
        "chat",
        "turns",
        "contents",
    ],
    holds: lists,
};

/// A thumb.
pub(in crate::data) const LABEL: Column = Column {
    name: "label",
    others: &[
        "kto_tag",
        "desirable",
        "is_desirable",
        "thumbs_up",
        "thumb_up",
    ],
    holds: thumbs,
};

/// How good an answer is.
pub(in crate::data) const SCORE: Column = Column {
    name: "score",
    others: &["rating", "reward"],
    holds: numbers,
};

/// What the system says.
pub(in crate::data) const SYSTEM: Column = Column {
    name: "system",
    others: &[
        "system_prompt",
        "system_message",
        "systemInstruction",
        "system_instruction",
    ],
    holds: texts,
};

/// What can be called.
pub(in crate::data) const TOOLS: Column = Column {
    name: crate::model::TOOLS,
    others: &["functions", "input.tools"],
    holds: objects,
};

/// What was said before.
pub(in crate::data) const HISTORY: Column = Column {
    name: "history",
    others: &[],
    holds: texts,
};

/// All of them.
pub(in crate::data) const ALL: [&Column; 11] = [
    &PROMPT,
    &INPUT,
    &COMPLETION,
    &CHOSEN,
    &REJECTED,
    &MESSAGES,
    &LABEL,
    &SCORE,
    &SYSTEM,
    &TOOLS,
    &HISTORY,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_stands_for_one_column() {
        let mut seen = BTreeSet::new();
        for column in ALL {
            for name in [column.name].iter().chain(column.others) {
                assert!(seen.insert(*name), "{name} stands for two columns");
            }
        }
    }
}
