//! What a person sees while a run goes on.

use crate::train::metrics::Metrics;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stderr};

/// Where progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// On standard error: a bar on a terminal, a line every tenth of the run elsewhere.
    #[default]
    Stderr,
    /// Nowhere.
    Silent,
}

pub(in crate::train) struct Display {
    bar: ProgressBar,
    lines: bool,
    total: usize,
}

impl Display {
    pub(in crate::train) fn new(progress: Progress, done: usize, total: usize) -> Self {
        let terminal = stderr().is_terminal();
        let shown = progress == Progress::Stderr;
        let target = if shown && terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        let style = "{bar:30} {pos}/{len} [{elapsed_precise} < {eta_precise}] {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_position(done as u64);
        Self {
            bar,
            lines: shown && !terminal,
            total,
        }
    }

    /// After step `step`, counted from 1.
    pub(in crate::train) fn step(&self, step: usize, metrics: &Metrics) {
        let message = summary(metrics);
        let tenth = |step: usize| step * 10 / self.total;
        if self.lines && tenth(step) > tenth(step - 1) {
            line(&format!("step {step}/{}  {message}", self.total));
        }
        self.bar.set_message(message);
        self.bar.inc(1);
    }

    /// A held-out evaluation after `step` steps.
    pub(in crate::train) fn evaluation(&self, step: usize, metrics: &Metrics) {
        let text = format!("step {step}/{}  held out: {}", self.total, summary(metrics));
        if self.lines {
            line(&text);
        } else {
            self.bar.println(text);
        }
    }

    pub(in crate::train) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// A line on standard error; nobody reading it is no reason to end a run.
fn line(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

fn summary(metrics: &Metrics) -> String {
    let part = |name, label| Some(format!("{label} {:.4}", metrics.get(name)?));
    let parts = [
        part("loss", "loss"),
        metrics.z0().map(|z0| z0.to_string()),
        part("rewards/margins", "margin"),
        part("rewards/accuracies", "accuracy"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}
