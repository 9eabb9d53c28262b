//! Where rows begin and end: lists of objects in rows, rows below an object, records of tables.

use super::file;
use burn_kto::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn refused(content: impl AsRef<[u8]>) -> String {
    let error = read_sft(file(content).path()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn lists_of_objects_in_rows_are_no_files_of_rows() {
    let asked = json!([{"question": "When?", "answer": "At nine."}]);
    for row in [
        json!({"title": "t", "context": "c", "qas": asked}),
        json!({"info": {"post": "p"}, "summaries": [{"text": " a"}, {"text": " b"}], "choice": 0}),
        json!({"system": "s", "comparisons": [{"chosen": "a", "rejected": "b"}]}),
        json!({"user": 0, "log": [{"prompt": "a", "completion": "b", "label": true}]}),
        json!({"data": asked}),
    ] {
        let twice = [row.clone(), row.clone()];
        let pretty = twice
            .each_ref()
            .map(|row| serde_json::to_string_pretty(row).unwrap());
        for content in [lines(&twice), pretty.join("\n"), json!(twice).to_string()] {
            let error = refused(&content);
            assert!(error.contains("1: columns must be"), "{error}");
            for name in row.as_object().unwrap().keys() {
                assert!(error.contains(name), "{error}");
            }
        }
    }
    // A second row that is none is an error of its own line, after the first one's.
    let good = json!({"prompt": "a", "completion": "b"});
    let error = refused(lines(&[json!({"rows": [good]}), json!(1)]));
    assert!(error.contains(":1: columns must be"), "{error}");
}

#[test]
fn what_stands_beside_the_rows_of_one_object_is_named_or_refused() {
    let rows = json!([{"question": "When?", "answer": "At nine."}]);
    let whole = json!({"version": 1, "licence": null, "authors": [{"name": "x"}], "data": rows});
    let loaded = read_sft(file(whole.to_string()).path()).unwrap();
    assert_eq!(loaded.examples.len(), 1);
    let unread: Vec<&String> = loaded.report.unread.keys().collect();
    assert_eq!(unread, ["authors", "version"]);
    for (beside, value) in [("context", "c"), ("system", "s"), ("instruction", "i")] {
        let error = refused(json!({beside: value, "qas": rows}).to_string());
        let expected = format!(
            ":1: has rows below \"qas\", and beside them \"{beside}\", which belongs into each of \
             them: write it there, or leave it out"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[test]
fn other_shapes_of_tables_are_read_or_named() {
    let viewed = |cut: &[&str]| {
        let row = json!({"prompt": "a", "completion": "b"});
        let row = json!({"row_idx": 0, "row": row, "truncated_cells": cut});
        json!({"features": [{"name": "prompt"}], "rows": [row]}).to_string()
    };
    let loaded = read_sft(file(viewed(&[])).path()).unwrap();
    assert_eq!(loaded.examples, [SftExample::new("a", "b")]);
    let error = refused(viewed(&["completion"]));
    let expected = ":1: is of the Hub's viewer, which cut \"completion\" off: read the data set \
                    itself, hf://owner/name";
    assert!(error.ends_with(expected), "{error}");
    let split = json!({"columns": ["prompt", "completion"], "index": [0], "data": [["a", "b"]]});
    let error = refused(split.to_string());
    assert!(error.contains(":1: is a table by columns"), "{error}");
}

#[test]
fn a_row_makes_no_more_than_memory_can_hold() {
    let turn = |role: &str, text: &str| json!({"role": role, "content": text});
    let chat = |turns: usize, text: &str| {
        let turns = (0..turns).flat_map(|_| [turn("user", text), turn("assistant", text)]);
        json!({"messages": turns.collect::<Vec<_>>()})
    };
    let long = "x".repeat(1 << 20);
    let turns = Reader::new().with_every_turn();
    for too_much in [chat(5_000, "a"), chat(30, &long)] {
        let file = file(lines(&[too_much, chat(200, "a")]));
        let loaded = turns.sft(file.path()).unwrap();
        assert_eq!(loaded.examples.len(), 200);
        assert_eq!(loaded.report.dropped[&DropReason::MakesTooMuch], 1);
        // The last turn alone is not too much.
        assert_eq!(read_sft(file.path()).unwrap().examples.len(), 2);
    }
    let ranked = |n: usize, prompt: &str| {
        let answers = (0..n).map(|i| json!({"text": i.to_string(), "rank": i}));
        json!({"question": prompt, "answers": answers.collect::<Vec<_>>()})
    };
    let all = Reader::new().with_pairs(RankedPairs::All);
    let many = file(lines(&[ranked(5_000, "?"), ranked(100, "?")]));
    let loaded = all.preferences(many.path()).unwrap();
    assert_eq!(loaded.examples.len(), 4_950);
    assert_eq!(loaded.report.dropped[&DropReason::MakesTooMuch], 1);
    assert_eq!(
        Reader::new()
            .preferences(many.path())
            .unwrap()
            .examples
            .len(),
        5_098
    );
    let wide = file(lines(&[ranked(300, &long), ranked(2, "?")]));
    let dropped = [
        Reader::new()
            .preferences(wide.path())
            .unwrap()
            .report
            .dropped,
        read_binary(wide.path()).unwrap().report.dropped,
        read_scored(wide.path()).unwrap().report.dropped,
    ];
    for dropped in dropped {
        assert_eq!(dropped[&DropReason::MakesTooMuch], 1);
    }
    let error = Reader::new()
        .with_strict()
        .scored(wide.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with(":1: its examples would be longer than 256 MiB"),
        "{error}"
    );
}

#[cfg(feature = "csv")]
mod table {
    use super::*;

    fn table(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn said(content: &str) -> String {
        let (_folder, path) = table(content);
        let error = read_binary(&path).unwrap_err().to_string();
        error.split("a.csv").nth(1).unwrap().to_string()
    }

    #[test]
    fn quotes_that_are_not_doubled_are_refused() {
        let head = "prompt,completion,label\nr,n,0\n";
        for (rows, is_escaped) in [
            ("\"He said \\\"hi\\\"\",y,1\n", true),
            ("\"Say \\\"a, b\\\" now\",yes,1\n", true),
            ("q,\"no, \\\"x\\\"\",0\n", true),
            ("q,\"a \\\" b\",0\n", true),
            ("\"He said \"hi\" to me\",y,1\n", false),
            ("\"a\" ,y,1\n", false),
        ] {
            let error = said(&format!("{head}{rows}"));
            let expected = ":3: has a quote in a field in quotes with neither a separator nor a line \
                            end behind it: ";
            assert!(error.starts_with(expected), "{error}");
            assert_eq!(error.contains("backslash"), is_escaped, "{error}");
        }
        // An escaped quote at the end of a field takes the next rows in, to the end or a quote.
        let error = said(&format!("{head}\"He said \\\"\",y,1\nr,n,0\n"));
        assert!(error.starts_with(":3: has a quote"), "{error}");
        let good = "a \"b\" c,\\d\\,1\n\"x\\\",\"\"\"y\"\"\",0\n\"\"\"\",\"\r\n\",0\n";
        let (_folder, path) = table(&format!("prompt,completion,label\n{good}"));
        let loaded = read_binary(&path).unwrap();
        let expected = [
            BinaryExample::new("a \"b\" c", "\\d\\", true),
            BinaryExample::new("x\\", "\"y\"", false),
        ];
        assert_eq!(loaded.examples, expected);
        assert_eq!(loaded.report.dropped[&DropReason::EmptyCompletion], 1);
    }

    #[test]
    fn lines_are_counted_however_they_end() {
        let rows = [
            "question,answer,thumbs_up",
            "a,\"b",
            "c\",1",
            "",
            "e,f,maybe",
        ];
        for end in ["\n", "\r\n", "\r"] {
            for before in ["", end] {
                let error = said(&format!("{before}{}", rows.join(end)));
                let line = if before.is_empty() || end == "\r" {
                    5
                } else {
                    6
                };
                assert!(error.starts_with(&format!(":{line}: ")), "{end:?}: {error}");
            }
        }
    }

    #[test]
    fn what_tables_write_for_nothing_is_null_but_in_quotes() {
        for null in [
            "None", "null", "NULL", "NaN", "nan", "N/A", "NA", "<NA>", "\\N",
        ] {
            let (_folder, path) = table(&format!(
                "prompt,completion,label\na,{null},1\na,\"{null}\",1\na,{null}.,1\n"
            ));
            let loaded = read_binary(&path).unwrap();
            let expected = [null.to_string(), format!("{null}.")];
            let expected = expected.map(|answer| BinaryExample::new("a", answer, true));
            assert_eq!(loaded.examples, expected);
            assert_eq!(loaded.report.dropped[&DropReason::EmptyCompletion], 1);
        }
    }

    #[test]
    fn a_separator_that_excel_is_told_is_no_row() {
        for separator in [",", ";", "\t", "|"] {
            let rows = ["prompt,completion,label", "a,b,1"].map(|row| row.replace(',', separator));
            for end in ["\n", "\r\n", "\r"] {
                let (_folder, path) = table(&format!("sep={separator}{end}{}", rows.join(end)));
                let loaded = read_binary(&path).unwrap();
                assert_eq!(loaded.examples, [BinaryExample::new("a", "b", true)]);
            }
        }
        let error = said("sep=,\nprompt,completion,label\na,b,maybe\n");
        assert!(error.starts_with(":3: "), "{error}");
    }

    #[test]
    fn a_row_of_nothing_but_separators_has_a_limit() {
        let error = said(&format!("prompt,completion\n{}", ",".repeat(3 << 20)));
        assert!(error.starts_with(":2: is longer than 64 MiB"), "{error}");
    }
}
