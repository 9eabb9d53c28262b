//! Metrics as JSON lines.

use crate::disk;
use crate::error::Error;
use crate::train::metrics::Metrics;
use crate::train::run::hook::{EvaluationDone, Hook, StepDone};
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Name of the file in the output folder.
pub(super) const NAME: &str = "metrics.jsonl";
/// What a step's line has and an evaluation's has not.
const RATE: &str = "learning_rate";

/// `metrics.jsonl`: one object a step or evaluation, flushed as it is written.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Whether the file can be told from another one of its name.
    is_told: bool,
}

/// An earlier run's journal up to where this one goes on.
#[derive(Default)]
struct Kept {
    text: Vec<u8>,
    /// Lines of steps in it.
    steps: usize,
}

impl Journal {
    /// Keeps the lines of an earlier run up to `step`, where this one goes on; not those of that
    /// step's evaluation where it is due again. Until that is on the disk the old file stays. Also
    /// says how many steps before have no line, which was lost or damaged.
    pub(super) fn open(
        folder: &Path,
        step: usize,
        evaluation_due: bool,
    ) -> Result<(Self, usize), Error> {
        let path = folder.join(NAME);
        let kept = match step {
            0 => Kept::default(),
            _ => kept(&path, step, evaluation_due)?,
        };
        disk::replace(&path, &kept.text)?;
        let file = opened(&path)?;
        let journal = Self {
            is_told: disk::is_at(&file, &path),
            path,
            file,
        };
        Ok((journal, step.saturating_sub(kept.steps)))
    }

    /// Writes the file again where somebody took it away; whether that was so.
    pub(super) fn renew(&mut self) -> Result<bool, Error> {
        if disk::is_at(&self.file, &self.path) || !self.is_told && self.path.exists() {
            return Ok(false);
        }
        let mut text = Vec::new();
        // What has lost its name is there until it is closed.
        let read = self.file.rewind();
        let read = read.and_then(|()| self.file.read_to_end(&mut text));
        read.map_err(Error::io("read", &self.path))?;
        disk::replace(&self.path, &text)?;
        self.file = opened(&self.path)?;
        Ok(true)
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(Error::io("write", &self.path))
    }

    /// `fields` first, then the means of `metrics`, their names behind `prefix`.
    fn write(
        &mut self,
        fields: &[(&str, f64)],
        prefix: &str,
        metrics: &Metrics,
    ) -> Result<(), Error> {
        let mut line = Map::new();
        for (name, value) in fields {
            line.insert((*name).to_string(), number(*value));
        }
        for (name, value) in metrics.means() {
            line.insert(format!("{prefix}{name}"), number(value));
        }
        // In one piece: what is cut short is the last line.
        let line = format!("{}\n", Value::Object(line));
        let written = self.file.write_all(line.as_bytes());
        written.map_err(Error::io("write", &self.path))
    }
}

impl Hook for Journal {
    fn on_step(&mut self, done: &StepDone<'_>) -> Result<(), Error> {
        let mut fields = vec![
            ("step", done.step as f64),
            ("epoch", done.epoch),
            (RATE, done.learning_rate),
            ("grad_norm", done.grad_norm),
            ("tokens_per_second", done.tokens_per_second),
        ];
        fields.extend(done.settings);
        self.write(&fields, "", done.metrics)
    }

    fn on_evaluate(&mut self, done: &EvaluationDone<'_>) -> Result<(), Error> {
        self.write(&[("step", done.step as f64)], "eval_", done.metrics)
    }
}

/// A JSON number, whole ones without a fraction. JSON has no NaN or infinity, so they become null.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

fn opened(path: &Path) -> Result<File, Error> {
    let file = File::options().read(true).append(true).open(path);
    file.map_err(Error::io("write", path))
}

fn kept(path: &Path, step: usize, evaluation_due: bool) -> Result<Kept, Error> {
    let before = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Kept::default()),
        other => other.map_err(Error::io("read", path))?,
    };
    let mut kept = Kept::default();
    for line in before.split(|byte| *byte == b'\n') {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        let Some(at) = value["step"].as_u64() else {
            continue; // the end, or what was cut short
        };
        let is_step = value.get(RATE).is_some();
        if at < step as u64 || at == step as u64 && (is_step || !evaluation_due) {
            kept.text.extend_from_slice(line);
            kept.text.push(b'\n');
            kept.steps += usize::from(is_step);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of a journal, and how many steps have no line.
    fn reopened(text: &[u8], step: usize, evaluation_due: bool) -> (String, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, text).unwrap();
        let (_, lost) = Journal::open(folder.path(), step, evaluation_due).unwrap();
        (fs::read_to_string(path).unwrap(), lost)
    }

    const LINES: &str = "{\"step\":0,\"eval_loss\":1}\n\
        {\"step\":1,\"learning_rate\":1}\n\
        {\"step\":2,\"learning_rate\":1}\n\
        {\"step\":2,\"eval_loss\":1}\n";

    #[test]
    fn an_evaluation_that_is_due_again_is_not_kept() {
        let lines: Vec<&str> = LINES.split_inclusive('\n').collect();
        let kept = |step, due| reopened(LINES.as_bytes(), step, due);
        assert_eq!(kept(2, false), (LINES.into(), 0));
        assert_eq!(kept(3, true), (LINES.into(), 1));
        assert_eq!(kept(2, true), (lines[..3].concat(), 0));
        assert_eq!(kept(1, true), (lines[..2].concat(), 0));
        assert_eq!(kept(0, true), (String::new(), 0));
    }

    #[test]
    fn what_was_cut_short_or_damaged_goes_and_is_counted() {
        for end in 1..LINES.len() {
            let bytes = LINES.as_bytes();
            // A line that lacks its end only is whole.
            let whole = match bytes[end] {
                b'\n' => &LINES[..=end],
                _ => &LINES[..LINES[..end].rfind('\n').map_or(0, |at| at + 1)],
            };
            let lost = 2 - whole.matches(RATE).count();
            assert_eq!(reopened(&bytes[..end], 2, false), (whole.into(), lost));
        }
        let mut bytes = LINES.as_bytes().to_vec();
        let second = LINES.find('\n').unwrap() + 1;
        bytes[second + 2] = 0xff;
        let (text, lost) = reopened(&bytes, 2, false);
        assert_eq!((text.lines().count(), lost), (3, 1));
    }
}
