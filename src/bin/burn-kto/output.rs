//! What is said on standard output.

use std::fmt::Display;
use std::io::Write;

/// A line on standard output. Where nobody reads any more the work goes on all the same.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
