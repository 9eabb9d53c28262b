//! Settings as flags.

use super::put::{put, text};
use super::reading::Reading;
use burn_kto::Error;
use burn_kto::align::{Layers, Method, Preset, Settings};
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
    /// hub). JSON Lines, JSON arrays, CSV or Parquet; thumbs, pairs, conversations, OpenAssistant,
    /// SHP, UltraFeedback, Anthropic-HH and more; with --threshold scores. Pairs serve KTO as one
    /// thumb up and one down.
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
    /// The flags of the same run that goes on: its settings are in the folder of `--out`, and its
    /// folder is that of `--config`, from wherever it is asked for.
    pub(crate) fn of_run(mut self) -> Self {
        const SETTINGS: &str = "run.toml";
        match (&self.config, &self.out) {
            (None, Some(out)) => {
                let settings = PathBuf::from(out).join(SETTINGS);
                self.config = settings.is_file().then_some(settings);
            }
            (Some(config), None) if config.ends_with(SETTINGS) => {
                let folder = config
                    .parent()
                    .filter(|folder| folder.join("checkpoint").exists());
                self.out = folder.and_then(|folder| folder.to_str().map(str::to_string));
            }
            _ => {}
        }
        self
    }

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
        self.reading.put(&mut layers)?;
        self.sampling.put(&mut layers);
        layers.settings()
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
