//! Against a server of this process on the loopback interface. The Hub's variables belong to a
//! process, so each test asks from one of its own.

use super::file;
use crate::loopback::{COMMIT, entry, json, serve};
use burn_kto::prelude::*;
use std::process::Command;
use std::sync::{Arc, Mutex};

const ROW: &str = r#"{"prompt": "a", "completion": "b", "label": true}"#;

/// A data set of two files; its address, and the requests that came.
fn server() -> (String, Arc<Mutex<Vec<String>>>) {
    serve(|path| {
        if path.split('?').next() == Some("/api/datasets/owner/name") {
            return json(serde_json::json!({"id": "owner/name", "sha": COMMIT}));
        }
        if path.starts_with(&format!("/api/datasets/owner/name/tree/{COMMIT}")) {
            let names = ["data/train.jsonl", "data/test.jsonl"];
            return json(names.iter().map(|path| entry(path, ROW.len())).collect());
        }
        let train = format!("/datasets/owner/name/resolve/{COMMIT}/data/train.jsonl");
        (path == train).then(|| ROW.into())
    })
}

/// What a process with these variables says to `hf://…`.
fn read(endpoint: &str, home: &std::path::Path, name: &str) -> String {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["hub::the_process_that_asks", "--exact", "--nocapture"])
        .env("HUB_TEST_NAME", name)
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HOME", home)
        .env("HF_TOKEN", "hf_secret")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().find_map(|line| line.split("said: ").nth(1));
    line.unwrap_or(&text).to_string()
}

#[test]
fn the_process_that_asks() {
    let Ok(name) = std::env::var("HUB_TEST_NAME") else {
        return;
    };
    match read_binary(name) {
        Ok(loaded) => println!("said: {}", loaded.report),
        Err(error) => println!("said: {error}"),
    }
}

#[test]
fn a_data_set_is_downloaded_once() {
    let (url, seen) = server();
    let home = tempfile::tempdir().unwrap();
    let expected = read_binary(file(ROW).path()).unwrap().report.to_string();
    let expected = expected + "; files not read: data/test.jsonl";
    assert_eq!(read(&url, home.path(), "hf://owner/name"), expected);
    let count = |what: &str| {
        let seen = seen.lock().unwrap();
        seen.iter()
            .filter(|request| request.starts_with(what))
            .count()
    };
    assert_eq!(count("GET /datasets/"), 1);
    assert!(seen.lock().unwrap().iter().all(|request| {
        request
            .to_lowercase()
            .contains("authorization: bearer hf_secret")
    }));
    assert_eq!(read(&url, home.path(), "hf://owner/name"), expected);
    assert_eq!(
        count("GET /datasets/"),
        1,
        "the second time it comes from the cache"
    );
}

#[test]
fn what_is_not_there_is_one_clear_line_without_the_token() {
    let (url, _) = server();
    let home = tempfile::tempdir().unwrap();
    for (name, expected) in [
        ("hf://owner", "must be hf://owner/name[@revision][/pattern]"),
        (
            "hf://owner/name/*.csv",
            "has no such data file; it has data/test.jsonl, data/train.jsonl",
        ),
        ("hf://owner/none", "hf://owner/none: "),
    ] {
        let said = read(&url, home.path(), name);
        assert!(said.starts_with(name) && said.contains(expected), "{said}");
        assert!(!said.contains("hf_secret"), "{said}");
    }
}
