//! Metrics as JSON lines.

use crate::error::Error;
use crate::train::metrics::Metrics;
use crate::train::run::hook::{EvaluationDone, Hook, StepDone};
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Name of the file in the output folder.
pub(super) const NAME: &str = "metrics.jsonl";

/// `metrics.jsonl`: one object a step or evaluation, flushed as it is written.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Keeps the lines of an earlier run up to `step`, where this one goes on.
    pub(super) fn open(folder: &Path, step: usize) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let kept = match step {
            0 => String::new(),
            _ => kept(&path, step)?,
        };
        fs::write(&path, kept).map_err(Error::io("write", &path))?;
        let file = File::options().append(true).open(&path);
        Ok(Self {
            file: file.map_err(Error::io("write", &path))?,
            path,
        })
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
        writeln!(self.file, "{}", Value::Object(line)).map_err(Error::io("write", &self.path))
    }
}

impl Hook for Journal {
    fn on_step(&mut self, done: &StepDone<'_>) -> Result<(), Error> {
        let mut fields = vec![
            ("step", done.step as f64),
            ("epoch", done.epoch),
            ("learning_rate", done.learning_rate),
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

fn kept(path: &Path, step: usize) -> Result<String, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let earlier = |line: &&str| {
        let value: Option<Value> = serde_json::from_str(line).ok();
        let at = value.and_then(|value| value["step"].as_u64());
        at.is_some_and(|at| at <= step as u64) // a torn line has no step
    };
    Ok(text
        .lines()
        .filter(earlier)
        .flat_map(|line| [line, "\n"])
        .collect())
}
