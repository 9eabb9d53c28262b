//! The folder of a run: held, damaged, taken away, cut short.

use super::*;
use burn::module::{ModuleMapper, Param};
use burn::tensor::Tensor;
use burn_kto::train::saved_policy;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Six steps, a checkpoint after the second, the fourth and the last, evaluations with them.
fn short() -> TrainerConfig {
    config()
        .with_checkpoint_every(Some(2))
        .with_evaluate_every(Some(2))
}

fn quiet(config: TrainerConfig, folder: &Path) -> Trainer {
    let trainer = Trainer::new(config).unwrap();
    trainer.with_progress(Progress::Silent).with_output(folder)
}

fn train(trainer: &Trainer) -> Result<Run<Llama>, Error> {
    let (policy, data) = (model(), feedback(60));
    let reference = Frozen::new(&policy);
    let batcher = BinaryBatcher::new(0, 64);
    let (train, held_out) = data.split_at(48);
    trainer.fit(policy, &reference, &mut kto(), &batcher, train, held_out)
}

type Step<'a> = Box<dyn FnMut(usize) -> Result<(), Error> + Send + 'a>;

/// Does something when a step is over, and writes down warnings.
struct After {
    step: Step<'static>,
    checkpoint: Step<'static>,
    warnings: Vec<String>,
}

impl Default for After {
    fn default() -> Self {
        Self {
            step: Box::new(|_| Ok(())),
            checkpoint: Box::new(|_| Ok(())),
            warnings: Vec::new(),
        }
    }
}

impl Hook for After {
    fn on_step(&mut self, done: &StepDone<'_>) -> Result<(), Error> {
        (self.step)(done.step)
    }

    fn on_checkpoint(&mut self, done: &CheckpointDone<'_>) -> Result<(), Error> {
        (self.checkpoint)(done.step)
    }

    fn on_warning(&mut self, warning: &RunWarning<'_>) -> Result<(), Error> {
        self.warnings.push(warning.message.to_string());
        Ok(())
    }
}

/// What ends a run as a kill would: nothing is written after it.
fn killed(step: usize) -> Error {
    Error::Training {
        step,
        message: "killed".into(),
    }
}

/// A run that is killed when it has taken `at` steps.
fn killed_after(at: usize, folder: &Path, resume: bool) {
    let hook = After {
        step: Box::new(move |step| match step == at {
            true => Err(killed(step)),
            false => Ok(()),
        }),
        ..After::default()
    };
    let trainer = quiet(short(), folder).with_hook(hook);
    let trainer = match resume {
        true => trainer.with_resume(),
        false => trainer,
    };
    let error = train(&trainer).unwrap_err().to_string();
    assert!(error.ends_with("killed"), "{error}");
}

/// Goes on to the end; the warnings that it gave.
fn resumed(folder: &Path) -> (Run<Llama>, Vec<String>) {
    let notes = Arc::new(Mutex::new(After::default()));
    let trainer = quiet(short(), folder)
        .with_resume()
        .with_hook(notes.clone());
    let run = train(&trainer).unwrap();
    let warnings = notes.lock().unwrap().warnings.clone();
    (run, warnings)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        match path.is_dir() {
            true => copy(&path, &to),
            false => _ = fs::copy(&path, &to).unwrap(),
        }
    }
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The journal without the times in it.
fn journal(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("tokens_per_second");
        value
    };
    text.lines().map(line).collect()
}

/// A finished run, its weights and its folder.
struct Finished {
    home: tempfile::TempDir,
    weights: Vec<f32>,
}

impl Finished {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let run = train(&quiet(short(), &home.path().join("whole"))).unwrap();
        Self {
            weights: weights(&run.policy),
            home,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// That what stands in a folder is this run's, and no more.
    #[track_caller]
    fn same(&self, run: &Run<Llama>, name: &str) {
        assert!(weights(&run.policy) == self.weights, "not to the last bit");
        assert_eq!(journal(&self.at(name)), journal(&self.at("whole")));
        assert_eq!(files(&self.at(name)), files(&self.at("whole")));
    }
}

/// What a kill may leave behind in the second checkpoint's place, `whole` being of step 2 and
/// `newer` of step 4.
const STATES: [(&str, [&str; 3]); 5] = [
    // What stands as checkpoint, checkpoint.old, checkpoint.new
    ("while it was written", ["2", "", "part of 4"]),
    ("when it was written", ["2", "", "4"]),
    ("between two renames", ["", "2", "4"]),
    ("before the old one went", ["4", "2", ""]),
    ("while the old one went", ["4", "part of 2", ""]),
];

#[test]
fn a_save_that_was_cut_short_at_any_point_loses_nothing_and_leaves_nothing() {
    let finished = Finished::new();
    let mut checkpoints = Vec::new();
    for at in [3, 5] {
        let folder = finished.at(&format!("killed-{at}"));
        killed_after(at, &folder, false);
        checkpoints.push(folder.join("checkpoint"));
    }
    for (i, (when, states)) in STATES.into_iter().enumerate() {
        let name = format!("run-{i}");
        let folder = finished.at(&name);
        copy(&finished.at("killed-5"), &folder);
        fs::remove_dir_all(folder.join("checkpoint")).unwrap();
        for (place, state) in ["checkpoint", "checkpoint.old", "checkpoint.new"]
            .iter()
            .zip(states)
        {
            let place = folder.join(place);
            match state {
                "" => {}
                "2" => copy(&checkpoints[0], &place),
                "4" => copy(&checkpoints[1], &place),
                part => {
                    copy(&checkpoints[usize::from(part.ends_with('4'))], &place);
                    fs::remove_file(place.join("manifest.json")).unwrap();
                    fs::remove_file(place.join("state.json")).unwrap();
                }
            }
        }
        let error = train(&quiet(short(), &folder)).unwrap_err();
        assert!(error.is_occupied(), "{when}: {error}");
        let (run, warnings) = resumed(&folder);
        assert!(warnings.is_empty(), "{when}: {warnings:?}");
        finished.same(&run, &name);
    }
}

/// Every file of a checkpoint, as it is then, and what the error says.
fn damages(checkpoint: &Path) -> Vec<(String, Vec<u8>, &'static str)> {
    let mut all = Vec::new();
    for name in files(checkpoint) {
        let bytes = fs::read(checkpoint.join(&name)).unwrap();
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            bytes
        };
        let last = bytes.len() - 1;
        for at in [0, last / 3, last / 2, last * 4 / 5, last] {
            all.push((name.clone(), flipped(at), "is damaged"));
        }
        all.push((name.clone(), bytes[..last].to_vec(), "is damaged"));
        all.push((name.clone(), Vec::new(), "is damaged"));
        all.push((name.clone(), [&bytes[..], b" \0"].concat(), "is damaged"));
    }
    all
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_older_one_is_used() {
    let finished = Finished::new();
    let (newer, older) = (finished.at("newer"), finished.at("older"));
    killed_after(5, &newer, false);
    killed_after(3, &older, false);
    let damages = damages(&newer.join("checkpoint"));
    assert!(damages.len() >= 4 * 8, "{}", damages.len());
    let folder = finished.at("run");
    for (i, (name, bytes, expected)) in damages.iter().enumerate() {
        copy(&newer, &folder);
        fs::write(folder.join("checkpoint").join(name), bytes).unwrap();
        // The end of a manifest's last line says nothing.
        let manifest = name == "manifest.json";
        let error = train(&quiet(short(), &folder).with_resume());
        match error {
            Ok(run) => assert!(
                manifest && weights(&run.policy) == finished.weights,
                "{name}, damage {i} was accepted"
            ),
            Err(error) => {
                let text = error.to_string();
                // A manifest that says something else accuses another file.
                let named = text.contains(name.as_str()) && text.contains(expected);
                assert!(named || manifest && text.contains("checkpoint/"), "{text}");
                assert!(folder.join("checkpoint").exists(), "nothing was touched");
            }
        }
        fs::remove_dir_all(&folder).unwrap();
    }
    for (name, gone) in [
        ("model.bpk", true),
        ("state.json", false),
        ("manifest.json", true),
    ] {
        copy(&newer, &folder);
        copy(&older.join("checkpoint"), &folder.join("checkpoint.old"));
        let path = folder.join("checkpoint").join(name);
        match gone {
            true => fs::remove_file(&path).unwrap(),
            false => fs::write(&path, "{}").unwrap(),
        }
        let (run, warnings) = resumed(&folder);
        let expected = "the run goes on from the one before, of step 2";
        assert!(
            warnings.len() == 1 && warnings[0].ends_with(expected) && warnings[0].contains(name),
            "{warnings:?}"
        );
        finished.same(&run, "run");
        fs::remove_dir_all(&folder).unwrap();
    }
    // Both are damaged: the newer one is named.
    copy(&newer, &folder);
    copy(&older.join("checkpoint"), &folder.join("checkpoint.old"));
    for place in ["checkpoint", "checkpoint.old"] {
        fs::remove_file(folder.join(place).join("optimizer.bpk")).unwrap();
    }
    let error = train(&quiet(short(), &folder).with_resume()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.ends_with("checkpoint/optimizer.bpk: is missing"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_from_before_there_were_manifests_is_read() {
    let finished = Finished::new();
    let folder = finished.at("run");
    killed_after(3, &folder, false);
    rewrite_state(&folder.join("checkpoint"), |_| {});
    let (run, warnings) = resumed(&folder);
    assert!(warnings.is_empty(), "{warnings:?}");
    finished.same(&run, "run");
}

#[test]
fn a_second_run_in_a_folder_is_refused_and_touches_nothing() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("run");
    let (there, again) = (folder.clone(), folder.clone());
    let hook = After {
        step: Box::new(move |_| {
            let before = fs::read(there.join("metrics.jsonl")).unwrap();
            for trainer in [quiet(short(), &there), quiet(short(), &there).with_resume()] {
                let error = train(&trainer).unwrap_err();
                assert!(error.is_busy(), "{error}");
            }
            assert_eq!(fs::read(there.join("metrics.jsonl")).unwrap(), before);
            Ok(())
        }),
        checkpoint: Box::new(move |_| {
            assert!(again.join("run.lock").exists());
            Ok(())
        }),
        ..After::default()
    };
    let run = train(&quiet(short(), &folder).with_hook(hook)).unwrap();
    assert_eq!(run.steps, 6);
    assert!(!folder.join("run.lock").exists(), "given back at the end");
    // A killed run's file holds nobody up.
    fs::write(folder.join("run.lock"), "1\n").unwrap();
    assert_eq!(resumed(&folder).0.steps, 6);
}

#[test]
fn a_run_that_is_refused_leaves_no_folder() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("made/for/nothing");
    let trainer = quiet(short(), &folder);
    let reference = Frozen::new(&model());
    let batcher = BinaryBatcher::new(0, 64);
    let run = trainer.fit(model(), &reference, &mut kto(), &batcher, &[], &[]);
    assert!(run.is_err());
    assert!(files(home.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn what_is_taken_away_while_a_run_goes_on_is_written_again() {
    let finished = Finished::new();
    let gone: [(&str, usize, &str); 4] = [
        ("metrics.jsonl", 3, "metrics.jsonl"),
        ("", 3, "trainer.json, sampler.json, metrics.jsonl"),
        ("", 6, "trainer.json, sampler.json, metrics.jsonl"),
        ("sampler.json", 1, "sampler.json"),
    ];
    for (i, (what, at, said)) in gone.into_iter().enumerate() {
        let name = format!("run-{i}");
        let folder = finished.at(&name);
        let path = folder.join(what);
        let notes = Arc::new(Mutex::new(After {
            step: Box::new(move |step| {
                if step == at {
                    match path.is_dir() {
                        true => fs::remove_dir_all(&path).unwrap(),
                        false => fs::remove_file(&path).unwrap(),
                    }
                }
                Ok(())
            }),
            ..After::default()
        }));
        let run = train(&quiet(short(), &folder).with_hook(notes.clone())).unwrap();
        finished.same(&run, &name);
        let warnings = notes.lock().unwrap().warnings.clone();
        let expected = format!("while the run went on, and written again: {said}");
        assert!(
            warnings.len() == 1 && warnings[0].ends_with(&expected),
            "{warnings:?}"
        );
    }
}

#[test]
fn resuming_where_there_is_nothing_says_so() {
    let finished = Finished::new();
    let (run, warnings) = resumed(&finished.at("run"));
    let expected = "checkpoint is not there: the run begins at its first step";
    assert!(
        warnings.len() == 1 && warnings[0].ends_with(expected),
        "{warnings:?}"
    );
    finished.same(&run, "run");
}

#[test]
fn an_evaluation_that_was_put_off_is_in_the_journal_once() {
    let finished = Finished::new();
    let folder = finished.at("run");
    // Stopped where an evaluation is due, gone on, killed after it, gone on.
    let trainer = quiet(short(), &folder);
    let flag = trainer.stop_flag();
    let stop = After {
        step: Box::new(move |step| {
            flag.store(step == 4, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        }),
        ..After::default()
    };
    assert!(train(&trainer.with_hook(stop)).unwrap().interrupted);
    killed_after(5, &folder, true);
    let (run, warnings) = resumed(&folder);
    assert!(warnings.is_empty(), "{warnings:?}");
    finished.same(&run, "run");
}

/// What becomes of a journal.
type Change<'a> = &'a dyn Fn(&str) -> String;

#[test]
fn a_journal_that_lost_lines_is_cut_off_behind_the_checkpoint_and_said_so() {
    let finished = Finished::new();
    let folder = finished.at("run");
    let cut = |text: &str| text[..text.len() - 9].to_string();
    let without_second = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("{\"step\":2,\"epoch"));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let cases: [(Change<'_>, Option<&str>); 3] = [
        (&cut, None),
        (&without_second, Some("lacks 1 of the 2 steps before")),
        (&|_| String::new(), Some("lacks 2 of the 2 steps before")),
    ];
    for (change, said) in cases {
        killed_after(3, &folder, false);
        let path = folder.join("metrics.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(&text)).unwrap();
        let (run, warnings) = resumed(&folder);
        match said {
            None => finished.same(&run, "run"),
            Some(said) => assert!(warnings[0].ends_with(said), "{warnings:?}"),
        }
        assert_eq!(warnings.len(), usize::from(said.is_some()));
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_save_that_fails_leaves_the_last_checkpoint() {
    let finished = Finished::new();
    let folder = finished.at("run");
    let there = folder.clone();
    // A file where the next checkpoint's folder is to be.
    let hook = After {
        step: Box::new(move |step| {
            if step == 3 {
                fs::write(there.join("checkpoint.new"), "in the way").unwrap();
            }
            Ok(())
        }),
        ..After::default()
    };
    let error = train(&quiet(short(), &folder).with_hook(hook)).unwrap_err();
    assert!(error.to_string().contains("checkpoint.new"), "{error}");
    fs::remove_file(folder.join("checkpoint.new")).unwrap();
    let (run, warnings) = resumed(&folder);
    assert!(warnings.is_empty(), "{warnings:?}");
    finished.same(&run, "run");
}

#[test]
fn the_policy_of_a_checkpoint_is_had_at_any_time() {
    let finished = Finished::new();
    let folder = finished.at("run");
    let error = saved_policy(&folder, model()).unwrap_err().to_string();
    assert!(error.ends_with("checkpoint: is not there"), "{error}");
    let other = LlamaConfig::new(20, 16, 1, 2).init(9, &device());
    let (there, steps) = (folder.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = steps.clone();
    let hook = After {
        checkpoint: Box::new(move |step| {
            let (_, at) = saved_policy(&there, other.clone())?;
            seen.lock().unwrap().push((step, at));
            Ok(())
        }),
        ..After::default()
    };
    train(&quiet(short(), &folder).with_hook(hook)).unwrap();
    assert_eq!(*steps.lock().unwrap(), [(2, 2), (4, 4), (6, 6)]);
    let (policy, step) = saved_policy(&folder, model()).unwrap();
    assert_eq!((step, weights(&policy)), (6, finished.weights));
    let wider = LlamaConfig::new(20, 32, 1, 2).init(9, &device());
    assert!(saved_policy(&folder, wider).is_err());
}

#[test]
fn a_loss_that_is_not_finite_names_the_examples_it_came_from() {
    let mut data = feedback(40);
    // What it is multiplied with overflows in f32.
    data[17].weight = 1e300;
    let policy = model();
    let reference = Frozen::new(&policy);
    let trainer = Trainer::new(config()).unwrap();
    let trainer = trainer.with_progress(Progress::Silent);
    let batcher = BinaryBatcher::new(0, 64);
    let (first, rest) = data.split_at(24);
    let error = |train: &[_], held_out: &[_]| {
        let (policy, kto) = (policy.clone(), &mut kto());
        let run = trainer.fit(policy, &reference, kto, &batcher, train, held_out);
        run.unwrap_err().to_string()
    };
    for (error, expected) in [
        (
            error(&data, &[]),
            "of 8 training examples, counted from 0, the worst are 17 (loss ",
        ),
        (
            error(rest, first),
            "of 24 held-out examples, counted from 0, the worst are 17 (loss ",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

/// Weights of which none is a number.
struct Broken;

impl ModuleMapper for Broken {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weight| weight * f32::NAN)
    }
}

#[test]
fn broken_weights_are_not_blamed_on_the_learning_rate() {
    let policy = model().map(&mut Broken);
    let reference = Frozen::new(&model());
    let trainer = Trainer::new(config()).unwrap();
    let trainer = trainer.with_progress(Progress::Silent);
    let batcher = BinaryBatcher::new(0, 64);
    let run = trainer.fit(policy, &reference, &mut kto(), &batcher, &feedback(40), &[]);
    let error = run.unwrap_err().to_string();
    assert!(
        error.starts_with("step 0: the loss is NaN; of 8"),
        "{error}"
    );
    assert!(
        error.ends_with("are all weights of the model and the reference finite?"),
        "{error}"
    );
}
