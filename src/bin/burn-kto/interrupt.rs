//! Ctrl-C: the first ends the work after its current part, a second one ends the process at once.

use crate::output::note;
use burn_kto::Error;
use burn_kto::train::{EvaluationDone, Hook, StepDone};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// Exit status of a process that a signal ended, as shells have it: 128 and SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

/// Whether it was pressed.
static CAME: AtomicBool = AtomicBool::new(false);

/// After which part of the work now running it ends.
static PART: Mutex<&str> = Mutex::new("part");

/// From here on Ctrl-C asks to stop after the current `part`, "batch" say: see [`came`].
pub(crate) fn watch(part: &'static str) {
    static HANDLER: Once = Once::new();
    // Without a handler Ctrl-C still ends the process, as ever.
    HANDLER.call_once(|| drop(ctrlc::set_handler(pressed)));
    *PART.lock().unwrap_or_else(PoisonError::into_inner) = part;
}

/// Whether Ctrl-C was pressed.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

/// Ends a run after the step, or the evaluation, in which Ctrl-C came.
#[derive(Debug)]
pub(crate) struct StopRun;

impl Hook for StopRun {
    fn on_step(&mut self, done: &StepDone<'_>) -> Result<(), Error> {
        if came() {
            done.stop();
        }
        Ok(())
    }

    fn on_evaluate(&mut self, done: &EvaluationDone<'_>) -> Result<(), Error> {
        if came() {
            done.stop();
        }
        Ok(())
    }
}

fn pressed() {
    if CAME.swap(true, Ordering::Relaxed) {
        exit(i32::from(EXIT_CODE));
    }
    let part = PART.lock().unwrap_or_else(PoisonError::into_inner);
    note!("\nstopping after this {part}; once more to stop at once");
}
