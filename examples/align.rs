//! Aligns a language model from feedback, in one command.
//!
//! Without `--model` it needs nothing but this repository: a small decoder learns a small world from demonstrations, answers, gets thumbs,
//! and is aligned with KTO.
//!
//! ```text
//! cargo run --release --example align
//! cargo run --release --example align -- --model DIR --data FILE --method kto --out DIR
//! cargo run --release --example align -- --help
//! ```

#[path = "align/demo.rs"]
mod demo;
#[path = "align/folder.rs"]
mod folder;
#[path = "align/reading.rs"]
mod reading;
#[path = "align/sampling.rs"]
mod sampling;
#[path = "align/world.rs"]
mod world;

use burn_kto::prelude::*;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Aligns a language model from feedback.
///
/// Without --model, a demonstration that needs no files: supervised fine-tuning, samples, thumbs, KTO, and how much better it became.
/// With --model and --data, a Hugging Face folder and a feedback file become an aligned folder.
#[derive(Parser, Clone, Debug)]
#[command(name = "align", version)]
pub(crate) struct Options {
    /// Hugging Face folder of the model to align: config.json, model.safetensors, tokenizer.json.
    #[arg(long, value_name = "DIR", requires = "data")]
    model: Option<PathBuf>,

    /// Feedback: a file, a folder, a pattern such as 'data/*.jsonl.gz', or hf://owner/name (feature hub). JSON Lines, JSON arrays or Parquet; thumbs,
    /// pairs, conversations, OpenAssistant, SHP, UltraFeedback, Anthropic-HH and more; with --threshold scores. Pairs serve KTO as one thumb up and one down.
    #[arg(long, value_name = "DATA", requires = "model")]
    data: Option<PathBuf>,

    #[command(flatten)]
    reading: reading::Reading,

    /// Keep token ids here: the same data, tokenizer, template and limits are not tokenized again.
    #[arg(long, value_name = "DIR", requires = "model")]
    cache: Option<PathBuf>,

    /// How to align.
    #[arg(long, value_enum, default_value_t = Method::Kto, requires = "model")]
    method: Method,

    /// Where to write the run: metrics.jsonl, checkpoint/, and model/, a Hugging Face folder.
    #[arg(long, value_name = "DIR", default_value = "runs/align")]
    out: PathBuf,

    /// Where to compute, of what was compiled in: flex, libtorch, wgpu, vulkan, metal, cuda:0, rocm:0, cpu, …
    #[arg(long, default_value_t)]
    device: DeviceChoice,

    /// Peak learning rate [default: kto, apo-zero, bco, orpo 5e-6; dpo, rpo, simpo, cpo 5e-7;
    /// sft 2e-5; KTO of the demonstration's small model 2e-3, with --quick 3e-4].
    #[arg(long, allow_negative_numbers = true)]
    learning_rate: Option<f64>,

    /// Passes over the data.
    #[arg(long, default_value_t = 1, requires = "model")]
    epochs: usize,

    /// Stop after so many optimizer steps.
    #[arg(long, value_name = "N", requires = "model")]
    max_steps: Option<usize>,

    /// Examples, or pairs, an optimizer step.
    #[arg(long, default_value_t = 16, requires = "model")]
    batch_size: usize,

    /// Examples, or pairs, a forward pass; less memory, the same step.
    #[arg(long, default_value_t = 4, requires = "model")]
    micro_batch_size: usize,

    /// β: with a reference, how strongly to stay with it [default: 0.1; simpo 2; for the
    /// demonstration's small model 1].
    #[arg(long)]
    beta: Option<f64>,

    /// KTO: weight of thumbs up.
    #[arg(long, default_value_t = 1.0, requires = "model")]
    desirable_weight: f64,

    /// KTO: weight of thumbs down.
    #[arg(long, default_value_t = 1.0, requires = "model")]
    undesirable_weight: f64,

    /// KTO: weights that bring the classes into balance, λ_D·n_D / (λ_U·n_U) in [1, 3/2], instead of the two above.
    #[arg(long, requires = "model", conflicts_with_all = ["desirable_weight", "undesirable_weight"])]
    balance: bool,

    /// Scores instead of labels: what a score must be above to be a thumb up, "mean", "median", "prompt-mean", "prompt-median" or a number.
    #[arg(long, value_parser = threshold, allow_negative_numbers = true, requires = "model")]
    threshold: Option<ScoreThreshold>,

    /// Where the reference log-probabilities come from.
    #[arg(long, value_enum, default_value_t = ReferenceKind::Frozen, requires = "model")]
    reference: ReferenceKind,

    /// Longest sequence in tokens [default: the model's, at most 512].
    #[arg(long, value_name = "TOKENS", requires = "model", value_parser = clap::value_parser!(u32).range(2..))]
    max_length: Option<u32>,

    /// Longest prompt in tokens; longer ones lose their beginning [default: half of the longest sequence].
    #[arg(long, value_name = "TOKENS", requires = "model", value_parser = clap::value_parser!(u32).range(2..))]
    max_prompt_length: Option<u32>,

    /// Use the first so many examples of the file.
    #[arg(long, value_name = "N", requires = "model")]
    limit: Option<usize>,

    /// Share of the prompts that is held out for evaluation.
    #[arg(long, default_value_t = 0.1, requires = "model")]
    held_out: f64,

    /// Evaluate, and write a checkpoint, every so many steps [default: a quarter of the run].
    #[arg(long, value_name = "N", requires = "model", value_parser = clap::value_parser!(u32).range(1..))]
    every: Option<u32>,

    /// Go on from the checkpoint in --out.
    #[arg(long, requires = "model")]
    resume: bool,

    /// Seeds everything that is drawn.
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// The demonstration in seconds instead of a minute; it shows less.
    #[arg(long, conflicts_with = "model")]
    quick: bool,

    #[command(flatten)]
    sampling: sampling::Sampling,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// Thumbs up and down.
    Kto,
    /// Thumbs; KTO without a reference point.
    ApoZero,
    /// Thumbs; a classifier.
    Bco,
    /// Pairs.
    Dpo,
    /// Pairs; DPO and the likelihood of the chosen.
    Rpo,
    /// Pairs; no reference, mean log-probabilities.
    Simpo,
    /// Pairs; no reference, with the likelihood of the chosen.
    Cpo,
    /// Pairs; no reference, odds and the likelihood of the chosen.
    Orpo,
    /// Demonstrations.
    Sft,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum ReferenceKind {
    /// The model as it came.
    Frozen,
    /// The same, remembering every sequence: for several epochs.
    Cached,
    /// None: less memory and time, more sensitive to the weights.
    Free,
}

fn threshold(text: &str) -> Result<ScoreThreshold, String> {
    Ok(match text {
        "mean" => ScoreThreshold::Mean,
        "median" => ScoreThreshold::Median,
        "prompt-mean" => ScoreThreshold::PromptMean,
        "prompt-median" => ScoreThreshold::PromptMedian,
        number => match number.parse::<f64>() {
            Ok(threshold) if threshold.is_finite() => ScoreThreshold::Fixed { threshold },
            _ => return Err("must be mean, median, prompt-mean, prompt-median or a number".into()),
        },
    })
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match (&options.model, &options.data) {
        (Some(model), Some(data)) => folder::run(&options, model, data),
        _ => demo::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    /// What chooses the examples of each epoch.
    fn sampler(&self) -> Result<Sampler, Error> {
        self.sampling.config().init(self.batch_size, self.seed)
    }

    /// Settings of a run, from those that were given.
    fn trainer(&self, learning_rate: f64) -> TrainerConfig {
        TrainerConfig::new(self.learning_rate.unwrap_or(learning_rate))
            .with_epochs(self.epochs)
            .with_max_steps(self.max_steps)
            .with_batch_size(self.batch_size)
            .with_micro_batch_size(self.micro_batch_size)
            .with_seed(self.seed)
    }
}

/// Ends the run after the current step at the first Ctrl-C; a second one ends the process.
fn stop_on_interrupt(flag: Arc<AtomicBool>) {
    static CURRENT: OnceLock<std::sync::Mutex<Arc<AtomicBool>>> = OnceLock::new();
    let slot = CURRENT.get_or_init(|| {
        let handler = || {
            let Some(Ok(flag)) = CURRENT.get().map(|slot| slot.lock()) else {
                std::process::exit(130);
            };
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("stopping after this step; once more to stop at once");
        };
        // Without a handler Ctrl-C still ends the process, as ever.
        let _ = ctrlc::set_handler(handler);
        std::sync::Mutex::new(flag.clone())
    });
    if let Ok(mut slot) = slot.lock() {
        *slot = flag;
    }
}

/// Mean of a metric as text.
fn shown(metrics: &Metrics, name: &str) -> String {
    metrics
        .get(name)
        .map_or("-".into(), |value| format!("{value:.4}"))
}
