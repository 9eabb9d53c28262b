//! Settings as flags.

use burn_kto::Error;
use burn_kto::align::{Layers, Method, Preset, Settings};
use burn_kto::data::Format;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Where settings come from. What a flag says wins over --set, --set over --config, --config over
/// --preset.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Flags {
    /// Settings in a file; a finished run has left one in its folder, run.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Settings that papers report, below those of the file.
    #[arg(long, value_parser = PossibleValuesParser::new(Preset::ALL.map(Preset::name)))]
    preset: Option<String>,

    /// Any setting by its name in the file, such as trainer.warmup=0.2 or method.variant=ipo; may
    /// be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,

    /// Model to align: a Hugging Face folder (config.json, model.safetensors, tokenizer.json), or
    /// hf://owner/name[@revision] (feature hub).
    #[arg(long, value_name = "DIR")]
    model: Option<String>,

    /// Feedback: a file, a folder, a pattern such as 'data/*.jsonl.gz', or hf://owner/name (feature
    /// hub). JSON Lines, JSON arrays, CSV or Parquet; thumbs, pairs, conversations, OpenAssistant, SHP,
    /// UltraFeedback, Anthropic-HH and more; with --threshold scores. Pairs serve KTO as one thumb
    /// up and one down.
    #[arg(long, value_name = "DATA")]
    data: Option<String>,

    /// How to align [default: kto].
    #[arg(long, value_parser = PossibleValuesParser::new(Method::NAMES))]
    method: Option<String>,

    /// Where to write the run: run.toml, metrics.jsonl, checkpoint/, and model/, a Hugging Face
    /// folder [default: runs/align].
    #[arg(long, value_name = "DIR")]
    out: Option<String>,

    /// Where to compute, of what was compiled in: flex, libtorch, wgpu, vulkan, metal, cuda:0,
    /// rocm:0, cpu, …
    #[arg(long)]
    device: Option<String>,

    /// Peak learning rate [default: thumbs and orpo 5e-6; other pairs 5e-7; reward 1e-5; sft 2e-5].
    #[arg(long, allow_negative_numbers = true)]
    learning_rate: Option<f64>,

    /// Passes over the data [default: 1].
    #[arg(long)]
    epochs: Option<u32>,

    /// Stop after so many optimizer steps.
    #[arg(long, value_name = "N")]
    max_steps: Option<u32>,

    /// Examples, or pairs, an optimizer step [default: 16].
    #[arg(long)]
    batch_size: Option<u32>,

    /// Examples, or pairs, a forward pass; less memory, the same step [default: 4].
    #[arg(long)]
    micro_batch_size: Option<u32>,

    /// β: with a reference, how strongly to stay with it [default: 0.1; simpo 2].
    #[arg(long, allow_negative_numbers = true)]
    beta: Option<f64>,

    /// KTO: weight of thumbs up [default: 1].
    #[arg(long, allow_negative_numbers = true)]
    desirable_weight: Option<f64>,

    /// KTO: weight of thumbs down [default: 1].
    #[arg(long, allow_negative_numbers = true)]
    undesirable_weight: Option<f64>,

    /// KTO: weights that bring the classes into balance, λ_D·n_D / (λ_U·n_U) in [1, 3/2], instead
    /// of the two above.
    #[arg(long)]
    balance: bool,

    /// Where the reference log-probabilities come from: the model as it came, the same remembering
    /// every sequence, none, or one that follows the policy [default: frozen].
    #[arg(long, value_parser = ["frozen", "cached", "free", "moving"])]
    reference: Option<String>,

    /// Evaluate, and write a checkpoint, every so many steps [default: a quarter of the run].
    #[arg(long, value_name = "N")]
    every: Option<u32>,

    /// Seeds everything that is drawn [default: 42].
    #[arg(long)]
    seed: Option<i64>,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    sampling: Sampling,
}

/// Help for `--format`, from the forms that there are.
fn formats() -> String {
    let names: Vec<&str> = Format::names().collect();
    let names = names.join(", ");
    format!("Form of the rows, if their columns should not tell: {names}")
}

/// A column that is known and what it is called in the data.
fn column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((known, yours)) if !known.trim().is_empty() && !yours.trim().is_empty() => {
            Ok((known.trim().into(), yours.trim().into()))
        }
        _ => Err("must be KNOWN=YOURS, such as prompt=question".into()),
    }
}

/// How the feedback is read.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Data")]
struct Reading {
    #[arg(long, help = formats())]
    format: Option<String>,

    /// Columns of other names, such as prompt=question,completion=reply.text; may be repeated.
    #[arg(long, value_name = "KNOWN=YOURS", value_delimiter = ',', value_parser = column)]
    columns: Vec<(String, String)>,

    /// A row that would be dropped is an error instead.
    #[arg(long)]
    strict: bool,

    /// Ranked or rated answers of a prompt: which pairs are made of them [default: adjacent].
    #[arg(long, value_parser = ["adjacent", "all", "extremes"])]
    pairs: Option<String>,

    /// SHP: leave out pairs of which one score is not at least so many times the other; 2 is usual.
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    score_ratio: Option<f64>,

    /// OpenAssistant: leave out messages in other languages than this one, such as en.
    #[arg(long)]
    language: Option<String>,

    /// At most so many of a prompt, drawn at random.
    #[arg(long, value_name = "N")]
    per_prompt: Option<u32>,

    /// Demonstrations: every turn of the assistant in a conversation is one, not only the last.
    #[arg(long)]
    every_turn: bool,

    /// Demonstrations: score all that the chat template has in {% generation %}, every turn of the
    /// assistant in one pass.
    #[arg(long)]
    generation_marks: bool,

    /// Special tokens that the texts spell are special tokens: for data that a template wrote and
    /// nobody else could.
    #[arg(long)]
    special_tokens_in_text: bool,

    /// Leave out what was there before.
    #[arg(long)]
    without_duplicates: bool,

    /// Scores instead of labels: what a score must be above to be a thumb up, "mean", "median",
    /// "prompt-mean", "prompt-median" or a number.
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<String>,

    /// Longest sequence in tokens [default: the model's, at most 512].
    #[arg(long, value_name = "TOKENS")]
    max_length: Option<u32>,

    /// Longest prompt in tokens; longer ones lose their beginning [default: half of the longest
    /// sequence].
    #[arg(long, value_name = "TOKENS")]
    max_prompt_length: Option<u32>,

    /// Use the first so many examples of the file.
    #[arg(long, value_name = "N")]
    limit: Option<u32>,

    /// Share of the prompts that is held out for evaluation [default: 0.1].
    #[arg(long, allow_negative_numbers = true)]
    held_out: Option<f64>,

    /// Keep token ids here: the same data, tokenizer, template and limits are not tokenized again.
    #[arg(long, value_name = "DIR")]
    cache: Option<String>,
}

/// Which examples an epoch has, and in which order.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Sampling")]
struct Sampling {
    /// Thumbs: both kinds in each batch, in the proportion of the data.
    #[arg(long)]
    stratify: bool,

    /// Thumbs: fraction of the thumbs up that is trained on.
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    keep_desirable: Option<f64>,

    /// Thumbs: fraction of the thumbs down that is trained on.
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    keep_undesirable: Option<f64>,

    /// One completion of each prompt an epoch, another in the next.
    #[arg(long)]
    one_per_prompt: bool,

    /// Batches of similar length: less padding, less time.
    #[arg(long)]
    length_buckets: bool,
}

/// Batches sorted by length together; what Hugging Face's sampler takes.
const BUCKET: u32 = 50;

impl Flags {
    /// All of them together, the settings of flags on top.
    pub(crate) fn settings(&self) -> Result<Settings, Error> {
        let mut layers = Layers::new();
        if let Some(preset) = &self.preset {
            layers.preset(preset.parse()?);
        }
        if let Some(config) = &self.config {
            layers.file(config)?;
        }
        for assignment in &self.set {
            layers.set("--set", assignment)?;
        }
        // A method first: what it does not share with the one below is gone.
        text(&mut layers, "--method", "method.name", &self.method);
        text(
            &mut layers,
            "--reference",
            "reference.name",
            &self.reference,
        );
        text(&mut layers, "--model", "model", &self.model);
        text(&mut layers, "--data", "data.path", &self.data);
        text(&mut layers, "--out", "output.folder", &self.out);
        text(&mut layers, "--device", "device", &self.device);
        let numbers = [
            (
                "--learning-rate",
                "trainer.learning_rate",
                self.learning_rate,
            ),
            ("--beta", "method.beta", self.beta),
            (
                "--desirable-weight",
                "method.desirable_weight",
                self.desirable_weight,
            ),
            (
                "--undesirable-weight",
                "method.undesirable_weight",
                self.undesirable_weight,
            ),
        ];
        let counts = [
            ("--epochs", "trainer.epochs", self.epochs),
            ("--max-steps", "trainer.max_steps", self.max_steps),
            ("--batch-size", "trainer.batch_size", self.batch_size),
            (
                "--micro-batch-size",
                "trainer.micro_batch_size",
                self.micro_batch_size,
            ),
            ("--every", "trainer.evaluate_every", self.every),
            ("--every", "trainer.checkpoint_every", self.every),
        ];
        put(&mut layers, &numbers);
        put(
            &mut layers,
            &counts.map(|(flag, name, n)| (flag, name, n.map(i64::from))),
        );
        put(&mut layers, &[("--seed", "seed", self.seed)]);
        if self.balance {
            layers.put("--balance", "method.balance", "three-halves");
        }
        self.reading.put(&mut layers);
        self.sampling.put(&mut layers);
        layers.settings()
    }
}

impl Reading {
    fn put(&self, layers: &mut Layers) {
        text(layers, "--format", "data.format", &self.format);
        for (known, yours) in &self.columns {
            layers.put(
                "--columns",
                &format!("data.columns.{known}"),
                yours.as_str(),
            );
        }
        text(layers, "--pairs", "data.pairs", &self.pairs);
        text(layers, "--language", "data.language", &self.language);
        text(layers, "--cache", "data.cache", &self.cache);
        if let Some(threshold) = &self.threshold {
            match threshold.parse::<f64>() {
                Ok(number) => layers.put("--threshold", "data.threshold", number),
                Err(_) => layers.put("--threshold", "data.threshold", threshold.as_str()),
            }
        }
        let numbers = [
            ("--score-ratio", "data.score_ratio", self.score_ratio),
            ("--held-out", "data.held_out", self.held_out),
        ];
        put(layers, &numbers);
        let counts = [
            ("--per-prompt", "data.per_prompt", self.per_prompt),
            ("--max-length", "data.max_length", self.max_length),
            (
                "--max-prompt-length",
                "data.max_prompt_length",
                self.max_prompt_length,
            ),
            ("--limit", "data.limit", self.limit),
        ];
        put(
            layers,
            &counts.map(|(flag, name, n)| (flag, name, n.map(i64::from))),
        );
        let switches = [
            ("--strict", "data.strict", self.strict),
            ("--every-turn", "data.every_turn", self.every_turn),
            (
                "--generation-marks",
                "data.generation_marks",
                self.generation_marks,
            ),
            (
                "--special-tokens-in-text",
                "data.special_tokens_in_text",
                self.special_tokens_in_text,
            ),
            (
                "--without-duplicates",
                "data.without_duplicates",
                self.without_duplicates,
            ),
        ];
        put(
            layers,
            &switches.map(|(flag, name, on)| (flag, name, on.then_some(true))),
        );
    }
}

impl Sampling {
    fn put(&self, layers: &mut Layers) {
        let switches = [
            ("--stratify", "sampler.stratified", self.stratify),
            (
                "--one-per-prompt",
                "sampler.one_per_prompt",
                self.one_per_prompt,
            ),
        ];
        put(
            layers,
            &switches.map(|(flag, name, on)| (flag, name, on.then_some(true))),
        );
        let numbers = [
            (
                "--keep-desirable",
                "sampler.keep_desirable",
                self.keep_desirable,
            ),
            (
                "--keep-undesirable",
                "sampler.keep_undesirable",
                self.keep_undesirable,
            ),
        ];
        put(layers, &numbers);
        let buckets = self.length_buckets.then_some(i64::from(BUCKET));
        put(
            layers,
            &[("--length-buckets", "sampler.length_buckets", buckets)],
        );
    }
}

fn text(layers: &mut Layers, flag: &str, name: &str, value: &Option<String>) {
    if let Some(value) = value {
        layers.put(flag, name, value.as_str());
    }
}

fn put<T: Copy + Into<toml::Value>>(layers: &mut Layers, flags: &[(&str, &str, Option<T>)]) {
    for (flag, name, value) in flags {
        if let Some(value) = value {
            layers.put(flag, name, *value);
        }
    }
}
