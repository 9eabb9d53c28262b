//! HumanEval: functions to complete, and tests that run them (Chen et al. 2021).

use crate::error::Error;
use crate::eval::sandbox::Sandbox;
use crate::eval::sandbox::process::Ended;
use crate::eval::tasks::local::until;
use crate::eval::tasks::source::read_lines;
use crate::eval::tasks::task::{Completion, Grade, Item, Task, Texts};
use serde::Deserialize;
use std::path::Path;

/// Probability that one of k samples is right, estimated without bias from n samples of which c
/// are: 1 − C(n−c, k) / C(n, k). `None` where k is 0 or more than n, or c more than n.
///
/// ```
/// use burn_kto::eval::pass_at_k;
/// assert_eq!(pass_at_k(6, 3, 1), Some(0.5));
/// assert!((pass_at_k(5, 2, 2).unwrap() - 0.7).abs() < 1e-15); // 1 - C(3, 2) / C(5, 2)
/// assert_eq!(pass_at_k(5, 4, 2), Some(1.0));
/// assert_eq!(pass_at_k(5, 2, 6), None);
/// ```
pub fn pass_at_k(n: usize, c: usize, k: usize) -> Option<f64> {
    if k == 0 || k > n || c > n {
        return None;
    }
    if n - c < k {
        return Some(1.0);
    }
    // That k draws without putting back are all wrong, one after the other.
    let none: f64 = (0..k)
        .map(|i| (n - c - i) as f64 / (n - i) as f64)
        .product();
    Some(1.0 - none)
}

/// How samples are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Samples {
    /// Texts a problem.
    pub count: usize,
    /// 0 for the most likely tokens, and then one sample is enough.
    pub temperature: f64,
    /// Nucleus, in (0, 1].
    pub top_p: f64,
    /// Seeds the draws.
    pub seed: u64,
}

impl Default for Samples {
    /// One greedy sample.
    fn default() -> Self {
        Self {
            count: 1,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Problem {
    task_id: String,
    prompt: String,
    entry_point: String,
    canonical_solution: String,
    test: String,
}

/// HumanEval. It runs what a model wrote, so it cannot be had without a [`Sandbox`].
#[derive(Clone, Debug)]
pub struct HumanEval {
    problems: Vec<Problem>,
    items: Vec<Item<Completion>>,
    sandbox: Sandbox,
    samples: Samples,
}

/// Where a completion ends: the function's body is over.
const STOP: [&str; 5] = ["\nclass", "\ndef", "\n#", "\nif", "\nprint"];

impl HumanEval {
    /// Reads `HumanEval.jsonl` or its `.gz`.
    ///
    /// # Errors
    ///
    /// Where the file is missing or damaged, no sample is asked for, or several at temperature 0.
    pub fn load(path: impl AsRef<Path>, samples: Samples, sandbox: Sandbox) -> Result<Self, Error> {
        let ok = samples.count > 0;
        Error::check(ok, "samples", "must be at least 1", samples.count)?;
        // Greedy samples are one text many times: pass@10 of them would be pass@1 under another
        // name.
        let ok = samples.temperature > 0.0 && samples.temperature.is_finite()
            || samples.temperature == 0.0 && samples.count == 1;
        let reason = "must be above 0 for more than one sample, and 0 or more for one";
        Error::check(ok, "temperature", reason, samples.temperature)?;
        let problems: Vec<Problem> = read_lines(path.as_ref())?;
        let items = problems.iter().enumerate().map(|(i, problem)| Item {
            id: problem.task_id.clone(),
            group: "test".into(),
            request: Completion {
                samples: samples.count,
                temperature: samples.temperature,
                top_p: samples.top_p,
                // Problems differ in their draws too.
                seed: samples.seed.wrapping_add(i as u64),
                ..Completion::greedy(&problem.prompt, &STOP, 1024)
            },
        });
        Ok(Self {
            items: items.collect(),
            problems,
            sandbox,
            samples,
        })
    }

    /// Lets completions be so long at most; 1024 tokens unless said.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: usize) -> Self {
        for item in &mut self.items {
            item.request.max_tokens = max_tokens;
        }
        self
    }

    /// The solution that problem `index` brings.
    pub fn canonical_solution(&self, index: usize) -> &str {
        &self.problems[index].canonical_solution
    }

    /// Runs the tests of problem `index` on a completion: `None` if they pass, else why not.
    ///
    /// # Errors
    ///
    /// Where the sandbox fails; whatever the completion does is a reason.
    pub fn failure(&self, index: usize, completion: &str) -> Result<Option<String>, Error> {
        let problem = &self.problems[index];
        // An exit code proves nothing: the completion may leave before the tests. What only the end
        // of the program prints does.
        let token = token();
        let program = format!(
            "{}{completion}\n{}\ncheck({})\nprint({token:?}, flush=True)\n",
            problem.prompt, problem.test, problem.entry_point
        );
        let outcome = self.sandbox.run(&program)?;
        let passed = outcome.stdout.trim_end().ends_with(&token);
        Ok(match outcome.ended {
            Ended::Exited(0) if passed => None,
            Ended::Exited(0) => Some("ended before the tests".into()),
            Ended::TimedOut => Some("timed out".into()),
            Ended::Exited(code) => {
                let last = outcome.stderr.lines().last().unwrap_or_default();
                Some(format!("exit code {code}: {last}"))
            }
        })
    }
}

impl Task for HumanEval {
    type Request = Completion;

    fn name(&self) -> String {
        "humaneval".into()
    }

    fn version(&self) -> String {
        let Samples {
            count,
            temperature,
            top_p,
            ..
        } = self.samples;
        format!("1, 0-shot, {count} samples at temperature {temperature}, top-p {top_p}")
    }

    fn items(&self) -> &[Item<Completion>] {
        &self.items
    }

    /// Runs every sample. Metrics are `pass@k` for k = 1, 10, 100, as far as there are samples.
    fn grade(&self, index: usize, response: &Texts) -> Result<Grade, Error> {
        let mut grade = Grade::new("passes the tests");
        let mut correct = 0;
        let mut known: Vec<(String, Option<String>)> = Vec::new();
        for (i, text) in response.texts.iter().enumerate() {
            let stops: Vec<String> = STOP.map(String::from).to_vec();
            let completion = until(text.clone(), &stops);
            // Equal samples have equal fates.
            let failure = match known.iter().find(|(text, _)| *text == completion) {
                Some((_, failure)) => failure.clone(),
                None => {
                    let failure = self.failure(index, &completion)?;
                    known.push((completion, failure.clone()));
                    failure
                }
            };
            correct += usize::from(failure.is_none());
            let said = failure.unwrap_or_else(|| "passed".into());
            grade.extracted.insert(format!("sample {i}"), Some(said));
        }
        for k in [1, 10, 100] {
            if let Some(pass) = pass_at_k(response.texts.len(), correct, k) {
                grade.metrics.insert(format!("pass@{k}"), pass);
            }
        }
        Ok(grade)
    }
}

/// Not to be guessed. A program that reads its own file finds it: what sets out to pass without
/// solving anything can, here as in the original, whose tests run in the program's own process too.
fn token() -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against 1 − math.comb(n − c, k) / math.comb(n, k).
    #[test]
    fn the_estimator_is_the_ratio_of_binomials() {
        let comb =
            |n: usize, k: usize| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
        for n in 1..=20 {
            for c in 0..=n {
                for k in 1..=n {
                    let none = if n - c < k {
                        0.0
                    } else {
                        comb(n - c, k) / comb(n, k)
                    };
                    let pass = pass_at_k(n, c, k).unwrap();
                    assert!((pass - (1.0 - none)).abs() < 1e-12, "{n} {c} {k}");
                }
            }
        }
        assert_eq!(pass_at_k(3, 4, 1), None);
        assert_eq!(pass_at_k(3, 1, 0), None);
        // python3: 1 - math.comb(190, 100) / math.comb(200, 100)
        assert!((pass_at_k(200, 10, 100).unwrap() - 0.999_228_973_937_282_2).abs() < 1e-12);
    }
}
