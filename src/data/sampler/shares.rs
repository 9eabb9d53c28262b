//! How many rows of each source and class an epoch has.

use super::config::{Mixing, SamplerConfig};
use super::group::Group;
use crate::error::Error;

/// An epoch has at most so many times the rows that there are: a weight that asks for more is a
/// mistake, and would fill the memory.
const MOST: f64 = 1000.0;

/// Cuts the class that is too large, in each source.
pub(super) fn balance(groups: &mut [Group], ratio: f64) -> Result<(), Error> {
    for groups in groups.chunk_by_mut(|a, b| a.source == b.source) {
        let of = |class| {
            let group = groups.iter().find(|group| group.class == Some(class));
            group.map_or(0, |group| group.share)
        };
        let (up, down) = (of(true), of(false));
        let most = (ratio * down as f64).round();
        let (to_up, to_down) = if up as f64 > most {
            (most as usize, down)
        } else {
            (up, ((up as f64 / ratio).round() as usize).min(down))
        };
        if to_up == 0 || to_down == 0 {
            let source = groups[0].source;
            return Err(Error::Dataset {
                message: format!(
                    "a class_ratio of {ratio} cannot be had from {up} desirable and {down} undesirable in source {source}"
                ),
            });
        }
        for group in groups {
            group.share = if group.class == Some(true) {
                to_up
            } else {
                to_down
            };
        }
    }
    Ok(())
}

/// Brings the sources to their weights, each with its classes in the proportion that they have.
pub(super) fn mix(groups: &mut [Group], config: &SamplerConfig) -> Result<(), Error> {
    let sum: f64 = config.sources.iter().map(|source| source.weight).sum();
    let weights: Vec<f64> = config.sources.iter().map(|s| s.weight / sum).collect();
    let mut rows = vec![0; weights.len()];
    for group in groups.iter() {
        rows[group.source] += group.share;
    }
    let mixed: Vec<usize> = (0..rows.len()).filter(|&i| weights[i] > 0.0).collect();
    if let Some(&empty) = mixed.iter().find(|&&i| rows[i] == 0) {
        return Err(Error::Dataset {
            message: format!(
                "source {empty} has a weight of {} but no row left",
                config.sources[empty].weight
            ),
        });
    }
    let sizes = mixed.iter().map(|&i| rows[i] as f64 / weights[i]);
    // A quotient of equals may be off by its last bit.
    let size = match config.mixing {
        Mixing::FirstExhausted => (sizes.fold(f64::INFINITY, f64::min) + 1e-9).floor(),
        Mixing::AllExhausted => (sizes.fold(0.0, f64::max) - 1e-9).ceil(),
    };
    let all: usize = rows.iter().sum();
    if size > MOST * all as f64 {
        return Err(Error::Dataset {
            message: format!(
                "an epoch of all sources at these weights has {size:e} rows, more than {MOST} times the {all} that there are"
            ),
        });
    }
    let quotas = apportioned(size as usize, &weights);
    for groups in groups.chunk_by_mut(|a, b| a.source == b.source) {
        let shares: Vec<f64> = groups.iter().map(|group| group.share as f64).collect();
        let shares = apportioned(quotas[groups[0].source], &shares);
        for (group, share) in groups.iter_mut().zip(shares) {
            group.share = share;
        }
    }
    Ok(())
}

/// Leaves out what does not go into equal shards, from whichever group is largest, lest a small
/// class lose its only row.
pub(super) fn even(groups: &mut [Group], ranks: usize) -> Result<(), Error> {
    let all: usize = groups.iter().map(|group| group.share).sum();
    if ranks > 1 && all < ranks {
        return Err(Error::Dataset {
            message: format!("{ranks} ranks need as many rows, got {all}"),
        });
    }
    for _ in 0..all % ranks {
        if let Some(largest) = groups.iter_mut().max_by_key(|group| group.share) {
            largest.share -= 1;
        }
    }
    Ok(())
}

/// `total` in proportion to `weights`, by the method of the largest remainder: off by less than
/// one.
fn apportioned(total: usize, weights: &[f64]) -> Vec<usize> {
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|w| total as f64 * w / sum).collect();
    let mut parts: Vec<usize> = exact.iter().map(|x| x.floor() as usize).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    let rest = |i: usize| exact[i] - exact[i].floor();
    order.sort_by(|&a, &b| rest(b).total_cmp(&rest(a)));
    let left = total.saturating_sub(parts.iter().sum());
    for i in order.into_iter().take(left) {
        parts[i] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_off_by_less_than_one_and_add_up() {
        assert_eq!(apportioned(10, &[1.0, 1.0, 1.0]), [4, 3, 3]);
        assert_eq!(apportioned(7, &[0.7, 0.2, 0.1]), [5, 1, 1]);
        assert_eq!(apportioned(100, &[0.3, 0.7]), [30, 70]);
        assert_eq!(apportioned(0, &[3.0, 0.0]), [0, 0]);
    }
}
