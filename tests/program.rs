//! The program as a person runs it: what it prints, writes, and ends with.

use burn::tensor::Device;
use burn_kto::prelude::*;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_burn-kto"));
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn done(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    out(&output)
}

#[test]
fn version_names_the_crate_burn_and_the_backends() {
    let text = done(run(&["--version"]));
    let lines: Vec<&str> = text.lines().collect();
    let crate_version = format!("burn-kto {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines[0], crate_version);
    assert!(lines[1].starts_with("burn 0.22."), "{text}");
    assert!(lines[2].starts_with("backends: flex"), "{text}");
    assert_eq!(done(run(&["-V"])).trim_end(), crate_version);
}

#[test]
fn help_has_examples_and_exit_codes() {
    let text = done(run(&["--help"]));
    for part in [
        "export",
        "evaluate",
        "completions",
        "man",
        "Examples:",
        "Exit codes:",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(text.contains("  130  interrupted"), "{text}");
    for subcommand in ["export", "evaluate", "completions", "man"] {
        let text = done(run(&[subcommand, "--help"]));
        let example = format!("  burn-kto {subcommand} ");
        assert!(
            text.contains("Examples:") && text.contains(&example),
            "{text}"
        );
    }
}

#[test]
fn what_does_not_exist_is_a_usage_error() {
    for arguments in [
        &["evalute"][..],
        &[],
        &["evaluate", "--modle", "x"],
        &["evaluate"],
        &["completions", "cmd.exe"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(out(&output).is_empty() && err(&output).contains("--help"));
    }
    assert!(
        err(&run(&["evalute"])).contains("'evaluate'"),
        "the nearest name"
    );
}

#[test]
fn what_is_not_there_is_an_error() {
    let output = run(&["evaluate", "--model", "nowhere", "--data", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(err(&output), "error: nowhere: has no mmlu\n");
}

#[test]
fn what_bash_completes_is_under_the_name_that_it_looks_for() {
    let script = done(run(&["completions", "bash"]));
    let states = script
        .split("cmd=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let states: Vec<&str> = states.filter(|state| state.contains("__")).collect();
    assert!(states.len() > 5, "{script}");
    for state in states {
        assert!(
            script.contains(&format!(" {state})\n")),
            "nothing completes {state}"
        );
    }
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = done(run(&["completions", shell]));
        assert!(
            script.contains("burn-kto") && script.contains("mmlu-shots"),
            "{shell}"
        );
    }
}

#[test]
fn every_subcommand_has_a_page_in_the_manual() {
    let all = done(run(&["man"]));
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    done(run(&["man", pages.to_str().unwrap()]));
    let mut names: Vec<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for subcommand in ["completions", "evaluate", "export", "man"] {
        assert!(
            names.contains(&format!("burn-kto-{subcommand}.1")),
            "{names:?}"
        );
    }
    assert!(names.contains(&"burn-kto.1".to_string()), "{names:?}");
    for name in names {
        let page = fs::read_to_string(pages.join(&name)).unwrap();
        let title = format!(".TH {} 1", name.trim_end_matches(".1"));
        assert!(page.contains(&title), "{name}:\n{page}");
        assert!(all.contains(&title), "{name} on standard output");
    }
}

/// A model of random weights over bytes, and questions.
fn files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut model = LlamaConfig::new(400, 16, 1, 2);
    model.max_position_embeddings = 1024;
    model.init(1, &Device::flex()).save(at("model")).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates");
    fs::copy(fixtures.join("bytes.json"), at("model/tokenizer.json")).unwrap();
    let settings = r#"{"bos_token": "<s>", "eos_token": "</s>"}"#;
    fs::write(at("model/tokenizer_config.json"), settings).unwrap();
    fs::create_dir_all(at("data/mmlu/test")).unwrap();
    let questions = "1 + 1?,1,2,3,4,B\n2 + 1?,1,2,3,4,C\n3 + 1?,1,2,3,4,D\n";
    fs::write(at("data/mmlu/test/sums_test.csv"), questions).unwrap();
    let problem = r##"{"question": "What is 1 + 1?", "answer": "It is 2.\n#### 2"}"##;
    for name in ["gsm8k_test.jsonl", "gsm8k_train.jsonl"] {
        fs::write(at("data").join(name), format!("{problem}\n").repeat(9)).unwrap();
    }
    folder
}

fn evaluate(folder: &TempDir) -> Command {
    let mut command = program();
    command.arg("evaluate");
    for name in ["model", "data", "out"] {
        command
            .arg(format!("--{name}"))
            .arg(folder.path().join(name));
    }
    command.args(["--device", "flex"]);
    command
}

#[test]
fn evaluate_measures_writes_and_goes_on() {
    let folder = files();
    let tasks = ["--tasks", "mmlu,gsm8k-5shot", "--limit", "2"];
    let output = evaluate(&folder).args(tasks).output().unwrap();
    let text = done(output);
    let head: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(head[..3], ["task", "metric", "n"], "{text}");
    assert!(text.contains("mmlu") && text.contains("gsm8k"), "{text}");
    let results = fs::read_to_string(folder.path().join("out/results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["tasks"][0]["micro"]["accuracy"]["n"], 2);
    assert!(folder.path().join("out/results.md").exists());
    // Everything is known: nothing is asked again, and the table is the same.
    let again = evaluate(&folder).args(tasks).output().unwrap();
    let shown = err(&again);
    assert!(!shown.contains("1/2") && !shown.contains("2/2"), "{shown}");
    let table = |text: &str| text.split("\nwritten").next().unwrap().to_string();
    assert_eq!(table(&done(again)), table(&text));
}

#[test]
fn a_reader_that_leaves_ends_neither_the_program_nor_its_work() {
    // The manual is larger than a pipe holds, so it is still being written when the reader leaves.
    let mut child = program();
    let child = child
        .arg("man")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut line = String::new();
    let mut reader = BufReader::with_capacity(1, child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), &said[..]), (Some(0), ""));

    // Nobody reads either stream from the beginning, and the results are written all the same.
    let folder = files();
    let mut child = evaluate(&folder);
    let child = child
        .args(["--tasks", "mmlu"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("out/results.json").exists());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_after_the_batch_and_the_same_command_goes_on() {
    let folder = files();
    let tasks = ["--tasks", "gsm8k-5shot", "--batch", "1"];
    let mut child = evaluate(&folder);
    let child = child.args(tasks).stderr(Stdio::piped());
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut next = || lines.next().expect("it ended before").unwrap();
    while !next().contains(" 1/9 ") {}
    let id = child.id().to_string();
    let pressed = Command::new("kill").args(["-INT", &id]).status();
    assert!(pressed.unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let stopping = "stopping after this batch; once more to stop at once";
    assert!(rest.iter().any(|line| line == stopping), "{rest:?}");
    let last = rest.last().unwrap();
    assert!(last.starts_with("gsm8k: interrupted after "), "{rest:?}");
    let output = evaluate(&folder).args(tasks).output().unwrap();
    assert!(!err(&output).contains(" 1/9 "), "it went on");
    done(output);
}

#[cfg(unix)]
#[test]
fn what_is_finished_although_ctrl_c_came_is_done() {
    let folder = files();
    let mut child = evaluate(&folder);
    // A single batch, before which nothing stops.
    let tasks = ["--tasks", "gsm8k-5shot", "--batch", "9"];
    let child = child.args(tasks).stderr(Stdio::piped());
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("reading "), "{first}");
    let id = child.id().to_string();
    let pressed = Command::new("kill").args(["-INT", &id]).status();
    assert!(pressed.unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.starts_with("stopping after")));
    assert!(folder.path().join("out/results.json").exists());
}
