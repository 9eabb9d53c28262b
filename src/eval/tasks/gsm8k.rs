//! GSM8K: grade-school mathematics in words (Cobbe et al. 2021).

use crate::error::Error;
use crate::eval::tasks::extract::{gsm8k_answer_is, gsm8k_hashes, last_number, normalized_number};
use crate::eval::tasks::few_shot::Shots;
use crate::eval::tasks::source::{read_lines, read_text, wrong};
use crate::eval::tasks::task::{Completion, Grade, Item, Task, Texts};
use serde::Deserialize;
use std::path::Path;

#[derive(Clone, Debug, Deserialize)]
struct Problem {
    question: String,
    answer: String,
}

/// How a problem is put, and which phrase the strict rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `Question:` and `Answer:`, the data set's own solutions, `#### 18`.
    Plain,
    /// `Q:` and `A:`, chains of thought that end with `The answer is 18.`
    ChainOfThought,
}

/// Tokens that a solution may have.
const MAX_TOKENS: usize = 256;

/// GSM8K, with two scores side by side: `strict`, which wants the answer in the form of the
/// examples, and `flexible`, which takes the last number.
#[derive(Clone, Debug)]
pub struct Gsm8k {
    form: Form,
    version: String,
    items: Vec<Item<Completion>>,
    answers: Vec<String>,
}

impl Gsm8k {
    /// `Question:` and `Answer:` after examples from the training file, as the data set writes
    /// them; strict reads `#### 18`.
    ///
    /// # Errors
    ///
    /// Where a file is missing or damaged, a solution has no `#### number`, or there are fewer
    /// examples than shots.
    pub fn load(
        test: impl AsRef<Path>,
        train: impl AsRef<Path>,
        shots: Shots,
    ) -> Result<Self, Error> {
        let pool = examples(train.as_ref(), shots)?;
        let blocks: Vec<String> = pool
            .iter()
            .map(|p| format!("Question: {}\nAnswer: {}", p.question, p.answer))
            .collect();
        Self::build(test.as_ref(), Form::Plain, &blocks, shots, "3, ")
    }

    /// `Q:` and `A:` after worked examples that stand in a text file as they are to be shown,
    /// blocks of `Q: …` and `A: …` apart by an empty line; the chain-of-thought paper has eight.
    /// Strict reads `The answer is 18.`.
    ///
    /// # Errors
    ///
    /// The errors of [`load`](Self::load), and where the file has another number of blocks than
    /// `shots`.
    pub fn load_chain_of_thought(
        test: impl AsRef<Path>,
        prompt: impl AsRef<Path>,
        shots: usize,
    ) -> Result<Self, Error> {
        let path = prompt.as_ref();
        let blocks = blocks(path)?;
        if blocks.len() != shots {
            let message = format!(
                "{}: {shots} shots need as many blocks of Q: and A:, got {}",
                path.display(),
                blocks.len()
            );
            return Err(Error::Dataset { message });
        }
        let (form, shots) = (Form::ChainOfThought, Shots::First(shots));
        Self::build(test.as_ref(), form, &blocks, shots, "3, fixed ")
    }

    /// Does what [`load_chain_of_thought`](Self::load_chain_of_thought) does, the chains made from
    /// solutions of the training file: their `<<9*2=18>>` left out, lines joined,
    /// `The answer is 18.` at the end. Not the paper's eight examples, so not comparable with
    /// scores that use those.
    ///
    /// # Errors
    ///
    /// The errors of [`load`](Self::load).
    pub fn load_derived_chain_of_thought(
        test: impl AsRef<Path>,
        train: impl AsRef<Path>,
        shots: Shots,
    ) -> Result<Self, Error> {
        let pool = examples(train.as_ref(), shots)?;
        let blocks: Vec<String> = pool.iter().map(chain).collect();
        let form = Form::ChainOfThought;
        Self::build(test.as_ref(), form, &blocks, shots, "3, derived ")
    }

    fn build(
        test: &Path,
        form: Form,
        examples: &[String],
        shots: Shots,
        version: &str,
    ) -> Result<Self, Error> {
        let (mut items, mut answers) = (Vec::new(), Vec::new());
        for (i, problem) in problems(test)?.iter().enumerate() {
            let mut prompt = String::new();
            for index in shots.indices(i, examples.len()) {
                prompt += &format!("{}\n\n", examples[index]);
            }
            let (question, stop): (_, &[&str]) = match form {
                Form::Plain => (
                    format!("Question: {}\nAnswer:", problem.question),
                    &["Question:", "</s>", "<|im_end|>"],
                ),
                Form::ChainOfThought => (
                    format!("Q: {}\nA:", problem.question),
                    &["Q:", "</s>", "<|im_end|>"],
                ),
            };
            items.push(Item {
                id: i.to_string(),
                group: "test".into(),
                request: Completion::greedy(prompt + &question, stop, MAX_TOKENS),
            });
            answers.push(normalized_number(&problem.answer));
        }
        Ok(Self {
            form,
            version: format!("{version}{shots}"),
            items,
            answers,
        })
    }
}

impl Task for Gsm8k {
    type Request = Completion;

    fn name(&self) -> String {
        let name = match self.form {
            Form::Plain => "gsm8k",
            Form::ChainOfThought => "gsm8k_cot",
        };
        name.into()
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    fn items(&self) -> &[Item<Completion>] {
        &self.items
    }

    fn grade(&self, index: usize, response: &Texts) -> Result<Grade, Error> {
        let wanted = &self.answers[index];
        let text = response.texts.first().map_or("", String::as_str);
        let strict = match self.form {
            Form::Plain => gsm8k_hashes(text),
            Form::ChainOfThought => gsm8k_answer_is(text),
        };
        let right = |read: &Option<String>| {
            let read = read.as_deref();
            read.is_some_and(|read| normalized_number(read) == *wanted)
        };
        let flexible = last_number(text);
        let (s, f) = (right(&strict), right(&flexible));
        let grade = Grade::new(wanted).with("strict", strict, s);
        Ok(grade.with("flexible", flexible, f))
    }
}

/// Rows whose solutions end as they have to.
fn problems(path: &Path) -> Result<Vec<Problem>, Error> {
    let problems: Vec<Problem> = read_lines(path)?;
    for (i, problem) in problems.iter().enumerate() {
        if gsm8k_hashes(&problem.answer).is_none() {
            return Err(wrong(path, i + 1, "\"answer\" has no \"#### number\""));
        }
    }
    Ok(problems)
}

fn examples(path: &Path, shots: Shots) -> Result<Vec<Problem>, Error> {
    if shots.count() == 0 {
        return Ok(Vec::new());
    }
    let pool = problems(path)?;
    if pool.len() < shots.count() {
        let message = format!(
            "{}: {} shots need as many examples, got {}",
            path.display(),
            shots.count(),
            pool.len()
        );
        return Err(Error::Dataset { message });
    }
    Ok(pool)
}

/// Blocks of `Q: …` and `A: …` apart by an empty line.
fn blocks(path: &Path) -> Result<Vec<String>, Error> {
    let text = read_text(path)?.replace("\r\n", "\n");
    let blocks = text.trim().split("\n\n").map(str::trim);
    let blocks: Vec<String> = blocks.filter(|b| !b.is_empty()).map(Into::into).collect();
    match blocks
        .iter()
        .position(|block| !(block.starts_with("Q:") && block.contains("\nA:")))
    {
        None => Ok(blocks),
        Some(i) => Err(wrong(path, 1, format!("block {} has no Q: and A:", i + 1))),
    }
}

/// A solution of the data set as a chain of thought.
fn chain(problem: &Problem) -> String {
    let (steps, _) = problem
        .answer
        .rsplit_once("####")
        .unwrap_or((&problem.answer, ""));
    let mut thought = String::new();
    let mut rest = steps.trim();
    while let Some((before, after)) = rest.split_once("<<") {
        thought += before;
        rest = after.split_once(">>").map_or("", |(_, after)| after);
    }
    thought += rest;
    let lines: Vec<String> = thought
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            if line.ends_with(['.', '!', '?']) {
                line.into()
            } else {
                format!("{line}.")
            }
        })
        .collect();
    format!(
        "Q: {}\nA: {} The answer is {}.",
        problem.question,
        lines.join(" "),
        normalized_number(&problem.answer)
    )
}
