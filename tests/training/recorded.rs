//! Ten optimizer steps against those of TRL 1.16.0, from tokens to weights.

use super::device;
use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use burn_kto::prelude::*;
use burn_kto::train::Optimizer;
use serde_json::Value;
use std::path::Path;

/// The recorded run: ten AdamW steps of TRL's own losses on a tiny Llama.
struct Recorded {
    case: Value,
    policy: Llama,
    reference: Llama,
}

impl Recorded {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/e2e");
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let load = |weights: &str| {
            // The library reads folders, so one is made of the files.
            let made = tempfile::tempdir().unwrap();
            std::fs::copy(folder.join("config.json"), made.path().join("config.json")).unwrap();
            std::fs::copy(folder.join(weights), made.path().join("model.safetensors")).unwrap();
            Llama::load(made.path(), &device()).unwrap()
        };
        Self {
            case: serde_json::from_str(&text).unwrap(),
            policy: load("policy.safetensors").train(),
            reference: load("reference.safetensors"),
        }
    }

    /// Plays the ten steps and compares loss, gradient norm and, where recorded, z0. Returns the
    /// largest relative difference.
    fn play<L, B>(self, loss: &mut L, batch: impl Fn(&Value) -> B) -> f64
    where
        L: Objective<Llama, Frozen<Llama>, Batch = B>,
        L::Output: LossOutput,
    {
        let settings = &self.case["inputs"]["optimizer"];
        let number = |key: &str| settings[key].as_f64().unwrap();
        let config = OptimizerConfig::new()
            .with_epsilon(number("eps"))
            .with_weight_decay(number("weight_decay"))
            .with_decay(DecayGroup::All)
            .with_max_grad_norm(Some(number("max_grad_norm")));
        let mut policy = self.policy;
        let reference = Frozen::new(&self.reference);
        let mut optimizer = Optimizer::new(&config, &policy);
        let steps = self.case["expected"]["trajectory_f64"].as_array().unwrap();
        assert_eq!(steps.len(), 10);
        let mut worst = 0.0_f64;
        for (i, expected) in steps.iter().enumerate() {
            let index = self.case["inputs"]["step_batches"][i].as_u64().unwrap() as usize;
            let window = vec![batch(&self.case["inputs"]["batches"][index])];
            let rate = number("lr");
            let report;
            (policy, report) = train_step(loss, policy, &reference, window, &mut optimizer, rate);
            let mut check = |name: &str, got: f64, scale: f64| {
                let expected = expected[name].as_f64().unwrap();
                let difference = (got - expected).abs() / expected.abs().max(scale);
                assert!(
                    difference < 1e-4,
                    "step {i}, {name}: {got} against {expected}"
                );
                worst = worst.max(difference);
            };
            check("loss", report.metrics.get("loss").unwrap(), 0.0);
            check("grad_norm_before_clip", report.grad_norm, 0.0);
            if expected.get("kl").is_some() {
                // z0 is a difference of log-probabilities of about 30: clamped to 0 it must be 0,
                // else 1e-4 of 0.1 is 3e-7 of those.
                check("kl", report.metrics.get("kl").unwrap(), 0.1);
            }
        }
        worst
    }
}

fn ints(value: &Value) -> Tensor<2, Int> {
    let rows = value.as_array().unwrap();
    let flat: Vec<i64> = rows
        .iter()
        .flat_map(|row| row.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()))
        .collect();
    let width = flat.len() / rows.len();
    Tensor::from_data(TensorData::new(flat, [rows.len(), width]), &device())
}

fn mask(value: &Value) -> Tensor<2, Bool> {
    ints(value).equal_elem(1)
}

fn sequences(batch: &Value, prefix: &str) -> Sequences {
    let field = |name: &str| &batch[format!("{prefix}{name}")];
    Sequences::new(
        ints(field("input_ids")),
        mask(field("attention_mask")),
        mask(field("completion_mask")),
    )
}

#[test]
fn kto_follows_the_recorded_run() {
    let recorded = Recorded::read("kto.json");
    let worst = recorded.play(&mut KtoLossConfig::new().init(), |batch| {
        let labels: Vec<bool> = batch["label"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_bool().unwrap())
            .collect();
        let desirable =
            Tensor::from_data(TensorData::new(labels.clone(), [labels.len()]), &device());
        BinaryBatch::new(sequences(batch, ""), sequences(batch, "KL_"), desirable)
    });
    eprintln!("KTO, ten steps: largest relative difference {worst:e}");
}

#[test]
fn dpo_follows_the_recorded_run() {
    let recorded = Recorded::read("dpo.json");
    let worst = recorded.play(&mut DpoLossConfig::new().init(), |batch| {
        let both = sequences(batch, "");
        let half = both.dims()[0] / 2;
        let part = |start| {
            Sequences::new(
                both.tokens.clone().narrow(0, start, half),
                both.attention_mask.clone().narrow(0, start, half),
                both.completion_mask.clone().narrow(0, start, half),
            )
        };
        PreferenceBatch::new(part(0), part(half))
    });
    eprintln!("DPO, ten steps: largest relative difference {worst:e}");
}

#[test]
fn sft_follows_the_recorded_run() {
    let recorded = Recorded::read("sft.json");
    let worst = recorded.play(&mut SftLossConfig::new().init(), |batch| {
        let scored = ints(&batch["labels"]).not_equal_elem(-100);
        Sequences::new(
            ints(&batch["input_ids"]),
            mask(&batch["attention_mask"]),
            scored,
        )
    });
    eprintln!("SFT, ten steps: largest relative difference {worst:e}");
}
