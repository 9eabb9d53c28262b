//! The program: `burn-kto align`, `export`, `evaluate`, `data`, `completions`, `man`.

mod align;
mod data;
mod evaluate;
mod export;
mod flags;
mod histogram;
mod interrupt;
mod output;
mod pages;
mod put;
mod reading;
mod version;

use clap::{CommandFactory, Parser, Subcommand};
use output::note;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  burn-kto data --data thumbs.jsonl --model DIR
  burn-kto align --model DIR --data thumbs.jsonl --method kto --out runs/kto
  burn-kto export runs/kto --out DIR
  burn-kto evaluate --model DIR --data DIR --tasks mmlu,gsm8k --limit 10
  burn-kto evaluate --model ALIGNED --compare BEFORE --data DIR

Exit codes:
  0    done
  1    error: what, where and why is on standard error
  2    usage: a subcommand or flag that does not exist, or a value it cannot have
  130  interrupted by Ctrl-C: what was finished is kept; align goes on with --resume, evaluate with
       the same command";

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
    Export(export::Options),
    Data(Box<data::Options>),
    Evaluate(Box<evaluate::Options>),
    Completions(pages::Completions),
    Man(pages::Manual),
}

/// How a subcommand came to its end without an error.
#[derive(Clone, Copy, Debug)]
enum End {
    Done,
    Interrupted,
}

fn main() -> ExitCode {
    let done = |()| End::Done;
    let end = match Cli::parse().command {
        Command::Align(options) => align::run(&options),
        Command::Export(options) => export::run(&options).map(done),
        Command::Data(options) => data::run(&options).map(done),
        Command::Evaluate(options) => evaluate::run(&options).map(done),
        Command::Completions(options) => pages::completions(&options, Cli::command()).map(done),
        Command::Man(options) => pages::manual(&options, Cli::command()).map(done),
    };
    match end {
        Ok(End::Done) if output::lost() => ExitCode::FAILURE,
        // Also where Ctrl-C came too late to leave anything undone.
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) if error.is_interrupted() => {
            note!("{error}");
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            note!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
