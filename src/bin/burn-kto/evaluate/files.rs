//! Where the benchmarks lie in the data folder.

use super::{Options, usage};
use burn_kto::prelude::*;
use std::path::{Path, PathBuf};

/// The first of these names that is there.
pub(super) fn find(options: &Options, names: &[&str]) -> Result<PathBuf, Error> {
    let Some(folder) = &options.data else {
        return Err(usage(format!(
            "--data DIR is needed, a folder that has {}",
            names[0]
        )));
    };
    let paths = names.iter().map(|name| folder.join(name));
    paths.into_iter().find(|path| path.exists()).ok_or_else(|| {
        usage(format!(
            "{}: has no {}",
            folder.display(),
            names.join(", no ")
        ))
    })
}

/// Prompts with the completion that a row calls the better or only one.
pub(super) fn prompts(path: &Path) -> Result<Vec<(Prompt, Option<String>)>, Error> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let first: serde_json::Value =
        serde_json::from_str(text.lines().next().unwrap_or_default()).unwrap_or_default();
    if first["turns"].is_array() {
        let question = |(i, line): (usize, &str)| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let Some(text) = row["turns"][0].as_str() else {
                return Err(Error::Record {
                    path: path.into(),
                    line: i + 1,
                    message: "is not a question of MT-bench: no text in \"turns\"".into(),
                });
            };
            Ok((Prompt::from(vec![Message::new("user", text)]), None))
        };
        let lines = text.lines().enumerate();
        let rows = lines.filter(|(_, line)| !line.trim().is_empty());
        return rows.map(question).collect();
    }
    let loaded = read_sft(path)?;
    let rows = loaded.examples.into_iter();
    Ok(rows.map(|row| (row.prompt, Some(row.completion))).collect())
}

/// A text that is no conversation is a user's message, for models that have a template.
pub(super) fn messages(prompt: &Prompt) -> Vec<Message> {
    match prompt {
        Prompt::Text(text) => vec![Message::new("user", text)],
        Prompt::Messages(messages) => messages.clone(),
    }
}
