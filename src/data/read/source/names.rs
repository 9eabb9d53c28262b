//! What the name of a file says about what is in it.

use std::path::Path;

const ENDINGS: [&str; 6] = ["jsonl", "ndjson", "json", "parquet", "csv", "tsv"];
const COMPRESSED: [&str; 3] = ["gz", "zst", "zstd"];
const UNREAD: [&str; 21] = [
    "gzip", "bz2", "xz", "lz4", "zip", "tar", "tgz", "7z", "arrow", "feather", "xlsx", "xls",
    "pkl", "pickle", "npy", "npz", "yaml", "yml", "xml", "sqlite", "db",
];

/// By its name, data of a kind that is not read.
pub(in crate::data) fn is_unread(path: &Path) -> bool {
    ending(path).is_some_and(|last| UNREAD.contains(&last.as_str()))
}

fn ending(path: &Path) -> Option<String> {
    path.extension().map(|e| e.to_string_lossy().to_lowercase())
}

/// By its name, `x.jsonl` or `x.jsonl.gz`.
pub(in crate::data) fn is_data(path: &Path) -> bool {
    match ending(path) {
        Some(last) if COMPRESSED.contains(&last.as_str()) => {
            let inner = path.file_stem().map(Path::new).and_then(ending);
            inner.is_some_and(|inner| ENDINGS.contains(&inner.as_str()))
        }
        Some(last) => ENDINGS.contains(&last.as_str()),
        None => false,
    }
}
