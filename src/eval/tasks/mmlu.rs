//! MMLU: 57 subjects, four choices (Hendrycks et al. 2021).

use crate::error::Error;
use crate::eval::tasks::extract::plain_words;
use crate::eval::tasks::multiple_choice::{LETTERS, Question, argmax, read_questions};
use crate::eval::tasks::source::files;
use crate::eval::tasks::task::{Choice, Completion, Grade, Item, LogProbs, Task, Texts};
use std::path::Path;

/// Whose prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MmluPrompt {
    /// lm-evaluation-harness: one space after "about", the question stripped; a prompt that is too
    /// long loses its beginning.
    Harness,
    /// The authors' evaluate.py: two spaces after "about", the question as it stands; a prompt that
    /// is too long loses examples.
    Original,
}

impl MmluPrompt {
    fn name(self) -> &'static str {
        match self {
            Self::Harness => "harness",
            Self::Original => "original",
        }
    }

    fn question(self, question: &Question) -> String {
        let text = match self {
            Self::Harness => question.text.trim(),
            Self::Original => &question.text,
        };
        let mut block = text.to_string();
        for (letter, choice) in LETTERS.iter().zip(&question.choices) {
            block += &format!("\n{letter}. {choice}");
        }
        block + "\nAnswer:"
    }

    /// Description, examples, question.
    fn context(self, subject: &str, shots: &[Question], question: &Question) -> String {
        let (subject, about) = match self {
            Self::Harness => (subject.replace('_', " "), "about "),
            Self::Original => (subject.replace('_', " "), "about  "),
        };
        let mut text = format!(
            "The following are multiple choice questions (with answers) {about}{subject}.\n\n"
        );
        for shot in shots {
            text += &format!("{} {}\n\n", self.question(shot), LETTERS[shot.answer]);
        }
        text + &self.question(question)
    }
}

/// MMLU by the log-probabilities of ` A` to ` D`; the first of equals is taken.
#[derive(Clone, Debug)]
pub struct Mmlu {
    prompt: MmluPrompt,
    shots: usize,
    items: Vec<Item<Choice>>,
    answers: Vec<usize>,
}

impl Mmlu {
    /// Reads `folder/test/*.csv`, and for `shots` > 0 `folder/dev/*.csv`, which has five examples a
    /// subject. Both shapes of file are read: without a header and with answers A to D, or with one
    /// and answers 0 to 3.
    ///
    /// # Errors
    ///
    /// Where a file is missing or damaged, or has fewer examples than shots.
    pub fn load(folder: impl AsRef<Path>, prompt: MmluPrompt, shots: usize) -> Result<Self, Error> {
        let (mut items, mut answers) = (Vec::new(), Vec::new());
        for Subject {
            name,
            questions,
            examples,
        } in subjects(folder.as_ref(), shots)?
        {
            for (i, question) in questions.iter().enumerate() {
                let fewest = match prompt {
                    MmluPrompt::Harness => shots,
                    MmluPrompt::Original => 0,
                };
                let counts = (fewest..=shots).rev();
                let contexts = counts.map(|n| prompt.context(&name, &examples[..n], question));
                items.push(Item {
                    id: format!("{name}/{i}"),
                    group: name.clone(),
                    request: Choice {
                        contexts: contexts.collect(),
                        continuations: LETTERS.iter().map(|letter| format!(" {letter}")).collect(),
                    },
                });
                answers.push(question.answer);
            }
        }
        Ok(Self {
            prompt,
            shots,
            items,
            answers,
        })
    }
}

impl Task for Mmlu {
    type Request = Choice;

    fn name(&self) -> String {
        "mmlu".into()
    }

    fn version(&self) -> String {
        format!("1, {} prompt, {}-shot", self.prompt.name(), self.shots)
    }

    fn items(&self) -> &[Item<Choice>] {
        &self.items
    }

    fn grade(&self, index: usize, response: &LogProbs) -> Result<Grade, Error> {
        let answer = self.answers[index];
        let chosen = argmax(&response.log_probs);
        let letter = chosen.and_then(|i| LETTERS.get(i)).map(ToString::to_string);
        Ok(Grade::new(LETTERS[answer]).with("accuracy", letter, chosen == Some(answer)))
    }
}

/// MMLU by what is written after `Answer:`, for subjects that give no log-probabilities: the first
/// line, without punctuation and in any case of letters, has to be the letter.
#[derive(Clone, Debug)]
pub struct MmluGenerative {
    shots: usize,
    items: Vec<Item<Completion>>,
    answers: Vec<usize>,
}

impl MmluGenerative {
    /// Does what [`Mmlu::load`] does, with the harness's prompt.
    ///
    /// # Errors
    ///
    /// The errors of [`Mmlu::load`].
    pub fn load(folder: impl AsRef<Path>, shots: usize) -> Result<Self, Error> {
        let Mmlu { items, answers, .. } = Mmlu::load(folder, MmluPrompt::Harness, shots)?;
        let items = items.into_iter().map(|item| Item {
            id: item.id,
            group: item.group,
            request: Completion::greedy(&item.request.contexts[0], &["\n"], 16),
        });
        Ok(Self {
            shots,
            items: items.collect(),
            answers,
        })
    }
}

impl Task for MmluGenerative {
    type Request = Completion;

    fn name(&self) -> String {
        "mmlu_generative".into()
    }

    fn version(&self) -> String {
        format!("1, harness prompt, {}-shot", self.shots)
    }

    fn items(&self) -> &[Item<Completion>] {
        &self.items
    }

    fn grade(&self, index: usize, response: &Texts) -> Result<Grade, Error> {
        let wanted = LETTERS[self.answers[index]];
        let read = response.texts.first().map(|text| plain_words(text));
        let correct = read.as_deref() == Some(&wanted.to_lowercase());
        Ok(Grade::new(wanted).with("exact_match", read, correct))
    }
}

struct Subject {
    name: String,
    questions: Vec<Question>,
    examples: Vec<Question>,
}

fn subjects(folder: &Path, shots: usize) -> Result<Vec<Subject>, Error> {
    let mut subjects = Vec::new();
    for path in files(&folder.join("test"), ".csv")? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = stem.strip_suffix("_test").unwrap_or(&stem).to_string();
        let mut examples = Vec::new();
        if shots > 0 {
            let of = |ending: &str| folder.join("dev").join(format!("{name}{ending}.csv"));
            let with = of("_dev");
            let dev = if with.exists() { with } else { of("") };
            examples = read_questions(&dev)?;
            if examples.len() < shots {
                let message = format!(
                    "{}: {shots} shots need as many examples, got {}",
                    dev.display(),
                    examples.len()
                );
                return Err(Error::Dataset { message });
            }
        }
        subjects.push(Subject {
            questions: read_questions(&path)?,
            name,
            examples,
        });
    }
    Ok(subjects)
}
