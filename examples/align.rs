//! The demonstration of the main job, without a model or a file: a small decoder learns a small
//! world from demonstrations, answers, gets thumbs, and is aligned with KTO.
//!
//! ```text
//! cargo run --release --example align
//! cargo run --release --example align -- --help
//! ```
//!
//! On a model and feedback of your own it is the program: `burn-kto align`, docs/align.md.

#[path = "align/demo.rs"]
mod demo;
#[path = "align/world.rs"]
mod world;

use burn_kto::prelude::*;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// The demonstration: supervised fine-tuning, samples, thumbs, KTO, and how much better it became.
///
/// It needs no files. On a model and feedback of your own: burn-kto align.
#[derive(Parser, Clone, Debug)]
#[command(name = "align", version)]
pub(crate) struct Options {
    /// Where to write: sft/ and kto/ with metrics.jsonl and checkpoint/, and model/, a Hugging Face
    /// folder [default: runs/align, or where that is taken runs/align-2 and so on].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Where to compute, of what was compiled in: flex, libtorch, wgpu, vulkan, metal, cuda:0,
    /// rocm:0, cpu, …
    #[arg(long, default_value_t)]
    device: DeviceChoice,

    /// Seeds everything that is drawn.
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// In seconds instead of a minute; it shows less.
    #[arg(long)]
    quick: bool,
}

/// Status of a process that Ctrl-C ended, as shells have it: 128 and SIGINT.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // Without a handler Ctrl-C still ends the process, as ever.
    let _ = ctrlc::set_handler(on_interrupt);
    match demo::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_interrupted() => {
            eprintln!("{error}");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    /// Where to write: what was asked for, else the first folder that is free.
    fn folder(&self) -> PathBuf {
        let free = || {
            let later = (2..).map(|n| PathBuf::from(format!("runs/align-{n}")));
            let mut names = std::iter::once(PathBuf::from("runs/align")).chain(later);
            names.find(|name| !name.exists()).unwrap_or_default()
        };
        self.out.clone().unwrap_or_else(free)
    }
}

/// Whether Ctrl-C was pressed; a second one ends the process.
static CAME: AtomicBool = AtomicBool::new(false);

/// Ends a run after the step in which Ctrl-C came.
struct StopRun;

impl Hook for StopRun {
    fn on_step(&mut self, done: &StepDone<'_>) -> Result<(), Error> {
        if CAME.load(Ordering::Relaxed) {
            done.stop();
        }
        Ok(())
    }
}

fn on_interrupt() {
    if CAME.swap(true, Ordering::Relaxed) {
        std::process::exit(INTERRUPTED.into());
    }
    eprintln!("stopping after this step; once more to stop at once");
}

/// Mean of a metric as text.
fn shown(metrics: &Metrics, name: &str) -> String {
    metrics
        .get(name)
        .map_or("-".into(), |value| format!("{value:.4}"))
}
