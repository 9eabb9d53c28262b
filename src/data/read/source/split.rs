//! Which files of a data set are trained on: a test split that is read along is no test.

use std::path::PathBuf;

/// Files that a path stands for.
#[derive(Debug)]
pub(in crate::data) struct Source {
    /// Those that are read, sorted.
    pub(in crate::data) files: Vec<PathBuf>,
    /// Others that are beside them: of another split, or of a kind that is not read.
    pub(in crate::data) left_out: Vec<String>,
}

impl From<Vec<PathBuf>> for Source {
    fn from(files: Vec<PathBuf>) -> Self {
        let left_out = Vec::new();
        Self { files, left_out }
    }
}

/// Words of a path that say that it is of the training split, as for Hugging Face's own library.
const TRAIN: [&str; 2] = ["train", "training"];
/// Words that say that it is of another.
const OTHERS: [&str; 8] = [
    "test",
    "testing",
    "validation",
    "valid",
    "val",
    "dev",
    "eval",
    "evaluation",
];

/// Files whose names data sets give to what is about the data.
const ABOUT: [&str; 12] = [
    "dataset_infos.json",
    "dataset_info.json",
    "dataset_dict.json",
    "state.json",
    "croissant.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "model.safetensors.index.json",
    "package.json",
];

/// Whether a file is about the data and none of it.
pub(in crate::data) fn is_about(name: &str) -> bool {
    ABOUT.contains(&name)
}

/// Parts the paths of a data set's files into those that are trained on and the others: those that
/// say `train`; if none does, those that name no other split; else all.
pub(in crate::data) fn split<T>(files: Vec<T>, path: impl Fn(&T) -> String) -> (Vec<T>, Vec<T>) {
    let has = |file: &T, words: &[&str]| {
        let path = path(file).to_lowercase();
        let mut found = path.split(|c: char| !c.is_alphabetic());
        found.any(|word| words.contains(&word))
    };
    let is_train = |file: &T| has(file, &TRAIN);
    let is_free = |file: &T| !has(file, &OTHERS);
    if files.iter().any(is_train) {
        return files.into_iter().partition(is_train);
    }
    if files.iter().any(is_free) {
        return files.into_iter().partition(is_free);
    }
    (files, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_split_is_read_where_there_is_one() {
        let read = |paths: &[&str]| {
            let paths = paths.iter().map(|path| path.to_string()).collect();
            split(paths, String::clone).0
        };
        assert_eq!(
            read(&["data/test-0.parquet", "data/train-0.parquet"]),
            ["data/train-0.parquet"]
        );
        assert_eq!(read(&["Train.csv", "Test.csv"]), ["Train.csv"]);
        assert_eq!(
            read(&["constrained.jsonl", "x-train_sft.jsonl"]),
            ["x-train_sft.jsonl"]
        );
        assert_eq!(read(&["all.jsonl", "validation.jsonl"]), ["all.jsonl"]);
        assert_eq!(
            read(&["test.jsonl", "dev.jsonl"]),
            ["test.jsonl", "dev.jsonl"]
        );
        assert_eq!(
            read(&["contest.jsonl", "b.jsonl"]),
            ["contest.jsonl", "b.jsonl"]
        );
    }
}
