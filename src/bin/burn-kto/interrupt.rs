//! Ctrl-C.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Exit status of what was interrupted, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Ends the run after the current step at the first Ctrl-C; a second one ends the process.
pub(crate) fn stop_on_interrupt(flag: Arc<AtomicBool>) {
    static CURRENT: OnceLock<Mutex<Arc<AtomicBool>>> = OnceLock::new();
    let slot = CURRENT.get_or_init(|| {
        let handler = || {
            let Some(Ok(flag)) = CURRENT.get().map(|slot| slot.lock()) else {
                std::process::exit(INTERRUPTED.into());
            };
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED.into());
            }
            let text = "stopping after this step; once more to stop at once";
            let _ = writeln!(std::io::stderr(), "{text}");
        };
        // Without a handler Ctrl-C still ends the process, as ever.
        let _ = ctrlc::set_handler(handler);
        Mutex::new(flag.clone())
    });
    if let Ok(mut slot) = slot.lock() {
        *slot = flag;
    }
}
