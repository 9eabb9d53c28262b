//! The program.

use crate::common::{TINY, World, metrics};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn a_run_is_the_same_again_from_what_it_wrote() {
    let world = World::new();
    let said = world.said(&format!(
        "align --model model --data thumbs.jsonl --out first --preset kto {TINY} --epochs 2 --beta 0.2 --balance --stratify --set optimizer.weight_decay=0.1 --set method.kl.scope=micro-batch"
    ));
    for expected in [
        "model  model: ",
        "train  9 examples in 6 steps, 3 held out",
        "held out: loss",
        "written first/model",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let text = std::fs::read_to_string(world.path("first/run.toml")).unwrap();
    for expected in [
        "beta = 0.2",
        "max_grad_norm = 10.0",
        "max_length = 32",
        "evaluate_every = 2",
        "scope = \"micro-batch\"",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    world.said("align --config first/run.toml --out second");
    let folder = |from: &str, to: &str| {
        std::fs::create_dir(world.path(to)).unwrap();
        for file in std::fs::read_dir(world.path(from)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), world.path(to).join(file.file_name())).unwrap();
        }
    };
    folder("model", "again");
    let (first, second) = (world.path("first"), world.path("second"));
    assert_eq!(metrics(&first), metrics(&second));
    assert_eq!(metrics(&first).len(), 6 + 4);
    let weights = |folder: &Path| std::fs::read(folder.join("model/model.safetensors")).unwrap();
    assert!(weights(&first) == weights(&second), "not bit for bit");
    let settings = |folder: &str| {
        let text = std::fs::read_to_string(world.path(folder).join("run.toml")).unwrap();
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n")
            .replace(&format!("\"{folder}\""), "X")
    };
    assert_eq!(settings("first"), settings("second"));
    for name in ["model", "thumbs.jsonl"] {
        let path = std::path::absolute(world.path(name)).unwrap();
        let path = path.to_str().unwrap();
        assert!(text.contains(&format!("= \"{path}\"")), "{path} in {text}");
    }
    // A folder with a run in it is left alone, unless that goes on.
    let error = world.refused("align --config first/run.toml");
    assert!(
        error.contains("first holds a run already (checkpoint): resume it, or choose"),
        "{error}"
    );
    world.said("align --config first/run.toml --resume");
    assert!(
        weights(&first) == weights(&second),
        "a finished run has nothing to go on with"
    );
    assert!(!world.path("first/model.new").exists() && !world.path("first/model.old").exists());
    for (other, expected) in [
        ("--beta 0.3", "belongs to another run"),
        ("--model again", "belongs to another run: model was "),
        (
            "--reference moving",
            "belongs to another run: reference was {\"name\":\"frozen\"",
        ),
    ] {
        let arguments = format!("align --config first/run.toml --resume {other}");
        let error = world.refused(&arguments);
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(
        std::fs::read_to_string(world.path("first/run.toml")).unwrap(),
        text
    );
    // The folder of a run says what to go on with, from wherever it is asked.
    let nothing_left = "all 6 steps are done: nothing is left to do";
    let output = world.program("align --resume --out first");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.contains(nothing_left),
        "{said}"
    );
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_burn-kto"))
        .current_dir(std::env::temp_dir())
        .args(["align", "--resume", "--config"])
        .arg(world.path("first/run.toml"))
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.contains(nothing_left),
        "{said}"
    );
}

#[test]
fn errors_name_where_a_setting_was_given() {
    let world = World::new();
    std::fs::write(world.path("bad.toml"), "[trainer]\nepoch = 1\n").unwrap();
    let data = "align --model model --data thumbs.jsonl";
    let cases = [
        (
            "align --config bad.toml",
            "error: bad.toml:2: epoch is not a setting; did you mean epochs?",
        ),
        ("align --config none.toml", "error: cannot read none.toml: "),
        (
            "align --model model",
            "error: data.path: says what to learn from",
        ),
        (
            &format!("{data} --method sft --beta 0.1"),
            "error: --beta: beta is a setting of kto,",
        ),
        (
            &format!("{data} --set method.betta=1"),
            "error: --set method.betta: betta is not a setting of method kto; did you mean beta?",
        ),
        (
            &format!("{data} --beta -1"),
            "error: beta must be positive and finite, got -1",
        ),
        (
            &format!("{data} --epochs 0"),
            "error: epochs must be at least 1, got 0",
        ),
        (
            &format!("{data} --threshold many"),
            "error: --threshold: threshold: must be mean,",
        ),
        (
            &format!("{data} --method dpo --stratify"),
            "error: sampler.stratified: is for thumbs",
        ),
    ];
    for (arguments, expected) in cases {
        let error = world.refused(arguments);
        assert!(error.starts_with(expected), "{error}\nfor {expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert!(!world.path("runs").exists());
    let help = world.said("align --help");
    for expected in [
        "Examples:",
        "--preset",
        "--set <NAME=VALUE>",
        "over --preset",
    ] {
        assert!(help.contains(expected), "{expected}");
    }
}

#[test]
fn nobody_has_to_listen() {
    let world = World::new();
    let arguments = format!("align --model model --data thumbs.jsonl --out out {TINY}");
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-kto"))
        .args(arguments.split_whitespace())
        .current_dir(world.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    drop(reader);
    assert!(first.starts_with("data   "), "{first}");
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(world.path("out/model/model.safetensors").exists());
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_begins_again() {
    let world = World::new();
    let tail = format!("--model model --data thumbs.jsonl {TINY} --epochs 400 --every 1000");
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-kto"))
        .args(format!("align --out out {tail}").split_whitespace())
        .current_dir(world.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !world.path("out/run.toml").exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !world.path("out/checkpoint").exists(),
        "too late for this test"
    );
    let output = world.program(&format!("align --out out {tail} --resume"));
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "warning: out/checkpoint is not there: the run begins at its first step";
    assert!(said.contains(expected), "{said}");
    world.said(&format!("align --out whole {tail}"));
    let weights =
        |out: &str| std::fs::read(world.path(out).join("model/model.safetensors")).unwrap();
    assert!(weights("out") == weights("whole"));
    assert_eq!(metrics(&world.path("out")), metrics(&world.path("whole")));
    // A mistyped folder is none that goes on.
    let error = world.refused(&format!("align --out oat {tail} --resume"));
    assert!(error.contains("resume: no checkpoint in oat"), "{error}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_no_model_and_goes_on() {
    let world = World::new();
    let tail = format!("--model model --data thumbs.jsonl {TINY} --epochs 400 --every 1000");
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-kto"))
        .args(format!("align --out out {tail}").split_whitespace())
        .current_dir(world.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("train  ")));
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{rest:?}");
    let hint = "go on with: burn-kto align --config out/run.toml --resume";
    assert!(rest.last().unwrap().ends_with(hint), "{rest:?}");
    assert!(!world.path("out/model").exists() && world.path("out/checkpoint").exists());
    world.said("align --config out/run.toml --resume");
    world.said(&format!("align --out whole {tail}"));
    let weights =
        |out: &str| std::fs::read(world.path(out).join("model/model.safetensors")).unwrap();
    assert!(weights("out") == weights("whole"));
    assert_eq!(
        metrics(&world.path("out")).last(),
        metrics(&world.path("whole")).last()
    );
}
