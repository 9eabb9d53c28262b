//! OpenAssistant: trees of messages, answers ranked by people (rank 0 is the best).

use super::example::Prompt;
use super::format::{EMPTY, Parsed, Wrong};
use super::ranked::Ranked;
use super::rows::{Row, shown};
use crate::model::Message;
use serde_json::{Map, Value};

const DELETED: &str = "message is deleted";
const REFUSED: &str = "message did not pass review";
const LANGUAGE: &str = "message is in another language";
const UNRANKED: &str = "answer has no rank among its siblings";

/// The ranked answers of each prompt of a tree, or of a message with its replies. Keys that are null are as good as absent.
pub(super) fn parse(row: &Row, language: Option<&str>) -> Result<Vec<Parsed>, Wrong> {
    let root = match row.get("message_tree_id").and(row.get("prompt")) {
        Some(Value::Object(prompt)) => prompt,
        Some(Value::Null) => return Ok(vec![Parsed::Dropped("tree has no prompt")]),
        Some(other) => {
            return Err(format!(
                "\"prompt\" of a tree must be a message, got {}",
                shown(other)
            ));
        }
        None => row,
    };
    let mut tree = Tree {
        language,
        found: Vec::new(),
    };
    match usable(root, language)? {
        Err(dropped) => tree.found.push(dropped),
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
    /// What people said after `path`, whose last message is `message`. JSON that is nested deeper than 128 was refused before.
    fn below(&mut self, message: &Map<String, Value>, path: &[Message]) -> Result<(), Wrong> {
        let replies = match message.get("replies") {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(replies)) => replies,
            Some(other) => return Err(format!("\"replies\" must be a list, got {}", shown(other))),
        };
        let mut answers = Vec::new();
        for reply in replies {
            let Value::Object(reply) = reply else {
                return Err(format!("a reply must be a message, got {}", shown(reply)));
            };
            let (role, text) = match usable(reply, self.language)? {
                Ok(usable) => usable,
                Err(dropped) => {
                    self.found.push(dropped);
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
            return Ok(());
        }
        if answers.len() > 1 {
            let unranked = answers.iter().filter(|(_, score)| score.is_none());
            let dropped = unranked.map(|_| Parsed::Dropped(UNRANKED));
            self.found.extend(dropped);
        }
        let prompt = Prompt::Messages(path.to_vec());
        self.found.push(Parsed::Ranked(Ranked { prompt, answers }));
        Ok(())
    }
}

/// Role and text; or what became of the message, and with it of all that follows.
type Usable<'a> = Result<(&'static str, &'a str), Parsed>;

fn usable<'a>(
    message: &'a Map<String, Value>,
    language: Option<&str>,
) -> Result<Usable<'a>, Wrong> {
    let text = |key: &str| message.get(key).and_then(Value::as_str);
    let role = match text("role") {
        Some("prompter") => "user",
        Some("assistant") => "assistant",
        _ => {
            let got = message.get("role").unwrap_or(&Value::Null);
            return Err(format!(
                "a message's role must be prompter or assistant, got {}",
                shown(got)
            ));
        }
    };
    let content = text("text").ok_or("a message must have a \"text\"")?;
    let is = |key: &str, value: bool| message.get(key) == Some(&Value::Bool(value));
    Ok(if is("deleted", true) {
        Err(Parsed::Dropped(DELETED))
    } else if is("review_result", false) {
        Err(Parsed::Dropped(REFUSED))
    } else if language.is_some_and(|language| text("lang") != Some(language)) {
        Err(Parsed::LeftOut(LANGUAGE))
    } else if content.trim().is_empty() {
        Err(Parsed::Dropped(EMPTY))
    } else {
        Ok((role, content))
    })
}

fn rank(message: &Map<String, Value>) -> Result<Option<f64>, Wrong> {
    match message.get("rank") {
        None | Some(Value::Null) => Ok(None),
        Some(rank) => match rank.as_u64() {
            Some(rank) => Ok(Some(rank as f64)),
            None => Err(format!("\"rank\" must be 0, 1, …, got {}", shown(rank))),
        },
    }
}
