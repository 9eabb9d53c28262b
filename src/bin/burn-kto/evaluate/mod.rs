//! `burn-kto evaluate`: measures a language model as the papers measure.

mod contest;
mod files;
mod preferences;
mod subject;
mod suite;
mod table;

use crate::interrupt;
use crate::output::say;
use burn_kto::prelude::*;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  The first ten questions of every subject of MMLU, and ten of GSM8K:
    burn-kto evaluate --model DIR --data DIR --tasks mmlu,gsm8k --limit 10

  An aligned model beside the one before, with a test of the difference:
    burn-kto evaluate --model ALIGNED --compare BEFORE --data DIR

  What it makes of held-out pairs, and how far it went from its reference:
    burn-kto evaluate --model ALIGNED --compare BEFORE --tasks preferences --prompts pairs.jsonl

  Its answers against the chosen ones of a file, judged by a model behind an endpoint:
    burn-kto evaluate --model DIR --tasks winrate --prompts pairs.jsonl --judge endpoint \\
      --judge-url https://host/v1 --judge-name NAME --key-variable MY_KEY

The same command goes on where it was interrupted.";

/// Measures a language model: MMLU, GSM8K, BBH, HumanEval, win rate, held-out preferences.
///
/// Every answer is written to OUT/MODEL/TASK.jsonl as it comes; the same command goes on where it
/// was interrupted. Scores come with their standard error and go to OUT/results.json and
/// OUT/results.md.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Model to measure: a Hugging Face folder (config.json, model.safetensors, tokenizer.json), or
    /// hf://owner/name[@revision] (feature hub); so are all models below.
    #[arg(long, value_name = "DIR", required_unless_present = "url")]
    model: Option<PathBuf>,

    /// A second model: takes the same tasks, is compared item by item with a significance test, and
    /// is the opponent in the win rate and the reference of preferences.
    #[arg(long, value_name = "DIR")]
    compare: Option<PathBuf>,

    /// What to measure, apart by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [TaskName::Mmlu, TaskName::Gsm8k])]
    tasks: Vec<TaskName>,

    /// Folder of the benchmarks: mmlu/{test,dev}/*.csv, gsm8k_test.jsonl, gsm8k_train*.jsonl,
    /// bbh/*.json, bbh_cot_prompts/*.txt, HumanEval.jsonl(.gz), and gsm8k_cot_prompt.txt if you
    /// have it.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Only the first N items of every MMLU subject, BBH task, or other file [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Where to compute, of what was compiled in: flex, libtorch, wgpu, vulkan, metal, cuda:0,
    /// rocm:0, cpu, …
    #[arg(long, default_value_t)]
    device: DeviceChoice,

    /// Where records and results go.
    #[arg(long, value_name = "DIR", default_value = "runs/evaluate")]
    out: PathBuf,

    /// Put the benchmarks' prompts to the model as a user's messages, in its chat template, instead
    /// of having them continued.
    #[arg(long)]
    chat: bool,

    /// Longest sequence in tokens [default: the model's, at most 4096].
    #[arg(long, value_name = "TOKENS")]
    max_length: Option<usize>,

    /// Longest answer in tokens of BBH, HumanEval [default: 1024, as the harness] and the win rate
    /// [default: 256].
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<usize>,

    /// Items asked together; more share the reading of common examples, fewer are lost by an
    /// interruption.
    #[arg(long, default_value_t = 16)]
    batch: usize,

    /// MMLU: examples before each question, 0 to 5.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=5))]
    mmlu_shots: u8,

    /// MMLU: whose prompt.
    #[arg(long, value_enum, default_value_t = Prompting::Harness)]
    mmlu_prompt: Prompting,

    /// HumanEval: allow running what the model writes, isolated; refused where isolation is not to
    /// be had.
    #[arg(long)]
    run_code: bool,

    /// HumanEval: run it without isolation if need be. Only inside a container or virtual machine
    /// of your own!
    #[arg(long, requires = "run_code")]
    unisolated: bool,

    /// HumanEval: samples a problem; more than one need a temperature.
    #[arg(long, default_value_t = 1)]
    samples: usize,

    /// HumanEval: temperature of the samples; 0 is greedy.
    #[arg(long, default_value_t = 0.0)]
    temperature: f64,

    /// Win rate and preferences: prompts. Rows as the trainer reads them (their chosen or only
    /// completion is the opponent unless --compare gives one; preferences need chosen and
    /// rejected), or MT-bench questions.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,

    /// Win rate: who judges.
    #[arg(long, value_enum)]
    judge: Option<JudgeName>,

    /// Win rate: judge one order each, as the KTO paper did, instead of both.
    #[arg(long)]
    paper_protocol: bool,

    /// Judge `reward`: the aligned model whose implicit reward judges.
    #[arg(long, value_name = "DIR", requires = "judge_reference")]
    judge_policy: Option<PathBuf>,

    /// Judge `reward`: what that model was aligned from.
    #[arg(long, value_name = "DIR")]
    judge_reference: Option<PathBuf>,

    /// Judge `endpoint`: address up to the version, such as https://host/v1.
    #[arg(long, value_name = "URL", requires = "judge_name")]
    judge_url: Option<String>,

    /// Judge `endpoint`: the model's name there.
    #[arg(long, value_name = "NAME")]
    judge_name: Option<String>,

    /// Judge `endpoint`: a template in AlpacaEval's form [default: the KTO paper's question].
    #[arg(long, value_name = "FILE")]
    judge_form: Option<PathBuf>,

    /// Measure a model behind an OpenAI-compatible endpoint instead of a folder.
    #[arg(long, value_name = "URL", requires = "name", conflicts_with = "model")]
    url: Option<String>,

    /// With --url: the model's name there.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Environment variable that holds the key of --url and --judge-url.
    #[arg(long, value_name = "VARIABLE")]
    key_variable: Option<String>,

    /// Preferences: how strongly rewards count log-ratios.
    #[arg(long, default_value_t = 0.1)]
    beta: f64,

    /// Seeds everything that is drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum TaskName {
    /// Four choices in 57 subjects, by log-probability.
    Mmlu,
    /// The same by what is written; for endpoints.
    MmluGenerative,
    /// Grade-school mathematics, eight examples with chains of thought.
    Gsm8k,
    /// The same, five of the data set's own solutions, drawn anew for each question.
    #[value(name = "gsm8k-5shot")]
    Gsm8kPlain,
    /// 23 hard tasks, three examples with chains of thought.
    Bbh,
    /// Functions to write; needs --run-code.
    #[value(name = "humaneval")]
    HumanEval,
    /// Answers to --prompts, judged against another's.
    #[value(name = "winrate")]
    WinRate,
    /// Implicit rewards of the pairs of --prompts, against the reference --compare; divergence and
    /// length of sampled answers.
    Preferences,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Prompting {
    /// lm-evaluation-harness.
    Harness,
    /// The authors'.
    Original,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum JudgeName {
    /// The shorter answer wins: a rule to try things with.
    Shorter,
    /// The longer answer wins.
    Longer,
    /// The answer with the higher implicit reward of --judge-policy over --judge-reference.
    Reward,
    /// A model behind --judge-url; needs feature `endpoint`.
    Endpoint,
}

/// Everything that was asked for.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let clock = Instant::now();
    interrupt::watch("batch");
    // What can be missing is looked for before anything slow.
    suite::check(options)?;
    contest::check(options)?;
    preferences::check(options)?;
    let models = [&options.model, &options.compare];
    if let Some(model) = models
        .into_iter()
        .flatten()
        .find(|m| is_within(&options.out, m))
    {
        let model = model.display();
        return Err(usage(format!(
            "--out would write into the model {model}: choose another"
        )));
    }
    let device = options.device.open()?;
    let first = subject::Contestant::first(options, &device)?;
    let mut results = table::Results::new(first.name());
    results.first = suite::run(options, &first)?;
    let second = match &options.compare {
        Some(folder) => Some(subject::Contestant::second(
            options, folder, &first, &device,
        )?),
        None => None,
    };
    if let Some(second) = &second {
        results.compared(second.name(), suite::run(options, second)?);
    }
    if options.tasks.contains(&TaskName::WinRate) {
        results.win_rate = Some(contest::run(options, &first, second.as_ref(), &device)?);
    }
    if let (true, Some(second)) = (options.tasks.contains(&TaskName::Preferences), &second) {
        results.preferences = Some(preferences::run(options, &first, second, &device)?);
    }
    say!("\n{}", results.text().trim_end());
    results.write(&options.out)?;
    say!(
        "\nwritten {0}/results.json, {0}/results.md, and a .jsonl of every answer; {1:.0} s in all",
        options.out.display(),
        clock.elapsed().as_secs_f64()
    );
    Ok(())
}

/// An error about the command line.
fn usage(message: impl Into<String>) -> Error {
    let message = message.into();
    Error::Usage { message }
}

/// Whether a folder is a model's own, or lies in it.
fn is_within(folder: &Path, model: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let Ok(folder) = std::path::absolute(folder) else {
        return false;
    };
    // What is not there yet lies where the nearest folder above it does.
    match (folder.ancestors().find_map(real), real(model)) {
        (Some(folder), Some(model)) => folder.starts_with(model),
        _ => false,
    }
}
