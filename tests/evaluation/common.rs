//! Where data is, and subjects that answer by rule.

use std::path::PathBuf;

/// The shared benchmark files, or a line that they are not there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/eval");
    let path = root.join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no {}", path.display());
    None
}
