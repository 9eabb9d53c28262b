//! What would be trained on, without training.

use super::data::Limits;
use super::examples::{Examples, check_strict, read};
use super::report::Event;
use super::settings::Settings;
use crate::data::{
    BinaryExample, Encode, EncodeReport, PreferenceExample, Prompt, ReadReport, SftExample,
    TokenizedBinary, TokenizedPreference, TokenizedSft, hold_out,
};
use crate::error::Error;
use crate::model::{HfTokenizer, ModelFolder};

/// What would be trained on; made by [`preview`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Preview {
    /// What became of the rows.
    pub read: ReadReport,
    /// Examples that would be trained on, before they are encoded.
    pub train: usize,
    /// Examples that would be held out, before they are encoded.
    pub held_out: usize,
    /// With a model: what its tokenizer makes of them.
    pub tokens: Option<TokenPreview>,
    /// The first rows that would be trained on.
    pub rows: Vec<PreviewRow>,
}

/// Lengths in tokens, of all examples, held-out ones included.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenPreview {
    /// What becomes of the examples within the limits.
    pub report: EncodeReport,
    /// Longest sequence and longest prompt.
    pub limits: Limits,
    /// Tokens of each prompt, before anything is cut.
    pub prompts: Vec<usize>,
    /// Tokens of each completion, its end of sequence included, before anything is cut.
    pub completions: Vec<usize>,
}

/// An example as the model would see it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PreviewRow {
    /// What is said of it: `thumb up`, `chosen`, `demonstration`.
    pub label: String,
    /// Its text in pieces.
    pub pieces: Vec<Piece>,
    /// How many tokens it has; `None` without a model.
    pub tokens: Option<TokenCount>,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Piece {
    /// What it says.
    pub text: String,
    /// Whether its tokens are scored.
    pub is_scored: bool,
}

/// Tokens of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenCount {
    /// Tokens in all.
    pub all: usize,
    /// Those of them that are scored.
    pub scored: usize,
}

impl Piece {
    fn new(text: impl Into<String>, is_scored: bool) -> Self {
        Self {
            text: text.into(),
            is_scored,
        }
    }
}

/// Reads the data as [`Alignment`](super::Alignment) would, and tells what it would be trained on:
/// at most `rows` of them. The model's weights are not needed; without a model rows are texts.
///
/// # Errors
///
/// Where [`Alignment::run`](super::Alignment::run) would fail before it loads the weights.
pub fn preview(
    settings: &Settings,
    rows: usize,
    tell: &mut dyn FnMut(&Event<'_>),
) -> Result<Preview, Error> {
    settings.validate()?;
    let folder = settings.model.as_deref();
    let folder = folder.map(ModelFolder::open_without_weights).transpose()?;
    let (examples, read) = read(settings, tell)?;
    let look = Look {
        settings,
        folder: folder.as_ref(),
        rows,
        read,
    };
    match examples {
        Examples::Thumbs(examples) => look.at(examples),
        Examples::Pairs(examples) => look.at(examples),
        Examples::Demonstrations(examples) => look.at(examples),
    }
}

struct Look<'a> {
    settings: &'a Settings,
    folder: Option<&'a ModelFolder>,
    rows: usize,
    read: ReadReport,
}

impl Look<'_> {
    fn at<E: Shown>(self, examples: Vec<E>) -> Result<Preview, Error> {
        let (settings, rows) = (self.settings, self.rows);
        let (train, held_out) =
            hold_out(examples, settings.data.held_out, settings.seed, E::prompt);
        let (trained, held) = (train.len(), held_out.len());
        let Some(folder) = self.folder else {
            let shown = train.iter().take(rows).flat_map(E::texts);
            return Ok(Preview {
                read: self.read,
                train: trained,
                held_out: held,
                tokens: None,
                rows: shown.collect(),
            });
        };
        let limits = settings.data.limits(folder.max_length())?;
        let encoder = settings.data.encoder(folder, limits);
        let unlimited = settings.data.encoder(folder, Limits::NONE);
        // The first that are kept, which may be behind others that are dropped.
        let mut kept = Vec::new();
        for one in train.chunks(1) {
            if kept.len() >= rows {
                break;
            }
            kept.extend(E::encode(one, &encoder)?.examples);
        }
        let mut pieces = Vec::new();
        for row in kept.iter().take(rows) {
            pieces.extend(E::pieces(row, &folder.tokenizer)?);
        }
        let all: Vec<E> = train.into_iter().chain(held_out).collect();
        let report = E::encode(&all, &encoder)?.report;
        check_strict(settings, &report)?;
        let whole = E::encode(&all, &unlimited)?.examples;
        let lengths: Vec<(usize, Vec<usize>)> = whole.iter().map(E::lengths).collect();
        Ok(Preview {
            read: self.read,
            train: trained,
            held_out: held,
            tokens: Some(TokenPreview {
                report,
                limits,
                prompts: lengths.iter().map(|(prompt, _)| *prompt).collect(),
                completions: lengths
                    .into_iter()
                    .flat_map(|(_, lengths)| lengths)
                    .collect(),
            }),
            rows: pieces,
        })
    }
}

/// Examples of all kinds alike.
trait Shown: Encode {
    fn prompt(&self) -> &Prompt;
    /// Without a tokenizer.
    fn texts(&self) -> Vec<PreviewRow>;
    fn pieces(row: &Self::Tokenized, tokenizer: &HfTokenizer) -> Result<Vec<PreviewRow>, Error>;
    /// Tokens of the prompt and of each completion.
    fn lengths(row: &Self::Tokenized) -> (usize, Vec<usize>);
}

impl Shown for BinaryExample {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    fn texts(&self) -> Vec<PreviewRow> {
        vec![text(
            thumb(self.desirable, self.weight),
            &self.prompt,
            &self.completion,
        )]
    }

    fn pieces(row: &TokenizedBinary, tokenizer: &HfTokenizer) -> Result<Vec<PreviewRow>, Error> {
        let label = thumb(row.desirable, row.weight);
        Ok(vec![decoded(
            label,
            tokenizer,
            &row.prompt,
            &row.completion,
            &[],
        )?])
    }

    fn lengths(row: &TokenizedBinary) -> (usize, Vec<usize>) {
        (row.prompt.len(), vec![row.completion.len()])
    }
}

impl Shown for PreferenceExample {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    fn texts(&self) -> Vec<PreviewRow> {
        let side = |label: &str, completion| text(label.into(), &self.prompt, completion);
        vec![
            side("chosen", &self.chosen),
            side("rejected", &self.rejected),
        ]
    }

    fn pieces(
        row: &TokenizedPreference,
        tokenizer: &HfTokenizer,
    ) -> Result<Vec<PreviewRow>, Error> {
        let side =
            |label: &str, ids: &[u32]| decoded(label.into(), tokenizer, &row.prompt, ids, &[]);
        Ok(vec![
            side("chosen", &row.chosen)?,
            side("rejected", &row.rejected)?,
        ])
    }

    fn lengths(row: &TokenizedPreference) -> (usize, Vec<usize>) {
        (row.prompt.len(), vec![row.chosen.len(), row.rejected.len()])
    }
}

impl Shown for SftExample {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    fn texts(&self) -> Vec<PreviewRow> {
        vec![text("demonstration".into(), &self.prompt, &self.completion)]
    }

    fn pieces(row: &TokenizedSft, tokenizer: &HfTokenizer) -> Result<Vec<PreviewRow>, Error> {
        let label = "demonstration".into();
        let row = decoded(label, tokenizer, &row.prompt, &row.completion, &row.runs)?;
        Ok(vec![row])
    }

    fn lengths(row: &TokenizedSft) -> (usize, Vec<usize>) {
        (row.prompt.len(), vec![row.completion.len()])
    }
}

fn thumb(desirable: bool, weight: f64) -> String {
    let thumb = if desirable { "thumb up" } else { "thumb down" };
    match weight == 1.0 {
        true => thumb.into(),
        false => format!("{thumb}, weight {weight:.3}"),
    }
}

fn text(label: String, prompt: &Prompt, completion: &str) -> PreviewRow {
    let prompt = match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Messages(messages) => {
            let turns = messages
                .iter()
                .map(|m| format!("{}: {}\n", m.role, m.content));
            turns.collect::<String>() + "assistant: "
        }
    };
    PreviewRow {
        label,
        pieces: vec![Piece::new(prompt, false), Piece::new(completion, true)],
        tokens: None,
    }
}

/// `runs` as of [`TokenizedSft`].
fn decoded(
    label: String,
    tokenizer: &HfTokenizer,
    prompt: &[u32],
    completion: &[u32],
    runs: &[u32],
) -> Result<PreviewRow, Error> {
    let mut pieces = vec![Piece::new(tokenizer.decode_all(prompt)?, false)];
    let all = [completion.len() as u32];
    let runs = if runs.is_empty() { &all } else { runs };
    let (mut rest, mut count, mut is_scored) = (completion, 0, true);
    for &run in runs {
        let (these, others) = rest.split_at((run as usize).min(rest.len()));
        pieces.push(Piece::new(tokenizer.decode_all(these)?, is_scored));
        count += if is_scored { these.len() } else { 0 };
        (rest, is_scored) = (others, !is_scored);
    }
    Ok(PreviewRow {
        label,
        pieces,
        tokens: Some(TokenCount {
            all: prompt.len() + completion.len(),
            scored: count,
        }),
    })
}
