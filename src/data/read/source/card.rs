//! What the card of a data set, its README.md, says of which files are trained on.

use crate::data::read::source::names::has_word;
use crate::error::Error;
use glob::{MatchOptions, Pattern};
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What the file is called.
pub(in crate::data) const CARD: &str = "README.md";
/// Bytes of it that are looked at.
const LONGEST: u64 = 1 << 20;

/// The text of a card; nothing where there is none.
pub(in crate::data) fn card(path: &Path) -> Result<String, Error> {
    if !path.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    let read = file.take(LONGEST).read_to_end(&mut bytes);
    read.map_err(Error::io("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The part of a card between its lines `---`.
#[derive(Deserialize)]
struct Card {
    #[serde(default)]
    configs: Vec<Config>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    config_name: Option<String>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    data_dir: Option<String>,
    #[serde(default)]
    data_files: Option<DataFiles>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DataFiles {
    Splits(Vec<Split>),
    Patterns(OneOrMore),
}

#[derive(Deserialize)]
struct Split {
    split: String,
    path: OneOrMore,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn patterns(self) -> Vec<String> {
        match self {
            Self::One(pattern) => vec![pattern],
            Self::More(patterns) => patterns,
        }
    }
}

/// Patterns of the files that are trained on; none where the card does not say.
///
/// # Errors
///
/// Where it has several configurations, which are data sets of their own.
pub(in crate::data) fn patterns(readme: &str) -> Result<Vec<Pattern>, String> {
    let Some(mut card) = front(readme).and_then(|text| serde_saphyr::from_str::<Card>(text).ok())
    else {
        return Ok(Vec::new());
    };
    let name = |config: &Config| config.config_name.clone().unwrap_or_default();
    let is_default = |config: &Config| config.default || name(config) == "default";
    let chosen = match card.configs.iter().position(is_default) {
        Some(default) => default,
        None if card.configs.len() > 1 => {
            let names: Vec<String> = card.configs.iter().map(name).collect();
            return Err(format!(
                "has several configurations ({}), each a data set of its own: name the files of \
                 one by a pattern",
                names.join(", ")
            ));
        }
        None if card.configs.is_empty() => return Ok(Vec::new()),
        None => 0,
    };
    let config = card.configs.swap_remove(chosen);
    let folder = config
        .data_dir
        .map(|folder| format!("{}/", folder.trim_matches('/')));
    let found = match (config.data_files, &folder) {
        (None, None) => Vec::new(),
        (None, Some(_)) => vec!["**/*".into()],
        (Some(DataFiles::Patterns(all)), _) => all.patterns(),
        (Some(DataFiles::Splits(splits)), _) => train(splits),
    };
    let folder = folder.unwrap_or_default();
    let patterns = found.iter().filter_map(|found| {
        let path = found.trim_start_matches("./");
        Pattern::new(&format!("{folder}{path}")).ok()
    });
    Ok(patterns.collect())
}

/// What is between the lines `---` that a card begins with.
fn front(readme: &str) -> Option<&str> {
    let rest = readme
        .strip_prefix("---")?
        .trim_start_matches('\r')
        .strip_prefix('\n')?;
    rest.find("\n---").map(|end| &rest[..end])
}

/// The paths of the split that is trained on: `train`, or those that have it in their names.
fn train(splits: Vec<Split>) -> Vec<String> {
    let exact = splits.iter().any(|split| split.split == "train");
    let is_train = |split: &Split| match exact {
        true => split.split == "train",
        false => has_word(&split.split, &["train", "training"]),
    };
    let chosen = splits.into_iter().filter(is_train);
    chosen.flat_map(|split| split.path.patterns()).collect()
}

/// Whether one of the patterns is that of a path, `/` between its folders.
pub(in crate::data) fn is_named(patterns: &[Pattern], path: &str) -> bool {
    let options = MatchOptions {
        require_literal_separator: true,
        ..MatchOptions::default()
    };
    let path = path.replace('\\', "/");
    patterns
        .iter()
        .any(|pattern| pattern.matches_with(&path, options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(card: &str, path: &str) -> bool {
        is_named(&patterns(card).unwrap(), path)
    }

    #[test]
    fn a_card_names_the_files_of_its_training_split() {
        let card = "---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    \
                    path: data/a-*\n  - split: test\n    path:\n    - data/b-*\n- config_name: other\n  data_files: c.jsonl\n---\n# x";
        assert!(named(card, "data/a-0.parquet"));
        assert!(!named(card, "data/b-0.parquet"));
        assert!(!named(card, "data/a-1/x.parquet") && !named(card, "c.jsonl"));
        let one = "---\r\nconfigs:\r\n- config_name: x\r\n  data_dir: en\r\n---\r\n";
        assert!(named(one, "en/deep/a.jsonl") && !named(one, "de/a.jsonl"));
        for none in [
            "# x",
            "",
            "---\nconfigs: 3\n---\n",
            "---\nlicense: mit\n---\n",
            "---\nconfigs:",
        ] {
            assert!(patterns(none).unwrap().is_empty(), "{none}");
        }
        let several =
            "---\nconfigs:\n- config_name: a\n  data_files: a.jsonl\n- config_name: b\n---\n";
        assert!(
            patterns(several)
                .unwrap_err()
                .contains("several configurations (a, b)")
        );
    }
}
