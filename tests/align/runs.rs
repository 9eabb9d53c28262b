//! Runs that are killed, interrupted, started twice, and what becomes of their folders.

use crate::common::{TINY, WORDS, World, metrics};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Starts the program; nobody reads what it says.
fn started(world: &World, arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_burn-kto"))
        .args(arguments.split_whitespace())
        .current_dir(world.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits for a file that a program is to write.
fn wait_for(path: &Path, child: &mut Child) {
    while !path.exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended by itself");
        sleep(Duration::from_millis(1));
    }
}

fn weights(world: &World, out: &str) -> Vec<u8> {
    fs::read(world.path(out).join("model/model.safetensors")).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn killed_at_any_moment_a_run_comes_out_the_same() {
    let world = World::new();
    let tail = format!("--model model --data thumbs.jsonl {TINY} --epochs 12 --every 3");
    world.said(&format!("align --out whole {tail}"));
    let (mut kills, mut state) = (0, 7_u64);
    for round in 0..3 {
        let out = format!("out-{round}");
        loop {
            let again = world.path(&out).join("run.toml").exists();
            let resume = if again { " --resume" } else { "" };
            let mut child = started(&world, &format!("align --out {out} {tail}{resume}"));
            state = state.wrapping_mul(6364136223846793005).wrapping_add(11);
            // Later and later, so that it comes to its end.
            sleep(Duration::from_millis((state >> 33) % 120 + 10 * kills));
            child.kill().unwrap();
            if child.wait().unwrap().success() {
                break;
            }
            kills += 1;
        }
        assert!(weights(&world, &out) == weights(&world, "whole"));
        assert_eq!(metrics(&world.path(&out)), metrics(&world.path("whole")));
        assert_eq!(names(&world.path(&out)), names(&world.path("whole")));
    }
    assert!(kills > 3, "{kills} kills");
}

#[test]
fn a_second_run_in_the_folder_is_refused_at_once() {
    let world = World::new();
    let tail = format!("--model model --data thumbs.jsonl {TINY} --out out --every 1000");
    let mut first = started(&world, &format!("align {tail} --epochs 4000"));
    wait_for(&world.path("out/run.toml"), &mut first);
    let before = fs::read(world.path("out/run.toml")).unwrap();
    for arguments in [
        format!("align {tail} --epochs 4000"),
        format!("align {tail} --epochs 4000 --resume"),
        format!("align {tail} --epochs 1 --beta 0.3"),
    ] {
        let error = world.refused(&arguments);
        assert!(
            error.starts_with("error: out: another run goes on in this folder: "),
            "{error}"
        );
    }
    assert_eq!(fs::read(world.path("out/run.toml")).unwrap(), before);
    assert!(first.try_wait().unwrap().is_none(), "the first goes on");
    first.kill().unwrap();
    first.wait().unwrap();
    // Nothing of the killed one stands in the way.
    let error = world.refused(&format!("align {tail} --epochs 1"));
    assert!(error.contains("out holds a run already"), "{error}");
}

#[test]
fn a_refused_run_leaves_no_folder() {
    let world = World::new();
    for arguments in [
        "align --model model --data none.jsonl --out runs/a",
        "align --model none --data thumbs.jsonl --out runs/a",
        "align --model model --data thumbs.jsonl --out runs/a --resume",
    ] {
        world.refused(arguments);
        assert!(!world.path("runs").exists(), "{arguments}");
    }
}

#[test]
fn a_folder_that_is_deleted_costs_neither_model_nor_metrics() {
    let world = World::new();
    let tail = format!("--model model --data thumbs.jsonl {TINY} --epochs 300 --every 200");
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-kto"))
        .args(format!("align --out out {tail}").split_whitespace())
        .current_dir(world.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&world.path("out/metrics.jsonl"), &mut child);
    sleep(Duration::from_millis(50));
    // At one moment: a removal takes its time, and the run may write meanwhile.
    fs::rename(world.path("out"), world.path("away")).unwrap();
    fs::remove_dir_all(world.path("away")).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("taken away while the run went on"), "{said}");
    world.said(&format!("align --out whole {tail}"));
    assert!(weights(&world, "out") == weights(&world, "whole"));
    assert_eq!(metrics(&world.path("out")), metrics(&world.path("whole")));
    assert_eq!(names(&world.path("out")), names(&world.path("whole")));
}

#[test]
fn a_damaged_checkpoint_is_an_error_that_names_it() {
    let world = World::new();
    world.said(&format!(
        "align --model model --data thumbs.jsonl --out out {TINY} --every 1"
    ));
    let path = world.path("out/checkpoint/model.bpk");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    for arguments in [
        "align --config out/run.toml --resume",
        "export out --out exported",
    ] {
        let error = world.refused(arguments);
        let expected = "error: checkpoint out/checkpoint/model.bpk: is damaged: ";
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(!world.path("exported").exists());
}

#[test]
fn the_policy_of_any_run_becomes_a_model_folder() {
    let world = World::new();
    let tail = format!("--model model --data thumbs.jsonl {TINY} --every 1");
    world.said(&format!("align --out out {tail}"));
    let said = world.said("export out --out exported");
    assert!(
        said.starts_with("written exported (weights, config, tokenizer): the policy after step 3"),
        "{said}"
    );
    for name in names(&world.path("out/model")) {
        let read = |folder: &str| fs::read(world.path(folder).join(&name)).unwrap();
        assert!(read("exported") == read("out/model"), "{name}");
    }
    assert_eq!(
        names(&world.path("exported")),
        names(&world.path("out/model"))
    );
    // Of a run that goes on, and of one that was killed.
    let mut child = started(&world, &format!("align --out long {tail} --epochs 4000"));
    wait_for(&world.path("long/checkpoint"), &mut child);
    for i in 0..5 {
        world.said(&format!("export long --out halfway-{i}"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    world.said("export long --out killed");
    world.said("data --model killed --data thumbs.jsonl");
    assert!(weights_of(&world, "killed") != weights_of(&world, "out/model"));
    for (arguments, expected) in [
        ("export out --out exported", "exported: is there already"),
        (
            "export long --out long/model",
            "is in the folder of the run",
        ),
        ("export none --out x", "cannot read none/run.toml: "),
        ("export model --out x", "cannot read model/run.toml: "),
        ("export out --out x --model none", "none: is not a folder"),
        ("export out --out x --device tpu", "device must be one of"),
    ] {
        let error = world.refused(arguments);
        assert!(error.contains(expected), "{error}");
    }
    assert!(!world.path("x").exists());
    // The model that it began with has moved.
    fs::rename(world.path("model"), world.path("moved")).unwrap();
    world.refused("export out --out x");
    world.said("export out --out x --model moved");
    let rewards = format!("--model moved --data pairs.jsonl --method reward {TINY} --out reward");
    world.said(&format!("align {rewards}"));
    world.said("export reward --out head");
    let head = |folder: &str| fs::read(world.path(folder).join("score.safetensors")).unwrap();
    assert!(head("head") == head("reward/model"));
}

fn weights_of(world: &World, folder: &str) -> Vec<u8> {
    fs::read(world.path(folder).join("model.safetensors")).unwrap()
}

#[test]
fn a_loss_that_is_not_finite_says_which_prompt_it_came_from() {
    let world = World::new();
    let mut rows = String::new();
    for (i, weight) in [(0, 1.0), (1, 3e38), (2, 1.0), (3, 1.0)] {
        let prompt = format!("what is {} ? ", WORDS[4 + i]);
        let row = serde_json::json!(
            {"prompt": prompt, "completion": "yes", "label": i % 2 == 1, "weight": weight}
        );
        rows += &format!("{row}\n");
    }
    fs::write(world.path("weights.jsonl"), rows).unwrap();
    // Of a thumb up, ten times that weight is too much for f32.
    let tail = "--batch-size 4 --held-out 0 --set method.desirable_weight=10";
    let error = world.refused(&format!(
        "align --model model --data weights.jsonl --out out {tail}"
    ));
    let error = error.lines().last().unwrap();
    assert!(
        error.starts_with("error: step 0: the ")
            && error.contains("counted from 0, the worst are 1"),
        "{error}"
    );
    let expected = "look at those (the prompt of example 1 ends with \"what is bad ?\")";
    assert!(error.ends_with(expected), "{error}");
}

#[cfg(unix)]
#[test]
fn files_that_may_not_grow_are_an_error_and_the_last_checkpoint_stays() {
    let world = World::new();
    let tail = format!("--model model --data thumbs.jsonl {TINY} --epochs 40 --every 2");
    world.said(&format!("align --out whole {tail}"));
    // In blocks of 512 bytes: a journal that is cut short, and a checkpoint that is.
    for blocks in [8, 16, 40] {
        let out = format!("out-{blocks}");
        let program = env!("CARGO_BIN_EXE_burn-kto");
        let command =
            format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} align --out {out} {tail}");
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(world.path(""))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("error: "), "{error}");
        assert!(!world.path(&out).join("model").exists());
        let names = names(&world.path(&out));
        let left = names
            .iter()
            .find(|name| name.contains("new") || name.contains("partial"));
        assert_eq!(left, None);
        world.said(&format!("align --out {out} {tail} --resume"));
        assert!(weights(&world, &out) == weights(&world, "whole"));
        assert_eq!(metrics(&world.path(&out)), metrics(&world.path("whole")));
    }
}
