//! What the program says: results on standard output, everything else on standard error.
//!
//! A reader that leaves early, as `head` does, ends neither the program nor its work: what it would
//! have read is dropped. Standard output that fails otherwise, as on a full disk, is an error at
//! the end.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether results were lost for another reason than that nobody reads them.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line on standard output, as `println!`.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::out(format_args!($($text)*)) };
}

/// A line on standard error, as `eprintln!`.
macro_rules! note {
    ($($text:tt)*) => { $crate::output::err(format_args!($($text)*)) };
}

pub(crate) use {note, say};

/// A line on standard output; [`say!`] is the way to call it.
pub(crate) fn out(text: Arguments<'_>) {
    if let Err(error) = put(&mut io::stdout().lock(), format!("{text}\n"))
        && error.kind() != ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        note!("error: cannot write to standard output: {error}");
    }
}

/// A line on standard error; [`note!`] is the way to call it.
pub(crate) fn err(text: Arguments<'_>) {
    // Where this fails there is nowhere left to say so.
    let _ = put(&mut io::stderr().lock(), format!("{text}\n"));
}

/// How far something is: over the last line on a terminal, below it elsewhere.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        let _ = put(&mut io::stderr().lock(), format!("\r\x1b[2K{text}"));
    } else {
        note!("{text}");
    }
}

/// Leaves the last line of [`progress`] where it is.
pub(crate) fn progress_done() {
    if io::stderr().is_terminal() {
        note!("");
    }
}

/// Whether something that [`say!`] should have written was lost.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// In one piece, so that lines of other threads do not come between.
fn put(to: &mut impl Write, text: String) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}
