//! The program: `burn-kto align`, `burn-kto evaluate`, `burn-kto data`.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Aligns language models with human feedback: KTO, DPO and SFT.
#[derive(Parser, Debug)]
#[command(name = "burn-kto", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {}

fn main() -> ExitCode {
    match Cli::parse().command {}
}
