//! The training loop: against reference trajectories, and by its own laws.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use burn_kto::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// A folder of shared reference data, or `None` with a note where this machine has none.
fn golden(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/golden")).join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

fn device() -> Device {
    Device::flex()
}

// Reference trajectories ---------------------------------------------------------------------------------------------

/// The recorded run: ten AdamW steps of TRL's own losses on a tiny Llama.
struct Recorded {
    case: Value,
    policy: Llama,
    reference: Llama,
}

impl Recorded {
    fn read(name: &str) -> Option<Self> {
        let path = golden(name)?;
        let text = std::fs::read_to_string(&path).unwrap();
        let mut file: Value = serde_json::from_str(&text).unwrap();
        let case = file["cases"][0].take();
        let folder = path.parent().unwrap();
        let load = |weights: &Value| {
            // The library reads folders, so one is made of the shared files.
            let made = tempfile::tempdir().unwrap();
            let copy = |from: &Value, to: &str| {
                let from = folder.join(from.as_str().unwrap());
                std::fs::copy(from, made.path().join(to)).unwrap();
            };
            copy(&case["inputs"]["config"], "config.json");
            copy(weights, "model.safetensors");
            Llama::load(made.path(), &device()).unwrap()
        };
        let policy = load(&case["inputs"]["policy"]).train();
        let reference = load(&case["inputs"]["reference"]);
        Some(Self {
            case,
            policy,
            reference,
        })
    }

    /// Plays the ten steps and compares loss, gradient norm and, where recorded, z0. Returns the largest relative difference.
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
                // z0 is a difference of log-probabilities of about 30: clamped to 0 it must be 0, else 1e-4 of 0.1 is 3e-7 of those.
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
    let Some(recorded) = Recorded::read("e2e_kto.json") else {
        return;
    };
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
    let Some(recorded) = Recorded::read("e2e_dpo.json") else {
        return;
    };
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
    let Some(recorded) = Recorded::read("e2e_sft.json") else {
        return;
    };
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

// Laws ---------------------------------------------------------------------------------------------------------------

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

#[test]
fn kto_learns_what_held_out_thumbs_like() {
    let config = TrainerConfig {
        learning_rate: 1e-2,
        ..config()
    };
    let run = fit(config.with_epochs(8), None, false, &feedback(200));
    let (first, last) = (&run.evaluations[0].1, &run.evaluations.last().unwrap().1);
    assert_eq!(
        first.get("rewards/margins"),
        Some(0.0),
        "policy and reference are one at first"
    );
    assert!((first.get("loss").unwrap() - 0.5).abs() < 1e-6);
    let margin = last.get("rewards/margins").unwrap();
    assert!(margin > 0.5, "{margin}");
    let accuracy = last.get("rewards/accuracies").unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
    assert_eq!(run.steps, 8 * 20);
}

#[test]
fn micro_batches_of_any_size_take_the_same_step() {
    let data = feedback(40);
    let step = |size| {
        fit(
            config()
                .with_batch_size(12)
                .with_micro_batch_size(size)
                .with_max_steps(Some(3)),
            None,
            false,
            &data,
        )
    };
    let whole = weights(&step(12).policy);
    // 5 does not divide 12, so the last micro-batch is smaller: means of means would be off.
    for size in [1, 5, 6] {
        let parts = weights(&step(size).policy);
        let worst = whole
            .iter()
            .zip(&parts)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 2e-5, "micro-batches of {size}: {worst}");
    }
}

#[test]
fn the_scope_of_the_reference_point_matters_with_small_micro_batches() {
    let data = feedback(40);
    let kl = |scope| {
        let kl = KlEstimatorConfig::new().with_scope(scope);
        let mut loss = KtoLossConfig::new().with_beta(0.5).with_kl(kl).init();
        let policy = model();
        let reference = Frozen::new(&LlamaConfig::new(20, 16, 1, 2).init(4, &device()));
        let config = config().with_micro_batch_size(1).with_max_steps(Some(1));
        let trainer = Trainer::new(config)
            .unwrap()
            .with_progress(Progress::Silent);
        let run = trainer
            .fit(
                policy,
                &reference,
                &mut loss,
                &BinaryBatcher::new(0, 64),
                &data,
                &[],
            )
            .unwrap();
        run.last.unwrap().metrics.get("kl").unwrap()
    };
    // Clamping each single pair is biased upwards.
    assert!(kl(KlScope::MicroBatch) > kl(KlScope::Window));
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_does_not() {
    let data = feedback(60);
    let run = |seed| weights(&fit(config().with_seed(seed), None, false, &data).policy);
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    let data = feedback(60);
    let whole = tempfile::tempdir().unwrap();
    let parts = tempfile::tempdir().unwrap();
    let full = config()
        .with_epochs(2)
        .with_checkpoint_every(Some(5))
        .with_evaluate_every(Some(4));
    let expected = fit(full.clone(), Some(whole.path()), false, &data);
    assert_eq!(expected.steps, 12);
    // Interrupted after the first step, and again after one more.
    for _ in 0..2 {
        let trainer = Trainer::new(full.clone())
            .unwrap()
            .with_progress(Progress::Silent);
        let trainer = trainer.with_output(parts.path()).with_resume();
        trainer.stop_flag().store(true, Ordering::Relaxed);
        let policy = model();
        let reference = Frozen::new(&policy);
        let (train, held_out) = data.split_at(48);
        let run = trainer
            .fit(
                policy,
                &reference,
                &mut kto(),
                &BinaryBatcher::new(0, 64),
                train,
                held_out,
            )
            .unwrap();
        assert!(run.interrupted);
    }
    let run = fit(full, Some(parts.path()), true, &data);
    assert_eq!(run.steps, 12);
    assert_eq!(
        weights(&run.policy),
        weights(&expected.policy),
        "to the last bit"
    );
    // The journals agree too, but for the clock.
    let journal = |folder: &Path| -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        let line = |line: &str| {
            let mut value: Value = serde_json::from_str(line).unwrap();
            value.as_object_mut().unwrap().remove("tokens_per_second");
            value
        };
        text.lines().map(line).collect()
    };
    assert_eq!(journal(whole.path()), journal(parts.path()));
}

#[test]
fn a_run_writes_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("made/on/the/way");
    fit(config(), Some(&output), false, &feedback(60));
    let text = std::fs::read_to_string(output.join("metrics.jsonl")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names = [
        "step",
        "epoch",
        "loss",
        "kl",
        "rewards/chosen",
        "rewards/rejected",
        "rewards/margins",
        "rewards/accuracies",
        "logps/chosen",
        "logps/rejected",
        "grad_norm",
        "learning_rate",
        "tokens_per_second",
    ];
    assert!(
        lines
            .iter()
            .any(|line| names.iter().all(|name| line[name].is_number()))
    );
    assert!(lines[0]["eval_loss"].is_number() && lines[0]["step"] == 0);
    let restored = TrainerConfig::load(output.join("trainer.json")).unwrap();
    assert_eq!(restored.batch_size, 8);
    for name in ["model.bpk", "optimizer.bpk", "state.json"] {
        assert!(output.join("checkpoint").join(name).exists());
    }
    assert!(!output.join("checkpoint.new").exists() && !output.join("checkpoint.old").exists());
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fit(config(), Some(folder.path()), false, &feedback(60));
    let trainer = Trainer::new(config().with_seed(9))
        .unwrap()
        .with_progress(Progress::Silent);
    let trainer = trainer.with_output(folder.path()).with_resume();
    let policy = model();
    let reference = Frozen::new(&policy);
    let data = feedback(48);
    let error = trainer.fit(
        policy,
        &reference,
        &mut kto(),
        &BinaryBatcher::new(0, 64),
        &data,
        &[],
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("belongs to another run")
    );
}

#[test]
fn a_learning_rate_that_explodes_is_an_error_that_names_the_step() {
    let policy = model();
    let reference = Frozen::new(&policy);
    let optimizer = OptimizerConfig::new().with_max_grad_norm(None);
    let config = config().with_optimizer(optimizer);
    let config = TrainerConfig {
        learning_rate: 1e30,
        ..config
    };
    let trainer = Trainer::new(config)
        .unwrap()
        .with_progress(Progress::Silent);
    let data = feedback(40);
    let error = trainer.fit(
        policy,
        &reference,
        &mut kto(),
        &BinaryBatcher::new(0, 64),
        &data,
        &[],
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("step 1: the ") && error.contains("NaN"),
        "{error}"
    );
}

#[test]
fn nothing_to_train_on_and_one_prompt_only_are_errors() {
    let trainer = Trainer::new(config())
        .unwrap()
        .with_progress(Progress::Silent);
    let policy = model();
    let reference = Frozen::new(&policy);
    let batcher = BinaryBatcher::new(0, 64);
    let error = trainer.fit(policy.clone(), &reference, &mut kto(), &batcher, &[], &[]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "there is no example to train on"
    );
    let data = vec![feedback(1)[0].clone(); 4];
    let error = trainer.fit(policy.clone(), &reference, &mut kto(), &batcher, &data, &[]);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("z0 needs completions of at least two")
    );
    let frozen = policy.no_grad();
    let error = trainer.fit(frozen, &reference, &mut kto(), &batcher, &feedback(8), &[]);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("no parameter of the policy asks for a gradient")
    );
}

#[test]
fn a_cached_reference_trains_as_the_frozen_one() {
    let data = feedback(48);
    let trainer = Trainer::new(config().with_epochs(2))
        .unwrap()
        .with_progress(Progress::Silent);
    let policy = model();
    let batcher = BinaryBatcher::new(0, 64);
    let frozen = trainer
        .fit(
            policy.clone(),
            &Frozen::new(&policy),
            &mut kto(),
            &batcher,
            &data,
            &[],
        )
        .unwrap();
    let cached = Cached::new(&policy);
    let run = trainer
        .fit(policy, &cached, &mut kto(), &batcher, &data, &[])
        .unwrap();
    let difference = weights(&run.policy)
        .iter()
        .zip(weights(&frozen.policy))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(difference < 1e-4, "{difference}");
    assert!(
        cached.len() >= 15,
        "prompts and completions repeat, so few sequences are different"
    );
}

/// A matrix and a vector of ones, to see what the optimizer does to each.
#[derive(Module, Debug)]
struct Two {
    matrix: Param<Tensor<2>>,
    vector: Param<Tensor<1>>,
}

impl Two {
    fn new() -> Self {
        let device = device().autodiff();
        Self {
            matrix: Param::from_tensor(Tensor::ones([2, 2], &device)),
            vector: Param::from_tensor(Tensor::ones([3], &device)),
        }
    }

    /// After a step on `slope` times the sum of all seven parameters: the norm of the gradient, a matrix entry and a vector entry.
    fn step(config: &OptimizerConfig, slope: f64) -> (f64, f32, f32) {
        let two = Self::new();
        let loss = (two.matrix.val().sum() + two.vector.val().sum()) * slope;
        let grads = GradientsParams::from_grads(loss.backward(), &two);
        let (two, norm) = Optimizer::new(config, &two).step(0.1, two, grads);
        let first = |data: TensorData| data.iter::<f32>().next().unwrap();
        (
            norm,
            first(two.matrix.val().into_data()),
            first(two.vector.val().into_data()),
        )
    }
}

#[test]
fn matrices_decay_and_vectors_only_if_asked() {
    let config = OptimizerConfig::new().with_weight_decay(0.5);
    // Without a slope Adam stands still, and what is left is 1 − 0.1 · 0.5.
    let (norm, matrix, vector) = Two::step(&config, 0.0);
    assert_eq!(norm, 0.0);
    assert!(
        (matrix - 0.95).abs() < 1e-6 && vector == 1.0,
        "{matrix} {vector}"
    );
    let (_, matrix, vector) = Two::step(&config.with_decay(DecayGroup::All), 0.0);
    assert!((matrix - 0.95).abs() < 1e-6 && (vector - 0.95).abs() < 1e-6);
}

#[test]
fn the_norm_is_over_all_parameters_and_clipping_keeps_the_direction() {
    // A large epsilon makes Adam's first step proportional to the gradient: lr · g / (|g| + ε).
    let config = OptimizerConfig::new()
        .with_weight_decay(0.0)
        .with_epsilon(1e3);
    let (norm, matrix, _) = Two::step(&config.clone().with_max_grad_norm(None), 2.0);
    assert!((norm - 2.0 * 7.0_f64.sqrt()).abs() < 1e-6);
    assert!((1.0 - matrix - 0.1 * 2.0 / 1002.0).abs() < 1e-7);
    let (norm, matrix, vector) = Two::step(&config.with_max_grad_norm(Some(7.0_f64.sqrt())), 2.0);
    assert!(
        (norm - 2.0 * 7.0_f64.sqrt()).abs() < 1e-6,
        "reported before clipping"
    );
    assert!((1.0 - matrix - 0.1 / 1001.0).abs() < 1e-7 && matrix == vector);
}
