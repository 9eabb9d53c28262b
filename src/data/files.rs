//! A file, a folder of shards, or a pattern.

use crate::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 4] = ["jsonl", "ndjson", "json", "parquet"];
const COMPRESSED: [&str; 3] = ["gz", "zst", "zstd"];

/// The files that `path` stands for, sorted by name: itself, all data files of a folder and the folders in it, what a pattern with `*`, `?` or `[…]`
/// matches, or what `hf://owner/name` has on the Hugging Face Hub.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix("hf://")) {
        return super::hub::files(name);
    }
    if path.is_dir() {
        let mut found = Vec::new();
        collect(path, &mut found)?;
        found.sort();
        return some(
            path,
            found,
            "is a folder without a data file (.jsonl, .json, .parquet, plain, .gz or .zst)",
        );
    }
    let pattern = path.to_string_lossy();
    if path.exists() || !pattern.contains(['*', '?', '[']) {
        return Ok(vec![path.to_path_buf()]);
    }
    let matches = glob::glob(&pattern).map_err(|error| Error::Dataset {
        message: format!("{pattern}: is not a pattern: {error}"),
    })?;
    let mut found = Vec::new();
    for path in matches {
        let path = path.map_err(|error| {
            let path = error.path().to_path_buf();
            Error::io("read", path)(error.into())
        })?;
        if path.is_file() {
            found.push(path);
        }
    }
    some(path, found, "matches no file")
}

fn some(path: &Path, found: Vec<PathBuf>, otherwise: &str) -> Result<Vec<PathBuf>, Error> {
    if found.is_empty() {
        let message = format!("{}: {otherwise}", path.display());
        return Err(Error::Dataset { message });
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Not through links to folders, which may lead back.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, found)?;
        } else if path.is_file() && is_data(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// By its name, `x.jsonl` or `x.jsonl.gz`.
pub(super) fn is_data(path: &Path) -> bool {
    let ending = |path: &Path| path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match ending(path) {
        Some(last) if COMPRESSED.contains(&last.as_str()) => {
            let inner = path.file_stem().map(Path::new).and_then(ending);
            inner.is_some_and(|inner| ENDINGS.contains(&inner.as_str()))
        }
        Some(last) => ENDINGS.contains(&last.as_str()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_patterns_stand_for_their_data_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("b")).unwrap();
        for name in [
            "b/2.jsonl.gz",
            "1.jsonl",
            "README.md",
            ".hidden.jsonl",
            "0.parquet",
            "model.gz",
        ] {
            fs::write(root.join(name), "{}").unwrap();
        }
        let names = |path: &Path| -> Vec<String> {
            let found = files(path).unwrap();
            let inside = found.iter().map(|path| path.strip_prefix(root).unwrap());
            inside.map(|path| path.display().to_string()).collect()
        };
        assert_eq!(names(root), ["0.parquet", "1.jsonl", "b/2.jsonl.gz"]);
        assert_eq!(
            names(&root.join("**/*.jsonl*")),
            [".hidden.jsonl", "1.jsonl", "b/2.jsonl.gz"]
        );
        assert_eq!(names(&root.join("1.jsonl")), ["1.jsonl"]);
        let error = files(&root.join("*.csv")).unwrap_err().to_string();
        assert!(error.ends_with("*.csv: matches no file"), "{error}");
        fs::create_dir(root.join("c")).unwrap();
        let error = files(&root.join("c")).unwrap_err().to_string();
        assert!(error.contains("is a folder without a data file"), "{error}");
        assert!(files(&root.join("***")).is_err());
    }
}
