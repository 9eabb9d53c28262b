//! What a run tells, and what it refuses.

use super::*;
use burn::module::{Lora, ParamGroup};
use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use std::sync::{Arc, Mutex};

/// Writes down what it is told, and does as it was told to.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    warnings: Vec<String>,
    fail_at: Option<usize>,
    stop_at_evaluation: Option<usize>,
}

impl Hook for Notes {
    fn on_start(&mut self, run: &RunStarted<'_>) -> Result<(), Error> {
        let output = run.output.is_some();
        let (step, total, batch) = (run.step, run.total, run.config.batch_size);
        self.lines
            .push(format!("start {step}/{total} of {batch}, output: {output}"));
        Ok(())
    }

    fn on_step(&mut self, step: &StepDone<'_>) -> Result<(), Error> {
        assert!(step.metrics.get("loss").unwrap() > 0.0 && step.grad_norm > 0.0);
        assert!(step.tokens > 0 && step.tokens_per_second > 0.0 && step.learning_rate > 0.0);
        let settings = step.settings.iter().map(|(name, _)| *name);
        let settings: Vec<&str> = settings.collect();
        let line = format!(
            "step {}/{} {:.2} {settings:?}",
            step.step, step.total, step.epoch
        );
        self.lines.push(line);
        match self.fail_at {
            Some(at) if at == step.step => Err(Error::Training {
                step: at,
                message: "the disk of the logger is full".into(),
            }),
            _ => Ok(()),
        }
    }

    fn on_evaluate(&mut self, evaluation: &EvaluationDone<'_>) -> Result<(), Error> {
        assert!(evaluation.metrics.get("loss").is_some());
        self.lines.push(format!("evaluate {}", evaluation.step));
        if self.stop_at_evaluation == Some(evaluation.step) {
            evaluation.stop();
        }
        Ok(())
    }

    fn on_warning(&mut self, warning: &RunWarning<'_>) -> Result<(), Error> {
        self.warnings.push(warning.message.to_string());
        Ok(())
    }

    fn on_checkpoint(&mut self, checkpoint: &CheckpointDone<'_>) -> Result<(), Error> {
        assert!(checkpoint.folder.join("state.json").exists());
        self.lines.push(format!("checkpoint {}", checkpoint.step));
        Ok(())
    }

    fn on_end(&mut self, run: &RunEnded) -> Result<(), Error> {
        let (step, total, interrupted) = (run.step, run.total, run.interrupted);
        self.lines
            .push(format!("end {step}/{total}, interrupted: {interrupted}"));
        Ok(())
    }
}

fn quiet(config: TrainerConfig) -> Trainer {
    let trainer = Trainer::new(config).unwrap();
    trainer.with_progress(Progress::Silent)
}

/// Three steps on 24 examples, six held out.
fn run<L>(trainer: &Trainer, loss: &mut L) -> Result<Run<Llama>, Error>
where
    L: Objective<Llama, Frozen<Llama>, Batch = BinaryBatch>,
    L::Output: LossOutput,
{
    let (policy, data) = (model(), feedback(30));
    let reference = Frozen::new(&policy);
    let batcher = BinaryBatcher::new(0, 64);
    trainer.fit(policy, &reference, loss, &batcher, &data[..24], &data[24..])
}

#[test]
fn a_hook_hears_everything_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let notes = Arc::new(Mutex::new(Notes::default()));
    let config = config()
        .with_evaluate_every(Some(2))
        .with_checkpoint_every(Some(2));
    let trainer = quiet(config)
        .with_output(folder.path())
        .with_hook(notes.clone());
    let mut loss = Controlled::new(kto(), Vec::new()).unwrap();
    run(&trainer, &mut loss).unwrap();
    let settings = r#"["beta", "desirable_weight", "undesirable_weight"]"#;
    let expected = [
        "start 0/3 of 8, output: true".to_string(),
        "evaluate 0".into(),
        format!("step 1/3 0.33 {settings}"),
        format!("step 2/3 0.67 {settings}"),
        "evaluate 2".into(),
        "checkpoint 2".into(),
        format!("step 3/3 1.00 {settings}"),
        "evaluate 3".into(),
        "checkpoint 3".into(),
        "end 3/3, interrupted: false".into(),
    ];
    assert_eq!(notes.lock().unwrap().lines, expected);
    assert!(notes.lock().unwrap().warnings.is_empty());
}

#[test]
fn an_error_of_a_hook_ends_the_run() {
    let notes = Arc::new(Mutex::new(Notes {
        fail_at: Some(2),
        ..Notes::default()
    }));
    let error = run(&quiet(config()).with_hook(notes.clone()), &mut kto()).unwrap_err();
    assert_eq!(error.to_string(), "step 2: the disk of the logger is full");
    let lines = &notes.lock().unwrap().lines;
    assert!(lines.last().unwrap().starts_with("step 2/3"), "{lines:?}");
}

#[test]
fn a_run_that_a_hook_stops_after_an_evaluation_goes_on_from_there() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = config().with_evaluate_every(Some(2));
    let expected = run(&quiet(config.clone()).with_output(whole.path()), &mut kto()).unwrap();
    let notes = Arc::new(Mutex::new(Notes {
        stop_at_evaluation: Some(2),
        ..Notes::default()
    }));
    let trainer = quiet(config).with_output(parts.path());
    let stopped = run(&trainer.clone().with_hook(notes.clone()), &mut kto()).unwrap();
    assert!(stopped.interrupted && stopped.steps == 2 && stopped.evaluations.len() == 2);
    let lines = notes.lock().unwrap().lines.clone();
    assert_eq!(
        lines[lines.len() - 3..],
        ["evaluate 2", "checkpoint 2", "end 2/3, interrupted: true"]
    );
    let run = run(&trainer.with_resume(), &mut kto()).unwrap();
    assert_eq!(
        weights(&run.policy),
        weights(&expected.policy),
        "to the last bit"
    );
    let lines = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        text.lines().count()
    };
    assert_eq!(
        (lines(whole.path()), lines(parts.path())),
        (6, 6),
        "no evaluation twice"
    );
}

/// Every sequence has this log-probability.
#[derive(Debug)]
struct Constant(f32);

impl<M> Reference<M> for Constant {
    fn log_probs(&self, _policy: &M, sequences: &Sequences) -> Tensor<1> {
        Tensor::full([sequences.dims()[0]], self.0, &device())
    }
}

#[test]
fn another_reference_than_the_start_is_a_warning() {
    fn warnings<R, L, B>(
        reference: &R,
        loss: &mut L,
        batcher: &B,
        data: &[B::Example],
    ) -> Vec<String>
    where
        R: Reference<Llama>,
        B: Batcher,
        L: Objective<Llama, R, Batch = B::Batch>,
        L::Output: LossOutput,
    {
        let notes = Arc::new(Mutex::new(Notes::default()));
        let config = config()
            .with_evaluate_every(Some(1))
            .with_max_steps(Some(2));
        let trainer = quiet(config).with_hook(notes.clone());
        let (train, held_out) = data.split_at(16);
        trainer
            .fit(model(), reference, loss, batcher, train, held_out)
            .unwrap();
        let notes = notes.lock().unwrap();
        notes.warnings.clone()
    }
    let (thumbs, data) = (BinaryBatcher::new(0, 64), feedback(24));
    let said = warnings(&Constant(-50.0), &mut kto(), &thumbs, &data);
    assert_eq!(said.len(), 1, "once: {said:?}");
    assert!(said[0].starts_with("rewards at step 0 are ") && said[0].contains("Frozen::new"));
    assert_eq!(
        warnings(&Constant(-50.0), &mut kto(), &thumbs, &data[..16]).len(),
        1,
        "without held-out examples too"
    );
    let frozen = Frozen::new(&model());
    assert!(warnings(&frozen, &mut kto(), &thumbs, &data).is_empty());
    let free = warnings(&ReferenceFree, &mut kto(), &thumbs, &data);
    assert!(free.is_empty(), "{free:?}");
    let row = |row: &TokenizedBinary| {
        TokenizedPreference::new(row.prompt.to_vec(), vec![1, 0], vec![2, 0])
    };
    let pairs: Vec<_> = data.iter().map(row).collect();
    let batcher = PreferenceBatcher::new(0);
    let mut simpo = SimpoLossConfig::new().init();
    assert!(
        warnings(&Constant(-50.0), &mut simpo, &batcher, &pairs).is_empty(),
        "it has none"
    );
    let mut dpo = Wpo(DpoLossConfig::new().init());
    assert_eq!(
        warnings(&Constant(-50.0), &mut dpo, &batcher, &pairs).len(),
        1
    );
}

#[test]
fn after_sft_of_an_adapter_its_base_is_another_reference() {
    let group = ParamGroup::from_regex("_proj").unwrap();
    let adapted = model().apply_lora(Lora::new(2, 4.0).set_param_group(group));
    let demonstrations: Vec<_> = feedback(16)
        .into_iter()
        .map(|row| TokenizedSft::new(row.prompt.to_vec(), vec![3, 0]))
        .collect();
    let sft = quiet(TrainerConfig {
        learning_rate: 3e-2,
        ..config().with_epochs(8)
    });
    let (mut loss, batcher) = (SftLossConfig::new().init(), SftBatcher::new(0));
    let run = sft.fit(
        adapted,
        &ReferenceFree,
        &mut loss,
        &batcher,
        &demonstrations,
        &[],
    );
    let policy = run.unwrap().policy;
    fn warnings(policy: &Llama, reference: &impl Reference<Llama>) -> Vec<String> {
        let notes = Arc::new(Mutex::new(Notes::default()));
        let trainer = quiet(config().with_max_steps(Some(1))).with_hook(notes.clone());
        let (batcher, data) = (BinaryBatcher::new(0, 64), feedback(16));
        let run = trainer.fit(policy.clone(), reference, &mut kto(), &batcher, &data, &[]);
        run.unwrap();
        let notes = notes.lock().unwrap();
        notes.warnings.clone()
    }
    let said = warnings(&policy, &AdapterOff);
    assert!(
        said.len() == 1 && said[0].contains("Frozen::new(&policy)"),
        "{said:?}"
    );
    let said = warnings(&policy, &Frozen::new(&policy));
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn settings_without_effect_are_refused() {
    let error = run(&quiet(config()).with_resume(), &mut kto()).unwrap_err();
    assert_eq!(error.to_string(), "resume needs an output folder, got none");
    let config = config().with_checkpoint_every(Some(5));
    let error = run(&quiet(config), &mut kto()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "checkpoint_every needs an output folder, got 5"
    );
}

#[test]
fn a_run_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let trainer = quiet(config()).with_output(folder.path());
    // Nothing is lost with an empty journal.
    std::fs::write(at("metrics.jsonl"), "").unwrap();
    run(&trainer, &mut kto()).unwrap();
    let refused = |found: &str| {
        let error = run(&trainer, &mut kto()).unwrap_err();
        assert!(error.is_occupied(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("holds a run already ({found})")),
            "{text}"
        );
    };
    let journal = std::fs::read_to_string(at("metrics.jsonl")).unwrap();
    refused("checkpoint");
    std::fs::rename(at("checkpoint"), at("checkpoint.old")).unwrap();
    refused("checkpoint.old");
    // A run that was cut off while it replaced its checkpoint goes on from the old one.
    let resumed = run(&trainer.clone().with_resume(), &mut kto()).unwrap();
    assert_eq!((resumed.steps, resumed.last.is_none()), (3, true));
    assert!(at("checkpoint").exists() && !at("checkpoint.old").exists());
    std::fs::remove_dir_all(at("checkpoint")).unwrap();
    refused("metrics.jsonl");
    assert_eq!(
        std::fs::read_to_string(at("metrics.jsonl")).unwrap(),
        journal
    );
    // Without a checkpoint there is nothing to go on from, so the run starts anew.
    let anew = run(&trainer.with_resume(), &mut kto()).unwrap();
    assert_eq!(anew.evaluations.len(), 2);
}

/// A batcher that gets something wrong.
struct Broken {
    rows: usize,
}

impl Batcher for Broken {
    type Example = ();
    type Batch = BinaryBatch;

    fn describe(&self, _dataset: &[()]) -> Vec<RowInfo> {
        vec![RowInfo::default(); self.rows]
    }

    fn window(
        &self,
        _dataset: &[()],
        _indices: &[usize],
        _micro_batch_size: usize,
        _rng: &mut ChaCha8Rng,
        _device: &Device,
    ) -> Result<Vec<BinaryBatch>, Error> {
        Ok(Vec::new())
    }
}

#[test]
fn a_batcher_that_gets_it_wrong_is_an_error() {
    let text = |rows| {
        let reference = Frozen::new(&model());
        let run = quiet(config()).fit(
            model(),
            &reference,
            &mut kto(),
            &Broken { rows },
            &[(); 4],
            &[],
        );
        run.unwrap_err().to_string()
    };
    assert_eq!(
        text(3),
        "step 0: the batcher describes 3 rows for 4 examples"
    );
    assert_eq!(text(4), "step 0: the batcher made no batch of its examples");
}
