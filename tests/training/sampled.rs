//! Runs whose examples a sampler chooses.

use super::*;
use std::sync::atomic::Ordering;

/// Every option, on the data of [`train`].
fn everything() -> SamplerConfig {
    SamplerConfig::new()
        .with_keep_desirable(0.9)
        .with_keep_undesirable(0.8)
        .with_one_per_prompt(true)
        .with_class_ratio(Some(1.5))
        .with_sources(vec![SourceConfig::new(40, 2.0), SourceConfig::new(20, 1.0)])
        .with_mixing(Mixing::AllExhausted)
        .with_stratified(true)
        .with_length_buckets(Some(2))
}

/// Thirty prompts with two answers each, of several lengths.
fn train() -> Vec<TokenizedBinary> {
    let mut rows = feedback(60);
    for (i, row) in rows.iter_mut().enumerate() {
        row.prompt = [
            vec![7; i / 2 % 4],
            vec![1 + i as u32 / 2 % 6, 10 + i as u32 / 12],
        ]
        .concat()
        .into();
    }
    rows
}

fn start(
    config: TrainerConfig,
    sampler: SamplerConfig,
    output: Option<&Path>,
    interrupted: bool,
) -> Result<Run<Llama>, Error> {
    let mut trainer = Trainer::new(config)?
        .with_sampler(sampler)
        .with_progress(Progress::Silent);
    if let Some(output) = output {
        trainer = trainer.with_output(output).with_resume();
    }
    trainer.stop_flag().store(interrupted, Ordering::Relaxed);
    let policy = model();
    let reference = Frozen::new(&policy);
    let batcher = BinaryBatcher::new(0, 64);
    trainer.fit(policy, &reference, &mut kto(), &batcher, &train(), &[])
}

#[test]
fn a_resumed_run_with_every_option_is_the_uninterrupted_one() {
    let config = config().with_batch_size(4).with_epochs(4);
    let expected = start(config.clone(), everything(), None, false).unwrap();
    // Completions taken in turns and cut by class make epochs of different length.
    let rows = BinaryBatcher::new(0, 64).describe(&train());
    let sampler = everything().init(4, config.seed).unwrap();
    let lengths: Vec<usize> = (0..4)
        .map(|e| sampler.epoch_len(&rows, e).unwrap())
        .collect();
    assert!(
        lengths.windows(2).any(|pair| pair[0] != pair[1]),
        "{lengths:?}"
    );
    let steps: usize = lengths.iter().map(|len| len.div_ceil(4)).sum();
    assert_eq!(expected.steps, steps);

    let folder = tempfile::tempdir().unwrap();
    // After every single step, in all epochs.
    for step in 1..steps {
        let run = start(config.clone(), everything(), Some(folder.path()), true).unwrap();
        assert!(run.interrupted && run.steps == step);
    }
    let run = start(config, everything(), Some(folder.path()), false).unwrap();
    assert_eq!(run.steps, steps);
    assert_eq!(
        weights(&run.policy),
        weights(&expected.policy),
        "to the last bit"
    );
    let journal = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), steps);
    let last: serde_json::Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    assert_eq!(last["epoch"], 4.0);
}

#[test]
fn a_sampler_without_options_changes_nothing() {
    let config = config().with_epochs(2);
    let plain = fit(config.clone(), None, false, &feedback(40));
    let trainer = Trainer::new(config)
        .unwrap()
        .with_progress(Progress::Silent);
    let policy = model();
    let reference = Frozen::new(&policy);
    let (batcher, data) = (BinaryBatcher::new(0, 64), feedback(40));
    let trainer = trainer.with_sampler(SamplerConfig::new());
    assert_eq!(trainer.total_steps(&batcher, &data[..32]).unwrap(), 8);
    let run = trainer.fit(
        policy,
        &reference,
        &mut kto(),
        &batcher,
        &data[..32],
        &data[32..],
    );
    assert_eq!(weights(&run.unwrap().policy), weights(&plain.policy));
}

#[test]
fn another_sampler_is_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = Some(folder.path());
    start(
        config(),
        SamplerConfig::new().with_stratified(true),
        out,
        true,
    )
    .unwrap();
    let error = start(config(), SamplerConfig::new(), out, false)
        .unwrap_err()
        .to_string();
    let expected = "belongs to another run: its sampler's stratified is true, this run's false";
    assert!(error.ends_with(expected), "{error}");
    // A checkpoint that says nothing of a sampler is from before there were any.
    rewrite_state(&folder.path().join("checkpoint"), |state| {
        let run = state["run"].as_object_mut().unwrap();
        run.remove("sampler").unwrap();
    });
    assert!(start(config(), SamplerConfig::new(), out, false).is_ok());
}

#[test]
fn a_sampler_that_cannot_be_used_is_an_error() {
    let of = |sampler| {
        start(config(), sampler, None, false)
            .unwrap_err()
            .to_string()
    };
    let sampler = SamplerConfig::new().with_class_ratio(Some(0.0));
    assert_eq!(
        of(sampler),
        "class_ratio must be positive and finite, got 0"
    );
}
