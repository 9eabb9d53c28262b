//! BIG-Bench Hard with chains of thought (Suzgun et al. 2022).

use crate::error::Error;
use crate::eval::tasks::extract::{bbh_harness, bbh_paper};
use crate::eval::tasks::source::{files, read_text, wrong};
use crate::eval::tasks::task::{Completion, Grade, Item, Task, Texts};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct File {
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    input: String,
    target: String,
}

/// BBH, three worked examples before each question, with two scores side by side: `paper` and
/// `harness`, after the rules [`bbh_paper`] and [`bbh_harness`]. The paper averages over tasks
/// (macro), the harness over questions (micro).
#[derive(Clone, Debug)]
pub struct Bbh {
    items: Vec<Item<Completion>>,
    targets: Vec<String>,
}

impl Bbh {
    /// Reads `tasks/*.json` and, for each, the file of the same name in `prompts/*.txt`: a canary
    /// line, `-----`, a description, examples.
    ///
    /// # Errors
    ///
    /// Where a file is missing or damaged.
    pub fn load(tasks: impl AsRef<Path>, prompts: impl AsRef<Path>) -> Result<Self, Error> {
        let (mut items, mut targets) = (Vec::new(), Vec::new());
        for path in files(tasks.as_ref(), ".json")? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let shots = prompt(&prompts.as_ref().join(format!("{name}.txt")))?;
            let file: File = serde_json::from_str(&read_text(&path)?)
                .map_err(|error| wrong(&path, error.line(), &error))?;
            if file.examples.is_empty() {
                return Err(wrong(&path, 1, "has no example"));
            }
            for (i, Example { input, target }) in file.examples.into_iter().enumerate() {
                let text = format!("{shots}\n\nQ: {input}\nA: Let's think step by step.\n");
                items.push(Item {
                    id: format!("{name}/{i}"),
                    group: name.to_string(),
                    request: Completion::greedy(text, &["</s>", "Q", "\n\n"], 1024),
                });
                targets.push(target);
            }
        }
        Ok(Self { items, targets })
    }

    /// Lets chains of thought be so long at most; 1024 tokens unless said.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: usize) -> Self {
        for item in &mut self.items {
            item.request.max_tokens = max_tokens;
        }
        self
    }
}

impl Task for Bbh {
    type Request = Completion;

    fn name(&self) -> String {
        "bbh_cot".into()
    }

    fn version(&self) -> String {
        "4, 3-shot".into()
    }

    fn items(&self) -> &[Item<Completion>] {
        &self.items
    }

    fn grade(&self, index: usize, response: &Texts) -> Result<Grade, Error> {
        let wanted = &self.targets[index];
        let text = response.texts.first().map_or("", String::as_str);
        let (paper, harness) = (bbh_paper(text), bbh_harness(text));
        let right = |read: &Option<String>| read.as_ref() == Some(wanted);
        let (p, h) = (right(&paper), right(&harness));
        let grade = Grade::new(wanted).with("paper", paper, p);
        Ok(grade.with("harness", harness, h))
    }
}

/// The examples of a prompt file, without its canary.
fn prompt(path: &Path) -> Result<String, Error> {
    let text = read_text(path)?.replace("\r\n", "\n");
    let body = match text.split_once("\n-----\n") {
        Some((_canary, body)) => body,
        None => &text,
    };
    if !body.contains("Q:") {
        return Err(wrong(path, 1, "has no example that begins with Q:"));
    }
    Ok(body.trim().to_string())
}
