//! Against a server of this process on the loopback interface. The Hub's variables belong to a
//! process, so each test asks from one of its own.

use super::file;
use burn_kto::prelude::*;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

const ROW: &str = r#"{"prompt": "a", "completion": "b", "label": true}"#;
const COMMIT: &str = "0123456789012345678901234567890123456789";

/// A data set of two files; its address, and the requests that came.
fn server() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            while reader.read_line(&mut request).is_ok_and(|n| n > 2) {}
            let mut words = request.split(' ');
            let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let entry = |path: &str| serde_json::json!({"type": "file", "oid": "e", "size": ROW.len(), "path": path});
            let info = path.split('?').next() == Some("/api/datasets/owner/name");
            let (status, body) = if info {
                let info = serde_json::json!({"id": "owner/name", "sha": COMMIT});
                ("200 OK", info.to_string())
            } else if path.starts_with(&format!("/api/datasets/owner/name/tree/{COMMIT}")) {
                (
                    "200 OK",
                    serde_json::json!([entry("data/train.jsonl"), entry("data/test.jsonl")])
                        .to_string(),
                )
            } else if path == format!("/datasets/owner/name/resolve/{COMMIT}/data/train.jsonl") {
                ("200 OK", ROW.to_string())
            } else {
                (
                    "404 Not Found",
                    r#"{"error": "Repository not found"}"#.to_string(),
                )
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\netag: \"e0\"\r\nx-repo-commit: {COMMIT}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            // Before the answer: who has it may look at the log.
            let method = method.to_string();
            log.lock().unwrap().push(request);
            let _ = stream.write_all(head.as_bytes());
            if method != "HEAD" {
                let _ = stream.write_all(body.as_bytes());
            }
        }
    });
    (url, seen)
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
