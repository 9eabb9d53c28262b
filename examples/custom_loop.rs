//! A loop of one's own around `KtoLoss`: model, batches, z0 and optimizer by hand.
//!
//! `cargo run --release --example custom_loop`

use burn::module::{Module, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Bool, Device, Tensor};
use burn_kto::prelude::*;

/// The smallest language model: logits of the next of eight tokens by this one.
#[derive(Module, Debug)]
struct Bigram {
    table: Param<Tensor<2>>,
}

impl CausalLm for Bigram {
    fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2> {
        let [batch, seq] = sequences.dims();
        let context = sequences.tokens.clone().narrow(1, 0, seq - 1);
        let rows = self.table.val().select(0, context.reshape([-1]));
        let logits = rows.reshape([batch, seq - 1, 8]);
        let log_probs = token_log_probs(logits, sequences.targets());
        log_probs.mask_fill(sequences.target_mask().bool_not(), 0.0)
    }
}

fn main() {
    let device = Device::default().autodiff();
    let table = Param::from_tensor(Tensor::zeros([8, 8], &device));
    let mut policy = Bigram { table };
    let reference = Frozen::new(&policy);
    // People like 5 after 1, and 6 after 2.
    static PROMPTS: [[u32; 2]; 4] = [[3, 1], [3, 2], [4, 1], [4, 2]];
    static ANSWERS: [[u32; 2]; 4] = [[5, 0], [6, 0], [6, 0], [5, 0]];
    let thumbs = Tensor::<1, Bool>::from_data([true, true, false, false], &device);
    // With the answer to the next prompt, a mismatched pair.
    let rows = |by: usize| (0..4).map(move |i| (&PROMPTS[i][..], &ANSWERS[(i + by) % 4][..]));
    let completions = Sequences::padded(rows(0), 7, &device);
    let mismatched = Sequences::padded(rows(1), 7, &device);

    let kto = KtoLossConfig::new().with_beta(0.5).init();
    let mut optimizer = AdamWConfig::new().with_epsilon(1e-8).init();
    let mut losses = Vec::new();
    for _ in 0..30 {
        // No gradient flows through z0. `kto.evaluate(&policy, &reference, batch)` does it all.
        let log_ref = |sequences| reference.log_probs(&policy, sequences);
        let pairs = policy.valid().log_probs(&mismatched);
        let z0 = kto.estimator().estimate(pairs, log_ref(&mismatched));
        let log_probs = policy.log_probs(&completions);
        let out = kto.forward(log_probs, log_ref(&completions), thumbs.clone(), z0);
        losses.push(out.loss.clone().into_scalar::<f32>());
        let grads = GradientsParams::from_grads(out.loss.backward(), &policy);
        policy = optimizer.step(0.05, policy, grads);
    }
    println!("loss {:.3} -> {:.3}", losses[0], losses[29]);
    assert!((losses[0] - 0.5).abs() < 1e-6, "λ / 2 at the start");
    assert!(losses[29] < 0.4, "the loss must fall");
}
