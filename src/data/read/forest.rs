//! OpenAssistant's messages one a row: trees are made of them by `parent_id`, as answers are ranked
//! among their siblings.

use crate::data::read::rows::JsonRow;
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

/// What a message has that a tree needs.
const KEPT: [&str; 8] = [
    "message_id",
    "parent_id",
    "text",
    "role",
    "lang",
    "rank",
    "deleted",
    "review_result",
];

/// Messages below each other; JSON may be nested as deeply.
const DEEPEST: usize = 127;

/// Messages until all of them are there.
#[derive(Default)]
pub(in crate::data) struct Forest {
    messages: Vec<Sown>,
    places: HashMap<String, usize>,
}

struct Sown {
    file: PathBuf,
    line: usize,
    row: JsonRow,
    parent: Option<String>,
}

/// A tree, and the row of its prompt.
pub(in crate::data) struct Grown {
    pub(in crate::data) file: PathBuf,
    pub(in crate::data) line: usize,
    pub(in crate::data) row: JsonRow,
}

impl Forest {
    /// Whether a row is a message that knows its parent but not its replies.
    pub(in crate::data) fn takes(row: &JsonRow) -> bool {
        let given = |key: &str| row.get(key).is_some_and(|value| !value.is_null());
        // Of a message that was deleted the text may be null.
        let named = ["text", "role", "parent_id"];
        given("message_id") && named.iter().all(|key| row.contains_key(*key)) && !given("replies")
    }

    /// Takes a message.
    pub(in crate::data) fn add(
        &mut self,
        file: &Path,
        line: usize,
        mut row: JsonRow,
    ) -> Result<(), String> {
        let id = |key: &str| row.get(key).and_then(Value::as_str).map(String::from);
        let own = id("message_id").ok_or("\"message_id\" must be a text")?;
        let parent = match row.get("parent_id") {
            Some(Value::Null) => None,
            _ => Some(id("parent_id").ok_or("\"parent_id\" must be a text or null")?),
        };
        if let Some(before) = self.places.insert(own, self.messages.len()) {
            let line = self.messages[before].line;
            return Err(format!("\"message_id\" is that of line {line} too"));
        }
        row.retain(|key, _| KEPT.contains(&key.as_str()));
        self.messages.push(Sown {
            file: file.into(),
            line,
            row,
            parent,
        });
        Ok(())
    }

    /// The trees, in the order of their prompts; and where the messages stand that belong to none,
    /// as those that they answer are not there.
    pub(in crate::data) fn grow(mut self) -> (Vec<Grown>, Vec<(PathBuf, usize)>) {
        let parents: Vec<Option<usize>> = self.messages.iter().map(|m| self.parent(m)).collect();
        let mut replies: Vec<Vec<usize>> = vec![Vec::new(); self.messages.len()];
        for (i, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                replies[*parent].push(i);
            }
        }
        let is_root = |i: &usize| self.messages[*i].parent.is_none();
        let roots: Vec<usize> = (0..self.messages.len()).filter(is_root).collect();
        // Each behind what it answers, so that from the end on all replies are whole.
        let mut order = Vec::new();
        let mut next: VecDeque<(usize, usize)> = roots.iter().map(|root| (*root, 0)).collect();
        while let Some((i, depth)) = next.pop_front() {
            order.push(i);
            if depth < DEEPEST / 2 {
                next.extend(replies[i].iter().map(|reply| (*reply, depth + 1)));
            }
        }
        let is_there: HashSet<usize> = order.iter().copied().collect();
        let left = self.messages.iter().enumerate();
        let left = left.filter(|(i, _)| !is_there.contains(i));
        let left = left
            .map(|(_, sown)| (sown.file.clone(), sown.line))
            .collect();
        for i in order.into_iter().rev() {
            let below = replies[i].iter().filter(|reply| is_there.contains(reply));
            let below: Vec<Value> = below
                .map(|reply| Value::Object(std::mem::take(&mut self.messages[*reply].row)))
                .collect();
            self.messages[i].row.insert("replies".into(), below.into());
        }
        let trees = roots.into_iter().map(|root| {
            let sown = &mut self.messages[root];
            Grown {
                file: sown.file.clone(),
                line: sown.line,
                row: std::mem::take(&mut sown.row),
            }
        });
        (trees.collect(), left)
    }

    fn parent(&self, message: &Sown) -> Option<usize> {
        self.places.get(message.parent.as_ref()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn forest(messages: &[(&str, Option<&str>)]) -> Forest {
        let mut forest = Forest::default();
        for (i, (id, parent)) in messages.iter().enumerate() {
            let row =
                json!({"message_id": id, "parent_id": parent, "text": id, "role": "prompter"});
            let Value::Object(row) = row else { continue };
            assert!(Forest::takes(&row));
            forest.add(Path::new("x"), i + 1, row).unwrap();
        }
        forest
    }

    #[test]
    fn messages_join_those_that_they_answer() {
        let (trees, left) = forest(&[
            ("c", Some("a")),
            ("a", None),
            ("b", Some("a")),
            ("d", Some("c")),
            ("lost", Some("nowhere")),
            ("x", Some("y")),
            ("y", Some("x")),
        ])
        .grow();
        assert_eq!((trees.len(), left.len()), (1, 3));
        assert_eq!(left[0], ("x".into(), 5));
        let tree = Value::Object(trees[0].row.clone());
        let ids = |value: &Value| -> Vec<String> {
            let replies = value["replies"].as_array().unwrap();
            replies
                .iter()
                .map(|r| r["message_id"].to_string())
                .collect()
        };
        assert_eq!(ids(&tree), ["\"c\"", "\"b\""]);
        assert_eq!(ids(&tree["replies"][0]), ["\"d\""]);
        assert_eq!(trees[0].line, 2);
    }

    #[test]
    fn a_chain_without_end_is_cut_and_an_id_comes_once() {
        let ids: Vec<String> = (0..100_000).map(|i| i.to_string()).collect();
        let chain = ids.iter().enumerate();
        let chain: Vec<_> = chain
            .map(|(i, id)| {
                (
                    id.as_str(),
                    i.checked_sub(1).map(|before| ids[before].as_str()),
                )
            })
            .collect();
        let (trees, left) = forest(&chain).grow();
        assert_eq!((trees.len(), left.len()), (1, 100_000 - 64));
        let mut twice = forest(&[("a", None)]);
        let row = json!({"message_id": "a", "parent_id": null, "text": "", "role": "assistant"});
        let error = twice.add(Path::new("x"), 2, row.as_object().unwrap().clone());
        assert_eq!(error.unwrap_err(), "\"message_id\" is that of line 1 too");
    }
}
