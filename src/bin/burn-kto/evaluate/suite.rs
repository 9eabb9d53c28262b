//! The benchmarks, one after the other.

use super::files::find;
use super::subject::Contestant;
use super::{Options, Prompting, TaskName, usage};
use crate::interrupt;
use crate::output::{note, progress, progress_done};
use burn_kto::eval::*;
use burn_kto::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Scores of a task, and each item's points, by id and metric.
pub(super) struct Outcome {
    pub(super) report: Report,
    pub(super) items: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Looks for what will be needed.
pub(super) fn check(options: &Options) -> Result<(), Error> {
    for task in &options.tasks {
        match task {
            TaskName::Mmlu | TaskName::MmluGenerative => drop(find(options, &["mmlu"])?),
            TaskName::Gsm8k | TaskName::Gsm8kPlain => {
                find(options, &["gsm8k_test.jsonl"])?;
                if *task == TaskName::Gsm8kPlain || find(options, &[COT_PROMPT]).is_err() {
                    train(options)?;
                }
            }
            TaskName::Bbh => {
                find(options, &["bbh"])?;
                find(options, &["bbh_cot_prompts", "cot-prompts"])?;
            }
            TaskName::HumanEval => {
                find(options, &["HumanEval.jsonl", "HumanEval.jsonl.gz"])?;
                if options.chat || options.url.is_some() {
                    note!(
                        "warning: humaneval continues a prompt as it stands: what a chat model writes around its code counts as code, and fails"
                    );
                }
                sandbox(options)?;
            }
            TaskName::WinRate | TaskName::Preferences => {}
        }
    }
    Ok(())
}

pub(super) fn run(options: &Options, model: &Contestant) -> Result<Vec<Outcome>, Error> {
    let mut results = Vec::new();
    for task in &options.tasks {
        let result = match task {
            TaskName::Mmlu => {
                let prompt = match options.mmlu_prompt {
                    Prompting::Harness => MmluPrompt::Harness,
                    Prompting::Original => MmluPrompt::Original,
                };
                let shots = usize::from(options.mmlu_shots);
                let mmlu = Mmlu::load(find(options, &["mmlu"])?, prompt, shots)?;
                put(options, model, &mmlu, &model.chooser(options.chat)?)?
            }
            TaskName::MmluGenerative => {
                let shots = usize::from(options.mmlu_shots);
                let mmlu = MmluGenerative::load(find(options, &["mmlu"])?, shots)?;
                write(options, model, &mmlu)?
            }
            TaskName::Gsm8k => write(options, model, &gsm8k(options)?)?,
            TaskName::Gsm8kPlain => {
                let shots = Shots::Drawn {
                    count: 5,
                    seed: options.seed,
                };
                let test = find(options, &["gsm8k_test.jsonl"])?;
                write(options, model, &Gsm8k::load(test, train(options)?, shots)?)?
            }
            TaskName::Bbh => {
                let prompts = find(options, &["bbh_cot_prompts", "cot-prompts"])?;
                let mut bbh = Bbh::load(find(options, &["bbh"])?, prompts)?;
                if let Some(tokens) = options.max_tokens {
                    bbh = bbh.with_max_tokens(tokens);
                }
                write(options, model, &bbh)?
            }
            TaskName::HumanEval => {
                let samples = Samples {
                    count: options.samples,
                    temperature: options.temperature,
                    top_p: if options.temperature > 0.0 { 0.95 } else { 1.0 },
                    seed: options.seed,
                };
                let path = find(options, &["HumanEval.jsonl", "HumanEval.jsonl.gz"])?;
                let mut task = HumanEval::load(path, samples, sandbox(options)?)?;
                if let Some(tokens) = options.max_tokens {
                    task = task.with_max_tokens(tokens);
                }
                write(options, model, &task)?
            }
            TaskName::WinRate | TaskName::Preferences => continue,
        };
        results.push(result);
    }
    Ok(results)
}

/// The chain-of-thought paper's eight examples, which are not part of this crate.
const COT_PROMPT: &str = "gsm8k_cot_prompt.txt";

/// With the paper's examples where they are, else with examples made from the training file.
fn gsm8k(options: &Options) -> Result<Gsm8k, Error> {
    let test = find(options, &["gsm8k_test.jsonl"])?;
    if let Ok(prompt) = find(options, &[COT_PROMPT]) {
        return Gsm8k::load_chain_of_thought(test, prompt, 8);
    }
    note!("gsm8k: no gsm8k_cot_prompt.txt, so the eight examples are made from the training file");
    Gsm8k::load_derived_chain_of_thought(test, train(options)?, Shots::First(8))
}

fn train(options: &Options) -> Result<PathBuf, Error> {
    find(options, &["gsm8k_train.jsonl", "gsm8k_train_head.jsonl"])
}

fn sandbox(options: &Options) -> Result<Sandbox, Error> {
    if !options.run_code {
        let message = "humaneval runs what the model writes: allow it with --run-code";
        return Err(usage(message));
    }
    let limits = Limits::default();
    match Sandbox::isolated(limits) {
        Err(error) if options.unisolated => {
            note!("warning: {error}; running without isolation, as asked");
            Sandbox::without_isolation(limits)
        }
        result => result,
    }
}

fn write<T: Task<Request = Completion>>(
    options: &Options,
    model: &Contestant,
    task: &T,
) -> Result<Outcome, Error> {
    put(options, model, task, &*model.writer(options.chat))
}

/// Runs a task with progress and records.
pub(super) fn put<T: Task>(
    options: &Options,
    model: &Contestant,
    task: &T,
    subject: &dyn Subject<T::Request>,
) -> Result<Outcome, Error> {
    let evaluation = evaluate(options, model, task, subject)?;
    let items = evaluation.records.into_iter();
    Ok(Outcome {
        report: evaluation.report,
        items: items.map(|r| (r.id, r.grade.metrics)).collect(),
    })
}

pub(super) fn evaluate<T: Task>(
    options: &Options,
    model: &Contestant,
    task: &T,
    subject: &dyn Subject<T::Request>,
) -> Result<Evaluation<T::Request>, Error> {
    let path = options
        .out
        .join(&model.folder)
        .join(format!("{}.jsonl", task.name()));
    let config = RunnerConfig::new()
        .with_limit(options.limit.map(|limit| limit as usize))
        .with_batch(options.batch)
        .with_records(path);
    let clock = Instant::now();
    let mut shown = |state: &EvalProgress| {
        let means: Vec<String> = state
            .means
            .iter()
            .map(|(metric, mean)| format!("{metric} {mean:.3}"))
            .collect();
        progress(&format!(
            "{} {} {}/{} [{:.0} s] {}",
            model.name(),
            state.task,
            state.done,
            state.total,
            clock.elapsed().as_secs_f64(),
            means.join("  ")
        ));
        !interrupt::came()
    };
    let evaluation = run_task(task, subject, model.identity(), &config, &mut shown);
    progress_done();
    evaluation
}
