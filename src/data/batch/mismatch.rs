//! Completions behind other prompts, for the reference point z0.
//!
//! Other libraries shift completions by one row. Where neighbours share a prompt, or a batch has
//! one row, that pairs a prompt with its own completion, and z0 measures the wrong thing without a
//! word. Here a pair is mismatched or it is an error.

use crate::error::Error;
use rand::Rng;
use rand::RngExt;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

/// For each row of `rows`, the index of an example whose completion stands behind that row's
/// prompt.
///
/// The data set has `len` examples, `prompt` identifies the prompt of each; `rows` are indices into
/// it. The completions are those of `rows` in another order, drawn anew each time. That is possible
/// unless one prompt has more than half of the rows; then the rows that are left over draw a
/// completion from the rest of the data set.
///
/// # Errors
///
/// If the whole data set has a single prompt.
pub(in crate::data) fn mismatch<P: Ord>(
    len: usize,
    prompt: impl Fn(usize) -> P,
    rows: &[usize],
    rng: &mut impl Rng,
) -> Result<Vec<usize>, Error> {
    // Rows of one prompt side by side, in random order within and between prompts.
    let mut groups: BTreeMap<P, Vec<usize>> = BTreeMap::new();
    for (position, &row) in rows.iter().enumerate() {
        groups.entry(prompt(row)).or_default().push(position);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.shuffle(rng);
    let shift = groups.iter().map(Vec::len).max().unwrap_or(0);
    for group in &mut groups {
        group.shuffle(rng);
    }
    let circle: Vec<usize> = groups.concat();
    // A shift by the largest group leaves every group, as long as that group is at most half of the
    // circle.
    let mut partners = vec![0; rows.len()];
    for (i, &position) in circle.iter().enumerate() {
        let partner = rows[circle[(i + shift) % circle.len()]];
        let own = prompt(rows[position]);
        partners[position] = if prompt(partner) != own {
            partner
        } else {
            elsewhere(len, |i| prompt(i) != own, rng)?
        };
    }
    Ok(partners)
}

/// A random example that has another prompt.
fn elsewhere(
    len: usize,
    other: impl Fn(usize) -> bool,
    rng: &mut impl Rng,
) -> Result<usize, Error> {
    // Drawing again until it fits is fair; walking on from a random one favours what stands behind
    // runs of one prompt.
    for _ in 0..64 {
        let drawn = rng.random_range(0..len);
        if other(drawn) {
            return Ok(drawn);
        }
    }
    let start = rng.random_range(0..len);
    let mut circle = (start..len).chain(0..start);
    let found = circle.find(|&i| other(i));
    found.ok_or_else(|| Error::Dataset {
        message: "z0 needs completions of at least two different prompts, got 1 prompt".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn pairs(prompts: &[u8], rows: &[usize], seed: u64) -> Result<Vec<usize>, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        mismatch(prompts.len(), |i| prompts[i], rows, &mut rng)
    }

    proptest! {
        #[test]
        fn never_the_same_prompt_and_the_same_completions_where_possible(
            prompts in prop::collection::vec(0_u8..6, 2..40),
            take in 1_usize..40,
            seed in any::<u64>(),
        ) {
            let rows: Vec<usize> = (0..prompts.len().min(take)).collect();
            let single = prompts.iter().all(|p| *p == prompts[0]);
            let result = pairs(&prompts, &rows, seed);
            prop_assert_eq!(result.is_err(), single);
            let Ok(partners) = result else { return Ok(()) };
            for (row, partner) in rows.iter().zip(&partners) {
                prop_assert_ne!(prompts[*row], prompts[*partner]);
            }
            let largest = (0..6).map(|p| rows.iter().filter(|r| prompts[**r] == p).count()).max();
            if 2 * largest.unwrap() <= rows.len() {
                let mut sorted = partners.clone();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, rows);
            }
        }
    }

    #[test]
    fn pairs_are_drawn_anew() {
        let prompts: Vec<u8> = (0..20).collect();
        let rows: Vec<usize> = (0..20).collect();
        assert_eq!(
            pairs(&prompts, &rows, 1).unwrap(),
            pairs(&prompts, &rows, 1).unwrap()
        );
        assert_ne!(
            pairs(&prompts, &rows, 1).unwrap(),
            pairs(&prompts, &rows, 2).unwrap()
        );
    }

    #[test]
    fn a_row_alone_draws_from_the_data_set() {
        assert_eq!(pairs(&[3, 3, 4, 3], &[1], 0).unwrap(), [2]);
        let error = pairs(&[3, 3], &[0], 0).unwrap_err().to_string();
        assert_eq!(
            error,
            "z0 needs completions of at least two different prompts, got 1 prompt"
        );
        assert!(pairs(&[3], &[], 0).unwrap().is_empty());
    }
}
