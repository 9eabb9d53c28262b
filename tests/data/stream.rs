//! One example after another is the same as all at once.

use super::{file, shared};
use burn_kto::data::ReadExample;
use burn_kto::prelude::*;
use serde_json::json;
use std::fmt::Debug;
use std::path::Path;

/// Streams what was loaded.
fn same<T: ReadExample + PartialEq + Debug>(path: &Path, loaded: Result<Loaded<T>, Error>) {
    let mut stream = Reader::new().stream::<T>(path).unwrap();
    let mut examples = Vec::new();
    let mut failed = None;
    for example in stream.by_ref() {
        match example {
            Ok(example) => examples.push(example),
            Err(error) => failed = Some(error.to_string()),
        }
    }
    let report = stream.report();
    match loaded {
        Err(error) => assert_eq!(failed, Some(error.to_string())),
        Ok(mut loaded) => {
            assert_eq!((failed, &examples), (None, &loaded.examples));
            let counted = &mut loaded.report;
            (counted.prompts, counted.duplicated, counted.contradicted) = (0, 0, 0);
            assert_eq!(report, loaded.report);
        }
    }
}

fn all_kinds(path: &Path) {
    same(path, read_binary(path));
    same(path, read_preferences(path));
    same(path, read_scored(path));
    same(path, read_sft(path));
}

#[test]
fn a_stream_has_the_examples_the_report_and_the_error_of_a_file() {
    let row = |i: u32| {
        let completion = if i.is_multiple_of(7) { "" } else { "b" };
        json!({"prompt": i.to_string(), "completion": completion, "label": i.is_multiple_of(2), "id": i})
            .to_string()
    };
    let rows: Vec<String> = (0..3000).map(row).collect();
    all_kinds(file(rows.join("\n")).path());
    all_kinds(file(rows.join("\n") + "\n{\"prompt\": 1}").path());
    all_kinds(file(rows[0].as_str()).path());
    all_kinds(file("[]").path());
    all_kinds(Path::new("nowhere.jsonl"));
    let scores = [1.5, -2.0, 0.25]
        .map(|score| json!({"prompt": "a", "completion": "b", "score": score}).to_string());
    all_kinds(file(scores.join("\n")).path());
    for name in ["oasst_en_100_tree.jsonl", "llamafactory_kto_en_demo.json"] {
        if let Some(path) = shared(name) {
            all_kinds(path.as_ref());
        }
    }
}

#[test]
fn a_stream_that_nobody_reads_to_its_end_stops() {
    let row = json!({"prompt": "a", "completion": "b", "label": true}).to_string() + "\n";
    let data = file(row.repeat(100_000));
    let mut stream = Reader::new().stream::<BinaryExample>(data.path()).unwrap();
    assert!(stream.next().unwrap().is_ok());
    let read = stream.report().rows;
    assert!(read < 1000, "{read} rows were read for one");
    // What nobody asks for is not waited for.
    drop(Reader::new().stream::<BinaryExample>(data.path()).unwrap());
}

#[test]
fn what_needs_all_rows_is_refused() {
    for reader in [
        Reader::new().with_per_prompt(1),
        Reader::new().without_duplicates(),
    ] {
        let error = reader
            .stream::<SftExample>("nowhere")
            .unwrap_err()
            .to_string();
        assert!(error.contains("needs all rows in memory"), "{error}");
    }
}
