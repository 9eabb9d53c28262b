//! `meta.json`: what the other files are, and what has to be in them.

use super::key::{Parts, hex};
use crate::data::encode::report::EncodeReport;
use crate::data::reason::DropReason;
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
    /// What has to be in `tokens.bin`.
    pub(super) tokens: Content,
    /// What has to be in `index.bin`.
    pub(super) index: Content,
    pub(super) report: CachedReport,
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
pub(super) struct CachedReport {
    dropped: BTreeMap<DropReason, usize>,
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

impl From<&EncodeReport> for CachedReport {
    fn from(report: &EncodeReport) -> Self {
        Self {
            dropped: report.dropped.clone(),
            truncated_prompts: report.truncated_prompts,
            truncated_completions: report.truncated_completions,
            special_tokens_in_text: report.special_tokens_in_text,
            answers_as_they_are: report.answers_as_they_are,
            refusal: report.refusal.clone(),
        }
    }
}

impl CachedReport {
    /// The report as it was, but for the lengths.
    pub(super) fn restore(&self, kept: usize) -> EncodeReport {
        let mut report = EncodeReport::default();
        report.kept = kept;
        report.dropped = self.dropped.clone();
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
        json.map_err(|error| Error::source(META, error.to_string()))
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

/// A hash of its values rather than of its text.
fn checksum(meta: &Meta) -> String {
    let text = serde_json::to_vec(meta).unwrap_or_default();
    hex(xxh3_128(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(report: &EncodeReport) -> Meta {
        let content = Content {
            bytes: 0,
            xxh3: String::new(),
        };
        Meta {
            key: Parts::new(),
            rows: 7,
            tokens: content.clone(),
            index: content,
            report: report.into(),
        }
    }

    #[test]
    fn a_cached_report_has_every_reason() {
        let mut report = EncodeReport::default();
        report.kept = 7;
        let reasons = DropReason::ALL.iter().zip(1..);
        report.dropped = reasons.map(|(reason, count)| (*reason, count)).collect();
        assert_eq!(report.dropped.len(), DropReason::ALL.len());
        report.refusal = Some((3, "no".into()));
        let json = meta(&report).into_json().unwrap();
        let read = Meta::from_json(&json).unwrap();
        assert_eq!(read.report.restore(read.rows), report);
    }

    #[test]
    fn a_reason_that_nobody_knows_is_damage() {
        let mut report = EncodeReport::default();
        report.drop(DropReason::EmptyPrompt);
        let json = String::from_utf8(meta(&report).into_json().unwrap()).unwrap();
        let other = json.replace("empty_prompt", "empty_propmt");
        let damage = Meta::from_json(other.as_bytes()).unwrap_err();
        assert!(damage.contains("empty_propmt"), "{damage}");
    }
}
