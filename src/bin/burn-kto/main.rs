//! The program: `burn-kto align`, `burn-kto evaluate`, `burn-kto data`.

mod align;
mod data;
mod flags;
mod histogram;
mod interrupt;
mod output;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Aligns language models with human feedback: KTO, DPO and SFT.
#[derive(Parser, Debug)]
#[command(name = "burn-kto", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Align(Box<align::Options>),
    Data(Box<data::Options>),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Align(options) => align::run(&options),
        Command::Data(options) => data::run(&options),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "error: {error}");
        ExitCode::FAILURE
    })
}
