//! A file, a folder of shards, or a pattern.

use crate::data::read::rows::short;
use crate::data::read::source::card::{CARD, card};
use crate::data::read::source::made::{is_made, is_of_run, is_run};
use crate::data::read::source::names::{is_data, is_unread};
use crate::data::read::source::split::{Source, is_about, split};
use crate::error::Error;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The files that `path` stands for, sorted by name: itself, all data files of a folder and the
/// folders in it, what a pattern with `*`, `?` or `[…]` matches, or what `hf://owner/name` has on
/// the Hugging Face Hub.
///
/// Links are followed, and each real file of a folder or a pattern is read once, under its first
/// name (of a pattern the shortest). What cannot be looked at (a link to nothing), and what has the
/// name of data but is neither file nor folder (a pipe), is an error. In a folder, hidden files and
/// those with other endings (`.txt`, but also `.arrow` or `.jsonl.bz2`) are passed over, and so is
/// what is about the data (`dataset_infos.json`) and what was made of it: runs, models, token
/// caches. A path that is no folder and no pattern is taken
/// as it is, so that a pipe can be read.
///
/// Of a folder those files are meant that are trained on, as of a data set on the Hub: those that
/// its card (README.md) names; else where some say `train`, those; else those that name no other
/// split.
pub(in crate::data) fn files(path: &Path) -> Result<Source, Error> {
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix("hf://")) {
        return crate::data::read::source::hub::files(name);
    }
    let mut found = DataFiles::default();
    if path.is_dir() {
        found.folder(path)?;
        found.files.sort();
        let mut otherwise = String::from(
            "is a folder without a data file (.jsonl, .json, .csv, .tsv, .parquet, plain, .gz or \
             .zst)",
        );
        if !found.unread.is_empty() {
            let unread = &found.unread[..found.unread.len().min(5)];
            otherwise += &format!("; not read: {}", unread.join(", "));
        }
        let inside = |file: &PathBuf| {
            let inside = file.strip_prefix(path).unwrap_or(file);
            inside.to_string_lossy().into_owned()
        };
        let card = card(&path.join(CARD))?;
        let all = some(path, found.files, &otherwise)?;
        let (files, others) =
            split(&card, all, inside).map_err(|why| Error::source(path, short(&why)))?;
        let mut left_out: Vec<String> = others.iter().map(inside).collect();
        left_out.extend(found.unread);
        let made = found.made.iter();
        left_out.extend(made.map(|folder| format!("{}/", inside(folder))));
        return Ok(Source { files, left_out });
    }
    let pattern = path.to_string_lossy();
    if path.exists() || !pattern.contains(['*', '?', '[']) {
        return Ok(vec![path.to_path_buf()].into());
    }
    let matches = glob::glob(&pattern)
        .map_err(|error| Error::source(path, format!("is not a pattern: {error}")))?;
    let mut paths = matches.collect::<Result<Vec<_>, _>>().map_err(|error| {
        let path = error.path().to_path_buf();
        Error::io("read", path)(error.into())
    })?;
    // Of the names of a file the shortest, not the one forty times round a loop of links.
    paths.sort_by_key(|path| path.components().count());
    for path in paths {
        found.matched(path)?;
    }
    found.files.sort();
    Ok(some(path, found.files, "matches no file")?.into())
}

fn some(path: &Path, found: Vec<PathBuf>, otherwise: &str) -> Result<Vec<PathBuf>, Error> {
    if found.is_empty() {
        return Err(Error::source(path, otherwise));
    }
    Ok(found)
}

#[derive(Default)]
struct DataFiles {
    files: Vec<PathBuf>,
    /// Names in folders that are not of data files that can be read, but of data.
    unread: Vec<String>,
    /// Folders in folders with what is made of data.
    made: Vec<PathBuf>,
    /// What was there before, by its real path: links may lead back.
    seen: HashSet<PathBuf>,
}

impl DataFiles {
    fn folder(&mut self, folder: &Path) -> Result<(), Error> {
        let real = folder.canonicalize().map_err(Error::io("read", folder))?;
        if !self.seen.insert(real) {
            return Ok(());
        }
        let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
        let entries = entries.map(|entry| entry.map(|entry| entry.path()));
        let entries: Result<Vec<_>, _> = entries.collect();
        let mut entries = entries.map_err(Error::io("read", folder))?;
        // The order decides which of two names is the first.
        entries.sort();
        let is_run = is_run(folder);
        for path in entries {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let real = path.canonicalize().map_err(Error::io("read", &path))?;
            if real.is_dir() && is_made(&real) {
                self.made.push(path);
            } else if real.is_dir() {
                self.folder(&path)?;
            } else if is_about(&name) {
                continue;
            } else if is_run && is_of_run(&name) {
                self.unread.push(name.into_owned());
            } else if is_data(&path) {
                self.file(path, real)?;
            } else if is_unread(&path) {
                self.unread.push(name.into_owned());
            }
        }
        Ok(())
    }

    /// What a pattern matches, less folders.
    fn matched(&mut self, path: PathBuf) -> Result<(), Error> {
        // Round a loop of links `**` goes forty times, until the system gives up: the real folder
        // first keeps what is at its end in reach.
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        let real = folder.canonicalize().and_then(|folder| {
            let name = path.file_name().unwrap_or_default();
            folder.join(name).canonicalize()
        });
        let real = real.map_err(Error::io("read", &path))?;
        if real.is_dir() {
            return Ok(());
        }
        self.file(path, real)
    }

    fn file(&mut self, path: PathBuf, real: PathBuf) -> Result<(), Error> {
        if !real.is_file() {
            return Err(Error::source(path, "is neither a file nor a folder"));
        }
        if self.seen.insert(real) {
            self.files.push(path);
        }
        Ok(())
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
            let found = files(path).unwrap().files;
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

    #[test]
    fn other_endings_are_named_where_there_is_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["1.arrow", "2.jsonl.bz2", "README.md"] {
            fs::write(root.join(name), "{}").unwrap();
        }
        let error = files(root).unwrap_err().to_string();
        assert!(
            error.ends_with("; not read: 1.arrow, 2.jsonl.bz2"),
            "{error}"
        );
        fs::write(root.join("3.jsonl"), "{}").unwrap();
        let found = files(root).unwrap();
        assert_eq!(found.files, [root.join("3.jsonl")]);
        assert_eq!(found.left_out, ["1.arrow", "2.jsonl.bz2"]);
    }

    #[test]
    fn what_was_made_of_the_data_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let make = |names: &[&str]| {
            for name in names {
                let path = root.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "{}").unwrap();
            }
        };
        make(&["1.jsonl", "a/2.json", "b/config.json", "b/3.json"]);
        let expected = ["1.jsonl", "a/2.json", "b/3.json"].map(|name| root.join(name));
        // A run has its settings before anything else.
        make(&[
            "runs/new/run.toml",
            "runs/old/metrics.jsonl",
            "runs/old/trainer.json",
        ]);
        make(&[
            "runs/old/model/config.json",
            "runs/old/checkpoint/manifest.json",
        ]);
        make(&["saved/state.json", "saved/model.bpk", "saved/manifest.json"]);
        make(&[
            "tokens/0/meta.json",
            "tokens/0/tokens.bin",
            "tokens/0/index.bin",
        ]);
        make(&[
            "base/config.json",
            "base/model.safetensors",
            "base/vocab.json",
        ]);
        make(&[
            "lora/adapter_config.json",
            "lora/adapter_model.safetensors",
            "lora/x.json",
        ]);
        let found = files(root).unwrap();
        assert_eq!(found.files, expected);
        let made = [
            "base/",
            "lora/",
            "runs/new/",
            "runs/old/",
            "saved/",
            "tokens/0/",
        ];
        assert_eq!(found.left_out, made);
        // A run may be in the very folder; and what is named is read.
        make(&["run.toml", "metrics.jsonl", "trainer.json", "sampler.json"]);
        let found = files(root).unwrap();
        assert_eq!(found.files, expected);
        let of_run = ["metrics.jsonl", "sampler.json", "trainer.json"];
        assert_eq!(found.left_out[..3], of_run);
        let named = root.join("runs/old/metrics.jsonl");
        assert_eq!(files(&named).unwrap().files, [named]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_each_file_is_there_once() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("1.jsonl"), "{}").unwrap();
        fs::write(root.join("0.jsonl"), "{}").unwrap();
        symlink("0.jsonl", root.join("2.jsonl")).unwrap();
        symlink(other.path(), root.join("b")).unwrap();
        symlink(".", root.join("+self")).unwrap();
        let expected = [root.join("0.jsonl"), root.join("b/1.jsonl")];
        assert_eq!(files(root).unwrap().files, expected);
        for pattern in ["**/*.jsonl", "**/*"] {
            assert_eq!(
                files(&root.join(pattern)).unwrap().files,
                expected,
                "{pattern}"
            );
        }

        symlink("nowhere", root.join("3.jsonl")).unwrap();
        for path in [root.to_path_buf(), root.join("*.jsonl")] {
            let error = files(&path).unwrap_err().to_string();
            let expected = format!("cannot read {}: No such", root.join("3.jsonl").display());
            assert!(error.starts_with(&expected), "{error}");
        }
        fs::remove_file(root.join("3.jsonl")).unwrap();

        let pipe = root.join("3.jsonl");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [root.to_path_buf(), root.join("*.jsonl")] {
            let error = files(&path).unwrap_err().to_string();
            let expected = "3.jsonl: is neither a file nor a folder";
            assert!(error.ends_with(expected), "{error}");
        }
        assert_eq!(files(&pipe).unwrap().files, [pipe]);
    }
}
