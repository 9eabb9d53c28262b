//! Data sets on the Hugging Face Hub.

#[cfg(feature = "hub")]
pub(super) use online::files;

#[cfg(not(feature = "hub"))]
pub(super) fn files(name: &str) -> Result<Vec<std::path::PathBuf>, crate::error::Error> {
    Err(crate::error::Error::Dataset {
        message: format!(
            "hf://{name}: is on the Hugging Face Hub: build burn-kto with feature `hub`"
        ),
    })
}

#[cfg(feature = "hub")]
mod online {
    use crate::data::files::is_data;
    use crate::error::Error;
    use hf_hub::HFClientSync;
    use hf_hub::progress::{DownloadEvent, ProgressEvent, ProgressHandler};
    use hf_hub::repository::RepoTreeEntry;
    use indicatif::{ProgressBar, ProgressStyle};
    use std::collections::HashMap;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    /// `owner/name[@revision][/pattern]`.
    #[derive(Debug, PartialEq)]
    struct Name<'a> {
        owner: &'a str,
        name: &'a str,
        revision: Option<&'a str>,
        pattern: Option<&'a str>,
    }

    impl<'a> Name<'a> {
        fn parse(text: &'a str) -> Option<Self> {
            let (owner, rest) = text.split_once('/')?;
            let (name, pattern) = match rest.split_once('/') {
                Some((name, pattern)) => (name, Some(pattern)),
                None => (rest, None),
            };
            let (name, revision) = match name.split_once('@') {
                Some((name, revision)) => (name, Some(revision)),
                None => (name, None),
            };
            let all = [Some(owner), Some(name), revision];
            let good = all.iter().flatten().all(|part| !part.is_empty());
            good.then_some(Self {
                owner,
                name,
                revision,
                pattern: pattern.filter(|pattern| !pattern.is_empty()),
            })
        }

        /// Which of the data set's files are meant, sorted.
        fn choose(&self, mut all: Vec<String>) -> Result<Vec<String>, String> {
            all.sort();
            let found = match self.pattern {
                Some(pattern) => {
                    let pattern = glob::Pattern::new(pattern);
                    let pattern = pattern.map_err(|error| format!("is not a pattern: {error}"))?;
                    all.iter()
                        .filter(|path| pattern.matches(path))
                        .collect::<Vec<_>>()
                }
                None => {
                    let data: Vec<_> = all.iter().filter(|path| is_data(Path::new(path))).collect();
                    let train = data.iter().filter(|path| path.contains("train"));
                    let train: Vec<_> = train.copied().collect();
                    if train.is_empty() { data } else { train }
                }
            };
            if found.is_empty() {
                let all = all.iter().take(20).map(String::as_str).collect::<Vec<_>>();
                return Err(format!("has no such data file; it has {}", all.join(", ")));
            }
            Ok(found.into_iter().cloned().collect())
        }
    }

    /// Downloads what is not in the cache yet.
    pub(in crate::data) fn files(text: &str) -> Result<Vec<PathBuf>, Error> {
        let failed = |message: String| Error::Dataset {
            message: format!("hf://{text}: {}", message.replace('\n', " ")),
        };
        let name = Name::parse(text)
            .ok_or_else(|| failed("must be hf://owner/name[@revision][/pattern]".into()))?;
        let client = HFClientSync::new().map_err(|error| failed(error.to_string()))?;
        let dataset = client.dataset(name.owner, name.name);
        let revision = name.revision.map(str::to_string);
        let tree = dataset
            .list_tree()
            .recursive(true)
            .maybe_revision(revision.clone())
            .send()
            .map_err(|error| failed(error.to_string()))?;
        let paths = tree.into_iter().filter_map(|entry| match entry {
            RepoTreeEntry::File { path, .. } => Some(path),
            _ => None,
        });
        let chosen = name.choose(paths.collect()).map_err(failed)?;
        let files = chosen.iter().map(|path| {
            let download = dataset
                .download_file()
                .filename(path.as_str())
                .maybe_revision(revision.clone())
                .progress(Bar::new(path));
            download
                .send()
                .map_err(|error| failed(format!("{path}: {error}")))
        });
        files.collect()
    }

    /// Shows a download on standard error.
    struct Bar {
        bar: ProgressBar,
        done: Mutex<HashMap<String, u64>>,
    }

    impl Bar {
        fn new(path: &str) -> Self {
            let bar = ProgressBar::no_length();
            let style =
                "{prefix}  {binary_bytes}/{binary_total_bytes}  {wide_bar}  {binary_bytes_per_sec}";
            bar.set_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_prefix(path.to_string());
            Self {
                bar,
                done: Mutex::default(),
            }
        }
    }

    impl ProgressHandler for Bar {
        fn on_progress(&self, event: &ProgressEvent) {
            let ProgressEvent::Download(event) = event else {
                return;
            };
            match event {
                DownloadEvent::Start { total_bytes, .. } => self.bar.set_length(*total_bytes),
                DownloadEvent::Progress { files } => {
                    let Ok(mut done) = self.done.lock() else {
                        return;
                    };
                    for file in files {
                        done.insert(file.filename.clone(), file.bytes_completed);
                    }
                    self.bar.set_position(done.values().sum());
                }
                DownloadEvent::AggregateProgress {
                    bytes_completed, ..
                } => {
                    self.bar.set_position(*bytes_completed);
                }
                DownloadEvent::Complete => self.bar.finish_and_clear(),
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn names_say_what_is_meant() {
            let name = Name::parse("a/b@main/data/*.jsonl").unwrap();
            assert_eq!(
                (name.owner, name.name, name.revision, name.pattern),
                ("a", "b", Some("main"), Some("data/*.jsonl"))
            );
            for bad in ["", "a", "a/", "/b", "a/b@", "a/@x"] {
                assert_eq!(Name::parse(bad), None, "{bad}");
            }
        }

        #[test]
        fn training_files_come_first() {
            let choose = |name: &str, all: &[&str]| {
                Name::parse(name)
                    .unwrap()
                    .choose(all.iter().map(|s| s.to_string()).collect())
            };
            let all = [
                "README.md",
                "data/train-1.parquet",
                "data/train-0.parquet",
                "data/test-0.parquet",
            ];
            assert_eq!(
                choose("a/b", &all).unwrap(),
                ["data/train-0.parquet", "data/train-1.parquet"]
            );
            assert_eq!(
                choose("a/b", &["x.jsonl", "y.json.gz", "z.txt"]).unwrap(),
                ["x.jsonl", "y.json.gz"]
            );
            assert_eq!(
                choose("a/b/data/test*", &all).unwrap(),
                ["data/test-0.parquet"]
            );
            assert!(
                choose("a/b/none*", &all)
                    .unwrap_err()
                    .contains("it has README.md")
            );
        }
    }
}
