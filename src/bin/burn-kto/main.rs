//! The program: `burn-kto evaluate`, `burn-kto completions`, `burn-kto man`.

mod evaluate;
mod interrupt;
mod output;
mod pages;
mod version;

use clap::{CommandFactory, Parser, Subcommand};
use output::note;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  burn-kto evaluate --model DIR --data DIR --tasks mmlu,gsm8k --limit 10
  burn-kto evaluate --model ALIGNED --compare BEFORE --data DIR
  burn-kto evaluate --help

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
    Evaluate(Box<evaluate::Options>),
    Completions(pages::Completions),
    Man(pages::Manual),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
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
