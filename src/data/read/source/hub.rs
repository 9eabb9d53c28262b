//! Data sets on the Hugging Face Hub.

#[cfg(feature = "hub")]
pub(in crate::data) use online::files;

#[cfg(not(feature = "hub"))]
pub(in crate::data) fn files(
    name: &str,
) -> Result<crate::data::read::source::split::Source, crate::error::Error> {
    Err(crate::error::Error::Feature {
        what: format!("hf://{name}: is on the Hugging Face Hub"),
        feature: "hub",
    })
}

#[cfg(feature = "hub")]
mod online {
    use crate::data::read::source::names::is_data;
    use crate::data::read::source::split::{Source, is_about, split};
    use crate::error::Error;
    use crate::model::download::Bar;
    use crate::model::repository::Repository;
    use hf_hub::HFClientSync;
    use hf_hub::repository::RepoTreeEntry;
    use std::path::Path;

    /// `owner/name[@revision][/pattern]`.
    #[derive(Debug, PartialEq)]
    struct Name<'a> {
        repository: Repository<'a>,
        pattern: Option<&'a str>,
    }

    impl<'a> Name<'a> {
        fn parse(text: &'a str) -> Option<Self> {
            let (repository, pattern) = Repository::split(text)?;
            let pattern = pattern.filter(|pattern| !pattern.is_empty());
            Some(Self {
                repository,
                pattern,
            })
        }

        /// Which of the data set's files are meant, sorted; and its other data files.
        fn choose(&self, mut all: Vec<String>) -> Result<(Vec<String>, Vec<String>), String> {
            all.sort();
            let (found, others) = match self.pattern {
                Some(pattern) => {
                    let pattern = glob::Pattern::new(pattern);
                    let pattern = pattern.map_err(|error| format!("is not a pattern: {error}"))?;
                    let matched = all.iter().filter(|path| pattern.matches(path));
                    (matched.cloned().collect(), Vec::new())
                }
                None => {
                    let is_about = |path: &Path| {
                        let name = path.file_name().unwrap_or_default();
                        is_about(&name.to_string_lossy())
                    };
                    let is_data = |path: &&String| {
                        let path = Path::new(path);
                        is_data(path) && !is_about(path)
                    };
                    split(all.iter().filter(is_data).cloned().collect(), String::clone)
                }
            };
            if found.is_empty() {
                let all = all.iter().take(20).map(String::as_str).collect::<Vec<_>>();
                return Err(format!("has no such data file; it has {}", all.join(", ")));
            }
            match found.iter().find(|path| !is_inside(path)) {
                Some(path) => Err(format!("has a file that would be outside of it: {path:?}")),
                None => Ok((found, others)),
            }
        }
    }

    /// What a hub lists becomes a path here, which must not lead out of the cache.
    fn is_inside(path: &str) -> bool {
        let drive = path.as_bytes().get(1) == Some(&b':');
        let mut words = path.split('/');
        !drive && !path.contains('\\') && words.all(|word| !matches!(word, "" | "." | ".."))
    }

    /// Downloads what is not in the cache yet, all of one commit, whatever is pushed meanwhile.
    pub(in crate::data) fn files(text: &str) -> Result<Source, Error> {
        let failed =
            |message: String| Error::source(format!("hf://{text}"), message.replace('\n', " "));
        let name = Name::parse(text)
            .ok_or_else(|| failed("must be hf://owner/name[@revision][/pattern]".into()))?;
        let client = HFClientSync::new().map_err(|error| failed(error.to_string()))?;
        let dataset = client.dataset(name.repository.owner, name.repository.name);
        let info = dataset
            .info()
            .maybe_revision(name.repository.revision)
            .expand(vec!["sha".into()])
            .send()
            .map_err(|error| failed(error.to_string()))?;
        let commit = info
            .sha
            .ok_or_else(|| failed("the Hub does not say which commit it is at".into()))?;
        let tree = dataset
            .list_tree()
            .recursive(true)
            .revision(commit.as_str())
            .send()
            .map_err(|error| failed(error.to_string()))?;
        let paths = tree.into_iter().filter_map(|entry| match entry {
            RepoTreeEntry::File { path, .. } => Some(path),
            _ => None,
        });
        let (chosen, left_out) = name.choose(paths.collect()).map_err(failed)?;
        let files = chosen.iter().map(|path| {
            let download = dataset
                .download_file()
                .filename(path.as_str())
                .revision(commit.as_str())
                .progress(Bar::new(path));
            download
                .send()
                .map_err(|error| failed(format!("{path}: {error}")))
        });
        let files = files.collect::<Result<_, _>>()?;
        Ok(Source { files, left_out })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn training_files_come_first() {
            let choose = |name: &str, all: &[&str]| {
                Name::parse(name)
                    .unwrap()
                    .choose(all.iter().map(|s| s.to_string()).collect())
                    .map(|(chosen, _)| chosen)
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
                choose("a/b", &["constrained.jsonl", "x-train_sft.jsonl"]).unwrap(),
                ["x-train_sft.jsonl"]
            );
            assert_eq!(
                choose("a/b", &["train1.jsonl", "training/0.jsonl", "test.jsonl"]).unwrap(),
                ["train1.jsonl", "training/0.jsonl"]
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

        #[test]
        fn files_stay_in_the_cache() {
            for bad in ["/x.jsonl", "../x.jsonl", "a/../../x.jsonl", "a//x.jsonl"]
                .into_iter()
                .chain(["a\\..\\x.jsonl", "C:x.jsonl", "./x.jsonl"])
            {
                for name in ["a/b", "a/b/**"] {
                    let chosen = Name::parse(name).unwrap().choose(vec![bad.into()]);
                    assert!(chosen.unwrap_err().contains("would be outside"), "{bad}");
                }
            }
        }
    }
}
