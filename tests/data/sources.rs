//! Files as they come: damaged, endless, linked, packed in odd ways; and rows that would vanish
//! without a word.

use super::file;
#[cfg(any(feature = "gzip", feature = "zstd"))]
use super::{ROWS, expected};
use burn_kto::prelude::*;
use std::path::Path;

fn error(path: impl AsRef<Path>) -> String {
    let error = read_binary(path).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn refused(content: impl AsRef<[u8]>) -> String {
    error(file(content).path())
}

#[test]
fn rows_of_an_array_are_not_called_lines() {
    let good = r#"{"prompt": "a", "completion": "b", "label": true}"#;
    let bad = r#"{"prompt": "a", "completion": "b", "label": "no"}"#;
    let file = file(format!("[\n{good},\n\n{bad}]"));
    let expected = format!(
        "{}: row 2: \"label\" must be true or false, got \"no\"",
        file.path().display()
    );
    assert_eq!(error(file.path()), expected);
    let empty = format!("[{good}, {}]", good.replace("\"b\"", "\"\""));
    let strict = Reader::new().with_strict();
    let said = strict.binary(super::file(empty).path()).unwrap_err();
    let said = said.to_string();
    assert!(said.ends_with(": row 2: completion is empty"), "{said}");
    // Where the text is no JSON, its line is known.
    let said = refused(format!("\n\n[{good},\n{{\"label\": flase}}]"));
    let expected = ":4: is not valid JSON: expected ident at column 12";
    assert!(said.ends_with(expected), "{said}");
    let said = refused(format!("{good}\n{{\"label\": flase}}"));
    let expected = ":2: is not valid JSON: expected ident at column 12";
    assert!(said.ends_with(expected), "{said}");
    let said = refused(format!("[{good},\n{{\"a\": 1, \"a\": 2}}]"));
    assert!(said.contains(":2: ") && !said.contains("line"), "{said}");
}

#[test]
fn a_line_without_end_is_refused() {
    let endless = tempfile::NamedTempFile::new().unwrap();
    endless.as_file().set_len((64 << 20) + 2).unwrap();
    let said = error(endless.path());
    assert!(said.ends_with(":1: is longer than 64 MiB"), "{said}");
}

#[test]
fn messages_are_short_however_long_the_row() {
    let long = "k".repeat(1_000_000);
    for row in [
        format!(r#"{{"{long}": 1}}"#),
        format!(r#"{{"{long}": 1, "{long}": 2}}"#),
        format!(r#"{{"messages": [{{"role": "{long}", "content": "a"}}], "label": true}}"#),
        format!(r#"[{{"{long}": 1}}]"#),
    ] {
        let said = refused(row);
        assert!(said.len() < 700, "{} bytes", said.len());
    }
    assert!(refused(format!(r#"{{"{long}": 1}}"#)).ends_with("kkk…"));
}

#[cfg(feature = "gzip")]
#[test]
fn behind_gzip_there_may_be_more_gzip_or_zeros() {
    let packed = super::gzip(ROWS.as_bytes());
    let read = |bytes: &[u8]| read_binary(file(bytes).path()).unwrap().examples;
    let padded = [&packed[..], &[0; 100_000]].concat();
    assert_eq!(read(&padded), expected());
    let (head, tail) = ROWS.split_at(40);
    let parts = ["", head, "", tail].map(|part| super::gzip(part.as_bytes()));
    assert_eq!(read(&parts.concat()), expected());
    for garbage in [&b"garbage"[..], b"\0\0\0{}"] {
        let said = refused([&packed[..], garbage].concat());
        let expected = ": something that is not gzip is behind the end of its gzip stream";
        assert!(said.ends_with(expected), "{said}");
    }
    let said = refused(&packed[..packed.len() - 3]);
    assert!(said.contains("unexpected end of file"), "{said}");
}

#[cfg(feature = "zstd")]
mod zst {
    use super::*;
    use proptest::prelude::*;

    fn packed() -> Vec<u8> {
        zstd::encode_all(ROWS.as_bytes(), 3).unwrap()
    }

    #[test]
    fn a_frame_to_be_skipped_may_be_the_first() {
        let skipped = b"\x5a\x2a\x4d\x18\x04\0\0\0abcd";
        let file = file([&skipped[..], &packed()].concat());
        assert_eq!(read_binary(file.path()).unwrap().examples, expected());
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = packed();
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
            let _ = read_binary(file(bytes).path());
        }
    }
}

#[cfg(feature = "parquet")]
mod table {
    use super::*;
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
    use parquet::file::writer::SerializedFileWriter;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn thumbs() -> Vec<u8> {
        let path = "tests/fixtures/data/thumbs.parquet";
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    /// One row group; texts are columns of bytes, numbers of doubles.
    fn table(schema: &str, texts: &[&[&[u8]]], numbers: &[f64]) -> Vec<u8> {
        let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
        let mut bytes = Vec::new();
        let mut writer =
            SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for column in texts {
            let values: Vec<_> = column.iter().map(|t| ByteArray::from(t.to_vec())).collect();
            let mut next = group.next_column().unwrap().unwrap();
            let typed = next.typed::<ByteArrayType>();
            typed.write_batch(&values, None, None).unwrap();
            next.close().unwrap();
        }
        if let Some(mut next) = group.next_column().unwrap() {
            let typed = next.typed::<DoubleType>();
            typed.write_batch(numbers, None, None).unwrap();
            next.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        bytes
    }

    const SCORED: &str = "message m { required binary prompt; required binary completion (UTF8); required double score; }";

    #[test]
    fn bytes_are_texts_and_odd_values_are_refused() {
        let read = |prompt: &[u8], score: f64| {
            let bytes = table(SCORED, &[&[b"a", prompt], &[b"b", b"c"]], &[1.0, score]);
            let file = file(bytes);
            let read = read_scored(file.path());
            read.map_err(|error| {
                let place = format!("{}: row 2: ", file.path().display());
                let error = error.to_string();
                error.strip_prefix(&place).unwrap_or(&error).to_string()
            })
        };
        let scored = read("ä".as_bytes(), 2.5).unwrap().examples;
        assert_eq!(scored[0], ScoredExample::new("a", "b", 1.0));
        assert_eq!(scored[1], ScoredExample::new("ä", "c", 2.5));
        let said = |prompt, score| read(prompt, score).unwrap_err();
        assert_eq!(said(b"a", f64::NAN), "\"score\" is NaN");
        assert_eq!(said(b"a", f64::NEG_INFINITY), "\"score\" is -inf");
        assert_eq!(said(b"\xff", 1.0), "\"prompt\" is bytes that are not UTF-8");
    }

    #[test]
    fn a_column_comes_once() {
        let twice = "message m { required binary prompt (UTF8); required binary prompt (UTF8); }";
        let said = refused(table(twice, &[&[b"a"], &[b"b"]], &[]));
        assert!(
            said.ends_with(": column \"prompt\" is there twice"),
            "{said}"
        );
        let inside = "message m { required group g { required binary a; required binary a; } }";
        let said = refused(table(inside, &[&[b"a"], &[b"b"]], &[]));
        assert!(said.ends_with(": column \"a\" is there twice"), "{said}");
    }

    #[test]
    fn deep_columns_are_refused() {
        let deep = |levels: usize| {
            let (open, close) = ("required group g { ".repeat(levels), "}".repeat(levels));
            let schema = format!("message m {{ {open} required binary a; {close} }}");
            refused(table(&schema, &[&[b"a"]], &[]))
        };
        assert!(deep(300).contains("columns must be"));
        assert!(deep(500).ends_with(": its columns are nested deeper than 384"));
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn tables_must_be_plain_files() {
        let said = refused(super::super::gzip(&thumbs()));
        assert!(said.contains("is Parquet that is compressed"), "{said}");
    }

    /// Bytes that make the parquet crate panic, where it opens the file and at the first row.
    #[test]
    fn panics_inside_are_errors() {
        for (at, byte) in [(719, 129), (5, 2), (7, 0), (108, 5)] {
            let mut bytes = thumbs();
            bytes[at] = byte;
            let said = refused(bytes);
            assert!(
                said.contains(": is not a Parquet file that can be read: "),
                "{said}"
            );
            assert!(said.ends_with("it is damaged"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn damage_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut bytes = thumbs();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let file = file(bytes);
            let read = [read_binary(file.path()).err(), read_sft(file.path()).err()];
            for error in read.into_iter().flatten() {
                prop_assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
    }
}

fn oasst(replies: &str) -> String {
    format!(
        r#"{{"message_id": "1", "text": "Hi", "role": "prompter", "lang": "en", "replies": [{replies}]}}"#
    )
}

fn answer(text: &str, more: &str) -> String {
    format!(r#"{{"text": "{text}", "role": "assistant", "lang": "en"{more}}}"#)
}

/// A pair, so that rows with nothing of use can be read beside it.
fn ranked() -> String {
    oasst(&format!(
        "{}, {}",
        answer("best", r#", "rank": 0.0"#),
        answer("worse", r#", "rank": 1"#)
    ))
}

#[test]
fn no_message_of_a_tree_vanishes() {
    let follow_up = |more: &str| {
        format!(
            r#"{{"text": "Why?", "role": "prompter", "lang": "en", "replies": [{}]}}"#,
            answer("So.", more)
        )
    };
    let deleted = answer(
        "gone",
        &format!(r#", "deleted": true, "replies": [{}]"#, follow_up("")),
    );
    let spanish = deleted
        .replace("true", "null")
        .replacen("\"en\"", "\"es\"", 1);
    let unranked = format!("{}, {}", answer("a", ""), answer("b", ""));
    let tree_without = r#"{"message_tree_id": "t", "prompt": {"text": "Hi", "role": "prompter"}}"#;
    let (no_answer, follows) = (
        "prompt without an answer",
        "follows a message that was left out",
    );
    let no_rank = "answer has no rank among its siblings";
    let (gone, foreign) = ("message is deleted", "message is in another language");
    for (row, language, dropped, left_out) in [
        (oasst(""), None, vec![], vec![(no_answer, 1)]),
        (tree_without.into(), None, vec![], vec![(no_answer, 1)]),
        // Nobody answered the first of two turns.
        (
            oasst(&follow_up("")),
            None,
            vec![],
            vec![(no_answer, 1), ("the only answer to its prompt", 1)],
        ),
        (
            oasst(&deleted),
            None,
            vec![(follows, 2), (gone, 1)],
            vec![(no_answer, 1)],
        ),
        (
            oasst(&spanish),
            Some("en"),
            vec![],
            vec![(follows, 2), (foreign, 1), (no_answer, 1)],
        ),
        (oasst(&unranked), None, vec![(no_rank, 2)], vec![]),
    ] {
        let file = file(format!("{row}\n{}", ranked()));
        let mut reader = Reader::new();
        if let Some(language) = language {
            reader = reader.with_language(language);
        }
        let loaded = reader.preferences(file.path()).unwrap();
        assert_eq!(loaded.examples.len(), 1);
        let found = loaded.report.dropped.iter();
        let found: Vec<_> = found.map(|(why, n)| (why.as_str(), *n)).collect();
        assert_eq!(found, dropped, "{row}");
        let found = loaded.report.left_out.iter();
        let found: Vec<_> = found.map(|(why, n)| (why.as_str(), *n)).collect();
        assert_eq!(found, left_out, "{row}");
    }
}

#[test]
fn odd_messages_of_trees_are_refused() {
    for (row, expected) in [
        (
            oasst(&answer("a", r#", "deleted": "no""#)),
            "\"deleted\" must be true, false or null, got \"no\"",
        ),
        (
            oasst(&answer("a", r#", "review_result": 0"#)),
            "\"review_result\" must be true, false or null, got 0",
        ),
        (
            oasst(&answer("a", r#", "rank": 0.5"#)),
            "\"rank\" must be 0, 1, …, got 0.5",
        ),
        (
            oasst(&answer("a", r#", "deleted": true, "replies": 3"#)),
            "\"replies\" must be a list, got 3",
        ),
    ] {
        let said = refused(row);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn ratings_are_numbers_or_not_applicable() {
    let row = |rating: &str| {
        let good = r#"{"response": "b", "annotations": {"honesty": {"Rating": "4"}}}"#;
        format!(
            r#"{{"instruction": "a", "completions": [{good}, {{"response": "c", "annotations": {{"honesty": {{"Rating": {rating}}}}}}}]}}"#
        )
    };
    for (rating, of_use) in [("3", 2), ("\" 3.5\"", 2), ("null", 1), ("\"N/A\"", 1)] {
        let loaded = read_scored(file(row(rating)).path()).unwrap();
        assert_eq!(loaded.examples.len(), of_use, "{rating}");
    }
    for rating in ["\"good\"", "\"NaN\"", "true", "[4]", "\"\""] {
        let said = read_scored(file(row(rating)).path()).unwrap_err();
        let expected = format!(":1: \"Rating\" must be a number or \"N/A\", got {rating}");
        assert!(said.to_string().ends_with(&expected), "{said}");
    }
    let none = r#"{"instruction": "a", "completions": []}"#;
    let loaded = read_scored(file(format!("{none}\n{}", row("3"))).path()).unwrap();
    assert_eq!(loaded.report.dropped[&DropReason::NoCompletions], 1);
}

#[test]
fn a_turn_of_a_transcript_may_be_empty() {
    let row = r#"{"chosen": "\n\nHuman: a\n\nAssistant:\n\nHuman: b\n\nAssistant: c", "rejected": "\n\nHuman: a\n\nAssistant:\n\nHuman: b\n\nAssistant:"}"#;
    let loaded = read_preferences(
        file(format!(
            "{row}\n{}",
            row.replacen("Assistant:\"}", "Assistant: d\"}", 1)
        ))
        .path(),
    )
    .unwrap();
    assert_eq!(loaded.report.dropped[&DropReason::EmptyCompletion], 1);
    assert_eq!(loaded.examples[0].rejected, "d");
    let Prompt::Messages(turns) = &loaded.examples[0].prompt else {
        panic!()
    };
    assert_eq!((turns.len(), &turns[1].content[..]), (3, ""));
}
