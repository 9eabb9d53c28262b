//! `meta.json`: what the other files are, and what has to be in them.

use super::key::{Parts, hex};
use crate::data::encode::row::DROPPED;
use crate::data::read::report::EncodeReport;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

pub(super) const META: &str = "meta.json";
pub(super) const TOKENS: &str = "tokens.bin";
pub(super) const INDEX: &str = "index.bin";

/// What is known about a cache.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meta {
    /// What it was made of; a folder's name is only a hash of it.
    pub(super) key: Parts,
    /// Examples.
    pub(super) rows: usize,
    /// Of `tokens.bin`.
    pub(super) tokens: Content,
    /// Of `index.bin`.
    pub(super) index: Content,
    pub(super) report: Report,
}

/// What has to be in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    pub(super) bytes: u64,
    pub(super) xxh3: String,
}

/// The numbers of an [`EncodeReport`] that the index does not tell.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    dropped: BTreeMap<String, usize>,
    truncated_prompts: usize,
    truncated_completions: usize,
    special_tokens_in_text: usize,
    answers_as_they_are: usize,
    refusal: Option<(usize, String)>,
}

/// A [`Meta`] and its checksum: without, a flipped digit would be a number like any other.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checked {
    meta: Meta,
    xxh3: String,
}

impl From<&EncodeReport> for Report {
    fn from(report: &EncodeReport) -> Self {
        let dropped = report.dropped.iter();
        Self {
            dropped: dropped.map(|(why, n)| (why.to_string(), *n)).collect(),
            truncated_prompts: report.truncated_prompts,
            truncated_completions: report.truncated_completions,
            special_tokens_in_text: report.special_tokens_in_text,
            answers_as_they_are: report.answers_as_they_are,
            refusal: report.refusal.clone(),
        }
    }
}

impl Report {
    /// As it was, but for the lengths.
    pub(super) fn restore(&self, kept: usize) -> EncodeReport {
        let count = |why: &&'static str| Some((*why, *self.dropped.get(*why)?));
        let mut report = EncodeReport::default();
        report.kept = kept;
        report.dropped = DROPPED.iter().filter_map(count).collect();
        report.truncated_prompts = self.truncated_prompts;
        report.truncated_completions = self.truncated_completions;
        report.special_tokens_in_text = self.special_tokens_in_text;
        report.answers_as_they_are = self.answers_as_they_are;
        report.refusal = self.refusal.clone();
        report
    }
}

impl Meta {
    pub(super) fn into_json(self) -> Result<Vec<u8>, Error> {
        let xxh3 = checksum(&self);
        let json = serde_json::to_vec_pretty(&Checked { meta: self, xxh3 });
        json.map_err(|error| Error::Dataset {
            message: format!("{META}: {error}"),
        })
    }

    /// Why not, where it is damaged.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, String> {
        let Checked { meta, xxh3 } =
            serde_json::from_slice(json).map_err(|error| format!("{META}: {error}"))?;
        if checksum(&meta) != xxh3 {
            return Err(format!("{META} does not have its checksum"));
        }
        Ok(meta)
    }

    /// `None` where there is no such file.
    pub(super) fn read(folder: &Path) -> Result<Option<Vec<u8>>, Error> {
        let path = folder.join(META);
        match std::fs::read(&path) {
            Ok(json) => Ok(Some(json)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }
}

/// Of its values rather than of its text.
fn checksum(meta: &Meta) -> String {
    let text = serde_json::to_vec(meta).unwrap_or_default();
    hex(xxh3_128(&text))
}
