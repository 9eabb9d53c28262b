//! What became of the rows: nothing is left out or repeated without a word.

use super::row::RowInfo;
use serde::Serialize;
use std::fmt;

/// What an epoch has of some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SampleCounts {
    /// Rows that there are.
    pub rows: usize,
    /// Rows that are seen, each counted once.
    pub kept: usize,
    /// How often a row is seen again.
    pub repeated: usize,
}

impl SampleCounts {
    /// Rows that are not seen in this epoch.
    pub fn left_out(&self) -> usize {
        self.rows - self.kept
    }

    /// Examples of the epoch, repeated ones included.
    pub fn examples(&self) -> usize {
        self.kept + self.repeated
    }

    /// A row that is seen so often.
    fn count(&mut self, seen: usize) {
        self.rows += 1;
        self.kept += usize::from(seen > 0);
        self.repeated += seen.saturating_sub(1);
    }
}

/// What an epoch has of the data, over all ranks; made by
/// [`Sampler::report`](super::Sampler::report).
///
/// ```
/// use burn_kto::prelude::*;
/// let rows = [RowInfo::default(); 8];
/// let sources = vec![SourceConfig::new(2, 0.5), SourceConfig::new(6, 0.5)];
/// let sampler = SamplerConfig::new().with_sources(sources);
/// let sampler = sampler.with_mixing(Mixing::AllExhausted).init(4, 42)?;
/// assert_eq!(
///     sampler.report(&rows, 0)?.to_string(),
///     "an epoch has 8 of 8 rows, 4 repeated; source 0: 2 of 2, 4 repeated; source 1: 6 of 6"
/// );
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SamplerReport {
    /// Counts over all rows.
    pub all: SampleCounts,
    /// Counts of rows with a thumb up.
    pub desirable: SampleCounts,
    /// Counts of rows with a thumb down.
    pub undesirable: SampleCounts,
    /// Counts of each source; one without sources.
    pub sources: Vec<SampleCounts>,
}

impl SamplerReport {
    /// `order` holds the indices of an epoch, `sources` the source of each row.
    pub(super) fn of(rows: &[RowInfo], sources: &[usize], order: &[usize]) -> Self {
        let mut seen = vec![0; rows.len()];
        for &i in order {
            seen[i] += 1;
        }
        let len = sources.iter().max().map_or(1, |last| last + 1);
        let mut report = Self {
            sources: vec![SampleCounts::default(); len],
            ..Self::default()
        };
        for ((row, &source), seen) in rows.iter().zip(sources).zip(seen) {
            report.all.count(seen);
            report.sources[source].count(seen);
            match row.class {
                Some(true) => report.desirable.count(seen),
                Some(false) => report.undesirable.count(seen),
                None => {}
            }
        }
        report
    }
}

impl fmt::Display for SampleCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.kept, self.rows)
    }
}

impl fmt::Display for SamplerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeated = |f: &mut fmt::Formatter<'_>, counts: &SampleCounts| match counts.repeated {
            0 => Ok(()),
            n => write!(f, ", {n} repeated"),
        };
        write!(f, "an epoch has {} rows", self.all)?;
        let (up, down) = (self.desirable, self.undesirable);
        if up.rows + down.rows > 0 {
            write!(f, " ({up} desirable, {down} undesirable)")?;
        }
        repeated(f, &self.all)?;
        if self.sources.len() > 1 {
            for (i, counts) in self.sources.iter().enumerate() {
                write!(f, "; source {i}: {counts}")?;
                repeated(f, counts)?;
            }
        }
        Ok(())
    }
}
