//! The trainer's own laws.

use super::*;
use burn::config::Config;
use std::sync::atomic::Ordering;

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
fn a_checkpoint_beyond_the_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fit(config(), Some(folder.path()), false, &feedback(60));
    let mut total = 0;
    rewrite_state(&folder.path().join("checkpoint"), |state| {
        total = state["step"].as_u64().unwrap();
        state["step"] = (total + 1).into();
    });
    let trainer = Trainer::new(config()).unwrap();
    let trainer = trainer.with_output(folder.path()).with_resume();
    let policy = model();
    let reference = Frozen::new(&policy);
    let data = feedback(60);
    let (train, held_out) = data.split_at(48);
    let batcher = BinaryBatcher::new(0, 64);
    let run = trainer.fit(policy, &reference, &mut kto(), &batcher, train, held_out);
    let error = run.unwrap_err().to_string();
    let expected = format!("is of step {}, and the run has {total}", total + 1);
    assert!(error.ends_with(&expected), "{error}");
}

#[test]
fn weights_that_overflow_in_the_last_step_are_no_result() {
    let folder = tempfile::tempdir().unwrap();
    for output in [None, Some(folder.path())] {
        let config = TrainerConfig {
            learning_rate: 1e300,
            ..config().with_max_steps(Some(1))
        };
        let trainer = Trainer::new(config).unwrap();
        let mut trainer = trainer.with_progress(Progress::Silent);
        if let Some(output) = output {
            trainer = trainer.with_output(output);
        }
        let policy = model();
        let reference = Frozen::new(&policy);
        let batcher = BinaryBatcher::new(0, 64);
        let run = trainer.fit(policy, &reference, &mut kto(), &batcher, &feedback(40), &[]);
        let error = run.unwrap_err().to_string();
        assert!(
            error.starts_with("step 1: a weight of the policy is no longer"),
            "{error}"
        );
    }
    assert!(!folder.path().join("checkpoint").exists());
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
