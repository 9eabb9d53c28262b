//! Which rows make a batch: classes first, then lengths.

use super::Sampler;
use super::row::RowInfo;
use rand::Rng;
use rand::seq::SliceRandom;

/// A shuffled `order`, rearranged so that the batches of each rank, once every `ranks`-th row went
/// to it, are stratified and of similar length. As it is without these options.
pub(super) fn arranged(
    order: Vec<usize>,
    rows: &[RowInfo],
    sampler: &Sampler,
    rng: &mut impl Rng,
) -> Vec<usize> {
    let config = &sampler.config;
    if !config.stratified && config.length_buckets.is_none() {
        return order;
    }
    let (ranks, batch_size) = (config.ranks, sampler.batch_size);
    let shard = order.len() / ranks;
    // The batches of one step, a rank each, stand side by side.
    let step_starts = (0..shard).step_by(batch_size);
    let sizes: Vec<usize> = step_starts
        .flat_map(|start| std::iter::repeat_n(batch_size.min(shard - start), ranks))
        .collect();
    // Without classes all rows are of the first.
    let first = |&i: &usize| !config.stratified || rows[i].class == Some(true);
    let (first, second): (Vec<usize>, Vec<usize>) = order.into_iter().partition(first);
    let quotas = quotas(&sizes, first.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut windows: Vec<Vec<usize>> = vec![Vec::new(); sizes.len()];
    let steps: Vec<usize> = (0..sizes.len() / ranks).collect();
    let together = match config.length_buckets {
        // Sorted all at once, the same rows would meet in every epoch.
        Some(windows) => windows.min(steps.len() / 4).max(2),
        None => steps.len().max(1),
    };
    let length = |i: &usize| rows[*i].length;
    for steps in steps.chunks(together) {
        let mut steps = steps.to_vec();
        let range = steps[0] * ranks..(steps[0] + steps.len()) * ranks;
        let of_first: usize = quotas[range.clone()].iter().sum();
        let of_second = sizes[range].iter().sum::<usize>() - of_first;
        let mut mine: [Vec<usize>; 2] = [
            first.by_ref().take(of_first).collect(),
            second.by_ref().take(of_second).collect(),
        ];
        if config.length_buckets.is_some() {
            mine.iter_mut().for_each(|part| part.sort_by_key(length));
            // Which step gets the short ones is left to chance; its ranks get neighbours, as they
            // wait for each other.
            steps.shuffle(rng);
        }
        let [mut up, mut down] = mine.map(Vec::into_iter);
        for window in steps
            .iter()
            .flat_map(|step| step * ranks..(step + 1) * ranks)
        {
            let (size, quota) = (sizes[window], quotas[window]);
            let rows = &mut windows[window];
            rows.extend(up.by_ref().take(quota));
            rows.extend(down.by_ref().take(size - quota));
            rows.shuffle(rng);
            if config.length_buckets.is_some() {
                // So micro-batches are of similar length too.
                rows.sort_by_key(length);
            }
        }
    }
    let steps = windows.chunks(ranks);
    steps
        .flat_map(|step| (0..step[0].len()).flat_map(|k| step.iter().map(move |rows| rows[k])))
        .collect()
}

/// How many of `first` rows each window gets: in proportion to its size, up to rounding, and both
/// kinds wherever there are enough.
fn quotas(sizes: &[usize], first: usize) -> Vec<usize> {
    let all: usize = sizes.iter().sum();
    // Rounding running sums keeps each part within one of its share.
    let due = |seen: usize| {
        let (seen, first, all) = (seen as u128, first as u128, all.max(1) as u128);
        ((2 * seen * first + all) / (2 * all)) as usize
    };
    let mut seen = 0;
    let mut quotas: Vec<usize> = sizes
        .iter()
        .map(|size| {
            seen += size;
            due(seen) - due(seen - size)
        })
        .collect();
    spread(&mut quotas, sizes);
    let mut others: Vec<usize> = sizes.iter().zip(&quotas).map(|(s, q)| s - q).collect();
    spread(&mut others, sizes);
    sizes.iter().zip(&others).map(|(s, o)| s - o).collect()
}

/// Gives one of a kind to windows that got none, from those that have most to spare; for rounding
/// may pass over a short window. Windows of one row cannot have both kinds and need none.
fn spread(parts: &mut [usize], sizes: &[usize]) {
    for k in 0..parts.len() {
        if parts[k] > 0 || sizes[k] < 2 {
            continue;
        }
        let spare = |j: &usize| parts[*j].saturating_sub(usize::from(sizes[*j] > 1));
        match (0..parts.len()).max_by_key(spare) {
            Some(richest) if spare(&richest) > 0 => {
                parts[richest] -= 1;
                parts[k] += 1;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_class_are_spread_as_evenly_as_they_go() {
        assert_eq!(quotas(&[4, 4, 4], 6), [2, 2, 2]);
        assert_eq!(quotas(&[4, 4, 4], 12), [4, 4, 4]);
        assert_eq!(quotas(&[4, 4, 4], 2).iter().sum::<usize>(), 2);
        assert_eq!(quotas(&[4, 4, 4], 2).iter().max(), Some(&1));
        // Rounding would leave the last one without.
        assert_eq!(quotas(&[8, 8, 2], 4), [2, 1, 1]);
        assert_eq!(quotas(&[8, 8, 2], 14), [6, 7, 1]);
        assert_eq!(quotas(&[2, 2, 1, 1], 2), [1, 1, 0, 0]);
        assert!(quotas(&[], 0).is_empty());
    }
}
