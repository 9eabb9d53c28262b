//! What a person sees while a run goes on.

use crate::error::Error;
use crate::train::metrics::Metrics;
use crate::train::run::hook::{EvaluationDone, Hook, RunEnded, RunStarted, RunWarning, StepDone};
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

impl Hook for Display {
    fn on_start(&mut self, run: &RunStarted<'_>) -> Result<(), Error> {
        if run.step > 0 {
            let (step, total) = (run.step, run.total);
            self.line(&match step < total {
                true => format!("goes on after step {step} of {total}"),
                false => format!("all {total} steps are done: nothing is left to do"),
            });
        }
        Ok(())
    }

    fn on_step(&mut self, done: &StepDone<'_>) -> Result<(), Error> {
        self.step(done.step, done.metrics);
        Ok(())
    }

    fn on_evaluate(&mut self, done: &EvaluationDone<'_>) -> Result<(), Error> {
        self.evaluation(done.step, done.metrics);
        Ok(())
    }

    fn on_warning(&mut self, warning: &RunWarning<'_>) -> Result<(), Error> {
        self.line(&format!("warning: {}", warning.message));
        Ok(())
    }

    fn on_end(&mut self, _: &RunEnded) -> Result<(), Error> {
        self.bar.finish_and_clear();
        Ok(())
    }
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
    fn step(&self, step: usize, metrics: &Metrics) {
        let message = metrics.summary();
        let tenth = |step: usize| step * 10 / self.total;
        if self.lines && tenth(step) > tenth(step - 1) {
            line(&format!("step {step}/{}  {message}", self.total));
        }
        self.bar.set_message(message);
        self.bar.inc(1);
    }

    /// A held-out evaluation after `step` steps.
    fn evaluation(&self, step: usize, metrics: &Metrics) {
        let line = format!(
            "step {step}/{}  held out: {}",
            self.total,
            metrics.summary()
        );
        self.line(&line);
    }

    /// A line of its own, above a bar.
    fn line(&self, text: &str) {
        if self.lines {
            line(text);
        } else {
            self.bar.println(text);
        }
    }
}

/// A line on standard error; nobody reading it is no reason to end a run.
fn line(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}
