//! Which examples are held out.

use crate::data::example::Prompt;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;

/// Splits off a share of the prompts, in \[0, 1\], with all of their examples: nothing that is held
/// out was asked in training.
///
/// Returns (train, held out), each in the given order.
pub fn hold_out<T>(
    examples: Vec<T>,
    share: f64,
    seed: u64,
    prompt: impl Fn(&T) -> &Prompt,
) -> (Vec<T>, Vec<T>) {
    let mut prompts: Vec<Prompt> = Vec::new();
    let mut seen = HashSet::new();
    for example in &examples {
        if seen.insert(prompt(example)) {
            prompts.push(prompt(example).clone());
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    prompts.shuffle(&mut rng);
    let count = (share.clamp(0.0, 1.0) * prompts.len() as f64).round() as usize;
    let held_out: HashSet<Prompt> = prompts.into_iter().take(count).collect();
    let (held_out, train) = examples
        .into_iter()
        .partition(|example| held_out.contains(prompt(example)));
    (train, held_out)
}

#[cfg(test)]
mod tests {
    use super::super::BinaryExample;
    use super::*;

    #[test]
    fn a_prompt_is_on_one_side_only() {
        let row = |i: usize| BinaryExample::new(format!("p{}", i % 10), format!("{i}"), true);
        let (train, held_out) = hold_out((0..30).map(row).collect(), 0.2, 1, |e| &e.prompt);
        assert_eq!((train.len(), held_out.len()), (24, 6));
        let asked: HashSet<_> = train.iter().map(|e| &e.prompt).collect();
        assert!(held_out.iter().all(|e| !asked.contains(&e.prompt)));
        let (train, none) = hold_out((0..30).map(row).collect(), 0.0, 1, |e| &e.prompt);
        assert_eq!((train.len(), none.len()), (30, 0));
    }
}
