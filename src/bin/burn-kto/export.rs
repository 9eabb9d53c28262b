//! `burn-kto export`.

use super::output::say;
use burn_kto::Error;
use burn_kto::align::{Settings, export};
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  burn-kto export runs/kto --out halfway               of the checkpoint that is there
  burn-kto export runs/kto --out halfway --device flex
  burn-kto evaluate --model halfway --data BENCHMARKS";

/// Writes the policy of a run's checkpoint as a Hugging Face folder.
///
/// At any time: also while the run goes on, or when it was interrupted. The run is left as it is.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The folder of the run, with run.toml and checkpoint/.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Where to write the model; a folder that is not there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Where the model is that the run began with, if it has moved: its tokenizer and configuration
    /// are taken from there.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// Where to compute, if not where the run does.
    #[arg(long)]
    device: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut settings = Settings::of_run(&options.run)?;
    if let Some(model) = &options.model {
        settings.model = Some(model.clone());
    }
    if let Some(device) = &options.device {
        settings.device = device.parse()?;
    }
    let exported = export(&settings, &options.out)?;
    let (model, step) = (exported.model.display(), exported.step);
    say!("written {model} (weights, config, tokenizer): the policy after step {step}");
    Ok(())
}
