//! The program: `burn-kto align`, `evaluate`, `data`, `completions`, `man`.

mod align;
mod data;
mod evaluate;
mod flags;
mod histogram;
mod interrupt;
mod output;
mod pages;
mod version;

use clap::{CommandFactory, Parser, Subcommand};
use output::note;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  burn-kto data --data thumbs.jsonl --model DIR
  burn-kto align --model DIR --data thumbs.jsonl --method kto --out runs/kto
  burn-kto evaluate --model DIR --data DIR --tasks mmlu,gsm8k --limit 10
  burn-kto evaluate --model ALIGNED --compare BEFORE --data DIR

Exit codes:
  0    done
  1    error: what, where and why is on standard error
  2    usage: a subcommand or flag that does not exist, or a value it cannot have
  130  interrupted by Ctrl-C: what was finished is kept, and the same command goes on";

/// Aligns language models with human feedback: KTO, DPO and SFT.
#[derive(Parser, Debug)]
#[command(name = "burn-kto", version, long_version = version::LONG.as_str())]
#[command(after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Align(Box<align::Options>),
    Data(Box<data::Options>),
    Evaluate(Box<evaluate::Options>),
    Completions(pages::Completions),
    Man(pages::Manual),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Align(options) => align::run(&options),
        Command::Data(options) => data::run(&options),
        Command::Evaluate(options) => evaluate::run(&options),
        Command::Completions(options) => pages::completions(&options, Cli::command()),
        Command::Man(options) => pages::manual(&options, Cli::command()),
    };
    if let Err(error) = &result {
        let kind = if interrupt::came() { "" } else { "error: " };
        note!("{kind}{error}");
    }
    if interrupt::came() {
        ExitCode::from(interrupt::EXIT_CODE)
    } else if result.is_err() || output::lost() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
