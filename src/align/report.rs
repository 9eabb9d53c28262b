//! What is told while a run goes on, and what it leaves.

use super::settings::Settings;
use crate::data::{EncodeReport, Labelled, ReadReport, SamplerReport};
use crate::loss::ClassWeights;
use crate::train::Metrics;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is told while a run goes on. As text it is what a person wants to read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The model is there.
    Model {
        /// Its folder or name.
        name: &'a Path,
        /// Numbers in it.
        parameters: usize,
    },
    /// The data was read.
    Read(&'a ReadReport),
    /// Scores became thumbs.
    Labelled(&'a Labelled),
    /// Texts became token ids.
    Encoded {
        /// `train` or `held out`.
        part: &'static str,
        /// What became of them.
        report: &'a EncodeReport,
        /// Whether they come from the cache.
        cached: bool,
    },
    /// λ from the class counts.
    Weights(&'a ClassWeights),
    /// Something to think about.
    Note(&'static str),
    /// What an epoch has of the data, where it is not all of it in any order.
    Epoch(&'a SamplerReport),
    /// Training begins.
    Started {
        /// Examples that are trained on.
        train: usize,
        /// Examples that are held out.
        held_out: usize,
        /// Optimizer steps of the whole run.
        steps: usize,
    },
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model { name, parameters } => {
                write!(f, "model  {}: {parameters} parameters", name.display())
            }
            Self::Read(report) => {
                write!(f, "data   {}", report.table().replace('\n', "\n       "))
            }
            Self::Labelled(labelled) => write!(f, "       {labelled}"),
            Self::Encoded {
                part,
                report,
                cached,
            } => {
                let origin = if *cached { "; from the cache" } else { "" };
                write!(f, "       {part}: {report}{origin}")
            }
            Self::Weights(weights) => write!(f, "       {weights}"),
            Self::Note(note) => write!(f, "       {note}"),
            Self::Epoch(report) => write!(f, "       {report}"),
            Self::Started {
                train,
                held_out,
                steps,
            } => write!(
                f,
                "train  {train} examples in {steps} steps, {held_out} held out"
            ),
        }
    }
}

/// Held-out metrics on one line: the only place that says how.
pub fn held_out_line(step: usize, metrics: &Metrics) -> String {
    format!("step {step:>5}  held out: {}", metrics.summary())
}

/// What a run leaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The aligned folder; `None` if the run was interrupted.
    pub model: Option<PathBuf>,
    /// The settings as they were used, with everything that was left open: they are in
    /// `run.toml`, and give the same run again.
    pub settings: Settings,
    /// What became of the rows.
    pub read: ReadReport,
    /// Optimizer steps finished, those before a resumed run included.
    pub steps: usize,
    /// Held-out metrics and the step they were taken after, in order.
    pub evaluations: Vec<(usize, Metrics)>,
    /// Whether it was asked to stop before the end.
    pub interrupted: bool,
    /// How long it took, reading included.
    pub elapsed: Duration,
}
