//! Worked examples before a question.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Which examples come before a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shots {
    /// The first so many of the file.
    First(usize),
    /// So many, drawn anew for each question. The draws are not those of Python's `random`, so
    /// neither are the examples.
    Drawn {
        /// Number of examples.
        count: usize,
        /// Seeds the draws, together with the question's index.
        seed: u64,
    },
}

impl Shots {
    /// Number of examples.
    pub fn count(&self) -> usize {
        match *self {
            Self::First(count) | Self::Drawn { count, .. } => count,
        }
    }

    /// Indices of the examples for question `index`, out of `pool`.
    pub(in crate::eval) fn indices(&self, index: usize, pool: usize) -> Vec<usize> {
        match *self {
            Self::First(count) => (0..count.min(pool)).collect(),
            Self::Drawn { count, seed } => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(index as u64);
                let mut indices: Vec<usize> = (0..pool).collect();
                indices.shuffle(&mut rng);
                indices.truncate(count);
                indices
            }
        }
    }
}

impl std::fmt::Display for Shots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::First(count) => write!(f, "{count}-shot"),
            Self::Drawn { count, seed } => write!(f, "{count}-shot drawn with seed {seed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_by_question_and_repeat_by_seed() {
        let shots = Shots::Drawn { count: 5, seed: 1 };
        assert_eq!(shots.indices(3, 100), shots.indices(3, 100));
        assert_ne!(shots.indices(3, 100), shots.indices(4, 100));
        let mut few = shots.indices(0, 3);
        few.sort_unstable();
        assert_eq!(few, [0, 1, 2]);
        assert_eq!(Shots::First(2).indices(9, 5), [0, 1]);
    }
}
