//! Which rows an epoch has.

use super::group::Group;
use super::row::RowInfo;
use super::{Draw, Sampler, shares};
use crate::error::Error;
use rand::seq::SliceRandom;
use std::collections::{BTreeMap, HashMap};

impl Sampler {
    /// The rows of an epoch over all ranks, sorted.
    pub(super) fn selected(&self, rows: &[RowInfo], epoch: usize) -> Result<Vec<usize>, Error> {
        let mut rng = Draw::Share.rng(self.seed, epoch);
        let groups = self.groups(rows, epoch)?.into_iter();
        let mut selected: Vec<usize> = groups.flat_map(|group| group.draw(&mut rng)).collect();
        selected.sort_unstable();
        Ok(selected)
    }

    /// What there is to draw from in this epoch, by source and class, and how much of it.
    pub(super) fn groups(&self, rows: &[RowInfo], epoch: usize) -> Result<Vec<Group>, Error> {
        self.check(rows)?;
        let config = &self.config;
        let sources = self.sources(rows.len());
        let mut groups = grouped(rows, &sources, 0..rows.len());
        if config.keep_desirable < 1.0 || config.keep_undesirable < 1.0 {
            self.keep(&mut groups);
        }
        if config.one_per_prompt {
            let mut left: Vec<usize> = groups.into_iter().flat_map(|group| group.rows).collect();
            left.sort_unstable();
            groups = grouped(rows, &sources, self.in_turns(rows, left, epoch));
        }
        if let Some(ratio) = config.class_ratio {
            shares::balance(&mut groups, ratio)?;
        }
        if !config.sources.is_empty() {
            shares::mix(&mut groups, config)?;
        }
        shares::even(&mut groups, config.ranks)?;
        Ok(groups)
    }

    /// Drops rows for good: the draw is that of no epoch.
    fn keep(&self, groups: &mut [Group]) {
        let mut rng = Draw::Keep.rng(self.seed, 0);
        for group in groups {
            let fraction = match group.class {
                Some(true) => self.config.keep_desirable,
                _ => self.config.keep_undesirable,
            };
            group.rows.shuffle(&mut rng);
            let kept = (fraction * group.rows.len() as f64).round() as usize;
            group.rows.truncate(kept.max(1));
            group.share = group.rows.len();
        }
    }

    /// One row of each prompt: its rows have an order, drawn once, and the epochs go through it.
    fn in_turns(&self, rows: &[RowInfo], left: Vec<usize>, epoch: usize) -> Vec<usize> {
        let mut rng = Draw::Turns.rng(self.seed, 0);
        let mut prompts: Vec<Vec<usize>> = Vec::new();
        let mut places = HashMap::new();
        for i in left {
            let place = *places.entry(rows[i].prompt).or_insert(prompts.len());
            if place == prompts.len() {
                prompts.push(Vec::new());
            }
            prompts[place].push(i);
        }
        let turn = |mut completions: Vec<usize>| {
            completions.shuffle(&mut rng);
            completions[epoch % completions.len()]
        };
        prompts.into_iter().map(turn).collect()
    }

    /// Refuses rows that do not have what the options need.
    fn check(&self, rows: &[RowInfo]) -> Result<(), Error> {
        let config = &self.config;
        let needs = |option: &str, what: &str, has: &dyn Fn(&RowInfo) -> bool| {
            let lacking = rows.iter().position(|row| !has(row));
            lacking.map_or(Ok(()), |i| {
                Err(Error::Dataset {
                    message: format!("{option} needs the {what} of every row, got none of row {i}"),
                })
            })
        };
        let of_classes = [
            ("keep_desirable", config.keep_desirable < 1.0),
            ("keep_undesirable", config.keep_undesirable < 1.0),
            ("class_ratio", config.class_ratio.is_some()),
            ("stratified", config.stratified),
        ];
        if let Some((option, _)) = of_classes.into_iter().find(|(_, on)| *on) {
            needs(option, "thumb", &|row| row.class.is_some())?;
        }
        if config.one_per_prompt {
            needs("one_per_prompt", "prompt", &|row| row.prompt.is_some())?;
        }
        if config.length_buckets.is_some() {
            needs("length_buckets", "length", &|row| row.length.is_some())?;
        }
        let stated = config.sources.iter().map(|source| source.rows);
        let stated = stated.fold(0, usize::saturating_add);
        if !config.sources.is_empty() && stated != rows.len() {
            return Err(Error::Dataset {
                message: format!(
                    "the {} sources have {stated} rows together, the data set has {}",
                    config.sources.len(),
                    rows.len()
                ),
            });
        }
        Ok(())
    }
}

/// In the order of sources, so that the groups of a source are neighbours.
fn grouped(
    rows: &[RowInfo],
    sources: &[usize],
    indices: impl IntoIterator<Item = usize>,
) -> Vec<Group> {
    let mut groups: BTreeMap<(usize, Option<bool>), Vec<usize>> = BTreeMap::new();
    for i in indices {
        groups
            .entry((sources[i], rows[i].class))
            .or_default()
            .push(i);
    }
    let group = |((source, class), rows): (_, Vec<usize>)| Group {
        source,
        class,
        share: rows.len(),
        rows,
    };
    groups.into_iter().map(group).collect()
}
