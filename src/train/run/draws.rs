//! The random numbers of a run: from its seed and the step alone, so that a resumed run needs no
//! state.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Draws of optimizer step `step`, counted from 0.
pub(super) fn of_step(seed: u64, step: usize) -> ChaCha8Rng {
    // The sampler's streams are below these.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1 << 63 | step as u64);
    rng
}

/// Draws of batch `batch` of an evaluation: the same at every evaluation, and other ones than in
/// training.
pub(super) fn of_evaluation(seed: u64, batch: usize) -> ChaCha8Rng {
    of_step(!seed, batch)
}
