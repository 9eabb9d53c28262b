//! `burn-kto data`.

use super::flags::Flags;
use super::histogram::histogram;
use super::output::say;
use burn_kto::Error;
use burn_kto::align::{Piece, Preview, PreviewRow, preview};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  burn-kto data --data thumbs.jsonl                              what is in it
  burn-kto data --data pairs.jsonl --method dpo --model DIR      as this model would see it
  burn-kto data --config runs/kto/run.toml --rows 3
It takes what align takes: the same command line tells what it would be trained on.";

/// Reads the data and tells what would be trained on; nothing is trained or written.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Show so many of the rows.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rows: usize,

    #[command(flatten)]
    flags: Flags,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let settings = options.flags.settings()?;
    let preview = preview(&settings, options.rows, &mut |event| say!("{event}"))?;
    let (train, held_out) = (preview.train, preview.held_out);
    say!("       {train} to train on, {held_out} held out");
    lengths(&preview);
    if !preview.rows.is_empty() {
        say!("\nrows   what is scored stands in ⟦ ⟧");
    }
    preview.rows.iter().for_each(row);
    if settings.model.is_none() {
        say!("\nWith --model, lengths in tokens, and rows as that model would see them.");
    }
    Ok(())
}

fn lengths(preview: &Preview) {
    let Some(tokens) = &preview.tokens else {
        return;
    };
    let table = tokens.report.table().replace('\n', "\n       ");
    say!("\ntokens {table}");
    let (longest, prompt) = (tokens.limits.sequence, tokens.limits.prompt);
    say!("       at most {longest}, {prompt} of them prompt");
    let parts = [
        ("prompts", &tokens.prompts, Some(prompt)),
        ("completions", &tokens.completions, None),
    ];
    for (name, lengths, limit) in parts {
        say!("\n{name}, in tokens, before anything is cut");
        histogram(lengths, limit)
            .iter()
            .for_each(|line| say!("{line}"));
    }
}

fn row(row: &PreviewRow) {
    let tokens = row.tokens.map_or_else(String::new, |count| {
        format!(", {} tokens, {} of them scored", count.all, count.scored)
    });
    say!("\n-- {}{tokens}", row.label);
    let text: String = row.pieces.iter().map(piece).collect();
    for line in text.split('\n') {
        say!("   {line}");
    }
}

fn piece(piece: &Piece) -> String {
    // What would move a terminal's cursor stands as it is written in code, and so does what would
    // turn the direction of the text behind it.
    let mut text = String::new();
    for c in piece.text.chars() {
        match c != '\n' && (c.is_control() || turns_direction(c)) {
            true => text.extend(c.escape_default()),
            false => text.push(c),
        }
    }
    match piece.is_scored {
        true => format!("⟦{text}⟧"),
        false => text,
    }
}

fn turns_direction(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}
