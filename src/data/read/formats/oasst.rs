//! OpenAssistant: trees of messages, answers ranked by people (rank 0 is the best).

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::parsed::{Feedback, Parsed, Wrong};
use crate::data::read::row::ranked::Ranked;
use crate::data::read::rows::{JsonRow, shown};
use crate::data::reason::{DropReason, LeftOutReason};
use crate::model::Message;
use serde_json::{Map, Value};

const READS: &[&str] = &[
    "message_tree_id",
    "message_id",
    "prompt",
    "role",
    "text",
    "lang",
    "rank",
    "deleted",
    "review_result",
    "replies",
];

pub(super) const FORM: Form = Form {
    format: Format::Oasst,
    name: "oasst",
    recognises: |columns| {
        // Of a message that was deleted the rest may be null.
        let is_named = |name: &str| columns.row.contains_key(name);
        columns.has(&["message_tree_id", "prompt"])
            || (columns.has(&["message_id"]) && is_named("text") && is_named("role"))
    },
    reads: READS,
    beside: &[
        "parent_id",
        "user_id",
        "created_date",
        "review_count",
        "synthetic",
        "model_name",
        "detoxify",
        "tree_state",
        "emojis",
        "labels",
    ],
    unweighted: Some("rows without a label"),
    parse: |columns, choices| {
        columns.looked_at(READS);
        parse(columns.row, choices.language.as_deref())
    },
};

/// The ranked answers of each prompt of a tree, or of a message with its replies. Keys that are
/// null are as good as absent.
fn parse(row: &JsonRow, language: Option<&str>) -> Result<Vec<Parsed>, Wrong> {
    let root = match row.get("message_tree_id").and(row.get("prompt")) {
        Some(Value::Object(prompt)) => prompt,
        Some(Value::Null) => return Ok(vec![Parsed::Dropped(DropReason::NoTreePrompt)]),
        Some(other) => {
            return Err(format!(
                "\"prompt\" of a tree must be a message, got {}",
                shown(other)
            )
            .into());
        }
        None if matches!(row.get("replies"), None | Some(Value::Null)) => {
            return Err(
                "is one message of a tree, without \"replies\": answers are ranked among their siblings, so whole trees are needed (OpenAssistant's .trees.jsonl.gz)"
                    .into(),
            );
        }
        None => row,
    };
    let mut tree = Tree {
        language,
        found: Vec::new(),
    };
    match usable(root, language)? {
        Err(left) => tree.without(left, root)?,
        Ok(("user", text)) => tree.below(root, &[Message::new("user", text)])?,
        Ok(_) => return Err("a tree must begin with a prompter's message".into()),
    }
    Ok(tree.found)
}

struct Tree<'a> {
    language: Option<&'a str>,
    found: Vec<Parsed>,
}

impl Tree<'_> {
    /// What people said after `path`, whose last message is `message`. JSON that is nested deeper
    /// than 128 was refused before.
    fn below(&mut self, message: &Map<String, Value>, path: &[Message]) -> Result<(), Wrong> {
        let mut answers = Vec::new();
        for reply in replies(message)? {
            let (role, text) = match usable(reply, self.language)? {
                Ok(usable) => usable,
                Err(left) => {
                    self.without(left, reply)?;
                    continue;
                }
            };
            if role == "assistant" {
                answers.push((text.to_string(), rank(reply)?.map(|rank| -rank)));
            }
            let mut path = path.to_vec();
            path.push(Message::new(role, text));
            self.below(reply, &path)?;
        }
        if answers.is_empty() {
            if path.last().is_some_and(|message| message.role == "user") {
                self.found.push(Parsed::LeftOut(LeftOutReason::Unanswered));
            }
            return Ok(());
        }
        let unranked = answers.iter().filter(|(_, rank)| rank.is_none()).count();
        if answers.len() > 1 {
            let dropped = (0..unranked).map(|_| Parsed::Dropped(DropReason::AnswerUnranked));
            self.found.extend(dropped);
            // All are counted, so nothing is left to be said of them together.
            if unranked == answers.len() {
                return Ok(());
            }
        }
        let prompt = Prompt::Messages(path.to_vec());
        self.found
            .push(Parsed::Kept(Feedback::Ranked(Ranked { prompt, answers })));
        Ok(())
    }

    /// Counts a message that is of no use, and each that follows it.
    fn without(&mut self, left: Parsed, message: &Map<String, Value>) -> Result<(), Wrong> {
        let asked = matches!(left, Parsed::LeftOut(_));
        self.found.push(left);
        for reply in replies(message)? {
            let follows = if asked {
                Parsed::LeftOut(LeftOutReason::FollowsLeftOut)
            } else {
                Parsed::Dropped(DropReason::FollowsLeftOut)
            };
            self.without(follows, reply)?;
        }
        Ok(())
    }
}

fn replies(message: &Map<String, Value>) -> Result<Vec<&Map<String, Value>>, Wrong> {
    let replies = match message.get("replies") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(replies)) => replies.iter(),
        Some(other) => {
            return Err(format!("\"replies\" must be a list, got {}", shown(other)).into());
        }
    };
    let message = |reply: &'_ Value| -> Wrong {
        format!("a reply must be a message, got {}", shown(reply)).into()
    };
    replies
        .map(|reply| reply.as_object().ok_or_else(|| message(reply)))
        .collect()
}

/// Role and text; or what became of the message, and with it of all that follows.
type Usable<'a> = Result<(&'static str, &'a str), Parsed>;

fn usable<'a>(
    message: &'a Map<String, Value>,
    language: Option<&str>,
) -> Result<Usable<'a>, Wrong> {
    if flag(message, "deleted")? == Some(true) {
        return Ok(Err(Parsed::Dropped(DropReason::MessageDeleted)));
    }
    let text = |key: &str| message.get(key).and_then(Value::as_str);
    let role = match text("role") {
        Some("prompter") => "user",
        Some("assistant") => "assistant",
        _ => {
            let got = message.get("role").unwrap_or(&Value::Null);
            return Err(format!(
                "a message's role must be prompter or assistant, got {}",
                shown(got)
            )
            .into());
        }
    };
    let content = match message.get("text") {
        Some(Value::Null) => "",
        _ => text("text").ok_or("a message must have a \"text\"")?,
    };
    Ok(if flag(message, "review_result")? == Some(false) {
        Err(Parsed::Dropped(DropReason::MessageRejected))
    } else if language.is_some_and(|language| text("lang") != Some(language)) {
        Err(Parsed::LeftOut(LeftOutReason::OtherLanguage))
    } else if content.trim().is_empty() {
        Err(Parsed::Dropped(DropReason::EmptyCompletion))
    } else {
        Ok((role, content))
    })
}

fn flag(message: &Map<String, Value>, key: &str) -> Result<Option<bool>, Wrong> {
    match message.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(format!(
            "\"{key}\" must be true, false or null, got {}",
            shown(other)
        )
        .into()),
    }
}

/// Tables have whole numbers as floats where some are missing.
fn rank(message: &Map<String, Value>) -> Result<Option<f64>, Wrong> {
    match message.get("rank") {
        None | Some(Value::Null) => Ok(None),
        Some(rank) => match rank.as_f64() {
            Some(whole) if whole >= 0.0 && whole.fract() == 0.0 => Ok(Some(whole)),
            _ => Err(format!("\"rank\" must be 0, 1, …, got {}", shown(rank)).into()),
        },
    }
}
