//! Flags of how the feedback is read.

use super::put::{put, text};
use burn_kto::Error;
use burn_kto::align::Layers;
use burn_kto::data::Format;
use clap::Args;

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
pub(crate) struct Reading {
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

impl Reading {
    pub(crate) fn put(&self, layers: &mut Layers) -> Result<(), Error> {
        text(layers, "--format", "data.format", &self.format);
        // Settings have a name once: the last would count without a word.
        for (i, (known, yours)) in self.columns.iter().enumerate() {
            let mut before = self.columns[..i].iter();
            if let Some((_, other)) = before.find(|(name, other)| name == known && other != yours) {
                let message = format!(
                    "--columns: both \"{other}\" and \"{yours}\" are to be read as {known}"
                );
                return Err(Error::Usage { message });
            }
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
        Ok(())
    }
}
