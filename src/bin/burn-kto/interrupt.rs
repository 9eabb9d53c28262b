//! Ctrl-C: the first ends the work after its current part, a second one ends the process at once.

use crate::output::note;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// Of a process that a signal ended, as shells have it: 128 and SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

/// Whether it was pressed.
static CAME: AtomicBool = AtomicBool::new(false);

/// What the work now running looks at, and after which part of it it ends.
static WATCHED: Mutex<(&'static str, Option<Arc<AtomicBool>>)> = Mutex::new(("part", None));

/// From here on Ctrl-C asks to stop after the current `part`, "batch" say: see [`came`].
pub(crate) fn watch(part: &'static str) {
    watched(part, None);
}

/// From here on Ctrl-C asks to stop after the current `part`, "step" say, by raising `flag`, which
/// is raised at once where it came before: a trainer's stop flag.
pub(crate) fn stop(flag: Arc<AtomicBool>, part: &'static str) {
    watched(part, Some(flag));
}

/// Whether Ctrl-C was pressed.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

fn watched(part: &'static str, flag: Option<Arc<AtomicBool>>) {
    static HANDLER: Once = Once::new();
    // Without a handler Ctrl-C still ends the process, as ever.
    HANDLER.call_once(|| drop(ctrlc::set_handler(pressed)));
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(flag) = flag.as_ref().filter(|_| came()) {
        flag.store(true, Ordering::Relaxed);
    }
    *watched = (part, flag);
}

fn pressed() {
    if CAME.swap(true, Ordering::Relaxed) {
        exit(i32::from(EXIT_CODE));
    }
    let watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(flag) = &watched.1 {
        flag.store(true, Ordering::Relaxed);
    }
    note!(
        "\nstopping after this {}; once more to stop at once",
        watched.0
    );
}
