//! The training loop: against reference trajectories, and by its own laws.

mod folders;
mod hooks;
mod names;
mod objectives;
mod optimizer;
mod recorded;
mod refusals;
mod running;
mod sampled;
mod wrappers;

use burn::module::Module;
use burn::tensor::Device;
use burn_kto::prelude::*;
use serde_json::Value;
use std::path::Path;

fn device() -> Device {
    Device::flex()
}

fn model() -> Llama {
    LlamaConfig::new(20, 16, 1, 2).init(3, &device())
}

/// Prompts end in 1..6; a completion that repeats the prompt's last token is good.
fn feedback(n: u32) -> Vec<TokenizedBinary> {
    let row = |i: u32| {
        let asked = 1 + i % 5;
        // Every second answer is right; the wrong ones go round.
        let answered = if i.is_multiple_of(2) {
            asked
        } else {
            1 + (asked + i / 10 % 4) % 5
        };
        TokenizedBinary::new(
            vec![10 + i % 3, asked],
            vec![answered, 0],
            asked == answered,
        )
    };
    (0..n).map(row).collect()
}

fn config() -> TrainerConfig {
    TrainerConfig::new(3e-3)
        .with_batch_size(8)
        .with_micro_batch_size(8)
        .with_warmup(0.0)
}

fn weights(model: &Llama) -> Vec<f32> {
    let row: (&[u32], &[u32]) = (&[1, 2, 3], &[4, 5, 6]);
    let sequences = Sequences::padded([row], 0, &device());
    let mut values: Vec<f32> = model
        .valid()
        .token_log_probs(&sequences)
        .into_data()
        .try_to_vec()
        .unwrap();
    values.extend(
        model
            .valid()
            .head_weight()
            .into_data()
            .try_to_vec::<f32>()
            .unwrap(),
    );
    values
}

fn kto() -> KtoLoss {
    KtoLossConfig::new().with_beta(0.5).init()
}

fn fit(
    config: TrainerConfig,
    output: Option<&Path>,
    resume: bool,
    data: &[TokenizedBinary],
) -> Run<Llama> {
    let mut trainer = Trainer::new(config)
        .unwrap()
        .with_progress(Progress::Silent);
    if let Some(output) = output {
        trainer = trainer.with_output(output);
    }
    if resume {
        trainer = trainer.with_resume();
    }
    let policy = model();
    let reference = Frozen::new(&policy);
    let (train, held_out) = data.split_at(data.len() * 4 / 5);
    trainer
        .fit(
            policy,
            &reference,
            &mut kto(),
            &BinaryBatcher::new(0, 64),
            train,
            held_out,
        )
        .unwrap()
}

/// Changes the state of a checkpoint, which is then one from before there were manifests.
fn rewrite_state(checkpoint: &Path, change: impl FnOnce(&mut Value)) {
    let path = checkpoint.join("state.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state.as_object_mut().unwrap().remove("sealed").unwrap();
    change(&mut state);
    std::fs::write(&path, state.to_string()).unwrap();
    std::fs::remove_file(checkpoint.join("manifest.json")).unwrap();
}
