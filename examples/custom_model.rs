//! A model of one's own, aligned by the trainer: an embedding, a GRU and a linear head.
//!
//! `cargo run --release --example custom_model`

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, gru};
use burn::tensor::{Device, Tensor};
use burn_kto::prelude::*;

#[derive(Module, Debug)]
struct Recurrent {
    embedding: Embedding,
    gru: gru::Gru,
    head: Linear,
}

impl CausalLm for Recurrent {
    fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2> {
        let [_, seq] = sequences.dims();
        // A state has seen what stands before it and no more: padding on the right needs no care.
        let context = sequences.tokens.clone().narrow(1, 0, seq - 1);
        let states = self.gru.forward(self.embedding.forward(context), None);
        let log_probs = token_log_probs(self.head.forward(states), sequences.targets());
        log_probs.mask_fill(sequences.target_mask().bool_not(), 0.0)
    }
}

fn main() -> Result<(), Error> {
    let device = Device::default();
    device.seed(42);
    let (ids, width) = (ByteTokenizer.vocab_size(), 32);
    let policy = Recurrent {
        embedding: EmbeddingConfig::new(ids, width).init(&device),
        gru: gru::GruConfig::new(width, width, true).init(&device),
        head: LinearConfig::new(width, ids).init(&device),
    };
    // People like short answers.
    let rated = |i: usize| match i % 2 {
        0 => BinaryExample::new(format!("{i} + 1 = "), (i + 1).to_string(), true),
        _ => BinaryExample::new(format!("{i} + 1 = "), "let me think about it", false),
    };
    let feedback: Vec<_> = (0..80).map(rated).collect();
    let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 64);
    let examples = encoder.encode_binary(&feedback)?.examples;
    let (train, held_out) = examples.split_at(64);
    let config = TrainerConfig::new(1e-3).with_batch_size(8).with_epochs(2);
    let trainer = Trainer::new(config)?.with_progress(Progress::Silent);
    let reference = Frozen::new(&policy);
    let batcher = BinaryBatcher::new(ByteTokenizer.pad(), 64);
    let kto = &mut KtoLossConfig::new().init();
    let run = trainer.fit(policy, &reference, kto, &batcher, train, held_out)?;
    let margin = |(_, metrics): &(usize, Metrics)| metrics.get("rewards/margins");
    let margins: Vec<f64> = run.evaluations.iter().filter_map(margin).collect();
    println!("{} steps, held-out margins {margins:.3?}", run.steps);
    assert!(margins[0].abs() < 1e-6, "both models start as one");
    assert!(margins[1] > 0.2, "the margin must rise");
    Ok(())
}
