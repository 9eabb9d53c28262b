//! Files as people have them, good and bad.

#[cfg(all(feature = "cache", feature = "tokenizers"))]
mod cache;
mod context;
mod formats;
mod fuzz;
#[cfg(feature = "tokenizers")]
mod hostile;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "tokenizers")]
mod jinja;
#[cfg(feature = "hub")]
#[path = "../common/hub.rs"]
mod loopback;
mod real_files;
mod real_rows;
mod rows;
mod sampling;
mod sources;
mod stream;
#[cfg(feature = "tokenizers")]
mod templates;

use burn_kto::prelude::*;
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

pub(crate) fn file(content: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file.flush().unwrap();
    file
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    // Stored, not compressed: a gzip stream by hand is 20 bytes around the content.
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let length = u16::try_from(content.len()).unwrap();
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(content);
    let mut crc = !0_u32;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    bytes.extend((!crc).to_le_bytes());
    bytes.extend(u32::from(length).to_le_bytes());
    bytes
}

pub(crate) fn user(text: &str) -> Prompt {
    Prompt::from(vec![Message::new("user", text)])
}

const ROWS: &str = r#"{"prompt": "2 + 2 =", "completion": " 4", "label": true}
{"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Hello!"}], "label": 0}
{"messages": [{"content": "Hi", "role": "human"}, {"content": "What?", "role": "gpt"}], "label": false, "extra": null}
"#;

fn expected() -> Vec<BinaryExample> {
    vec![
        BinaryExample::new("2 + 2 =", " 4", true),
        BinaryExample::new(user("Hi"), "Hello!", false),
        BinaryExample::new(user("Hi"), "What?", false),
    ]
}

#[test]
fn json_lines_arrays_and_gzip_read_the_same() {
    let array = format!("[{}]", ROWS.trim().replace('\n', ","));
    let windows = ROWS.replace('\n', "\r\n\r\n");
    let marked = format!("\u{feff}\n\n{ROWS}");
    let packed = gzip(ROWS.as_bytes());
    let mut contents = vec![
        ROWS.as_bytes(),
        array.as_bytes(),
        windows.as_bytes(),
        marked.as_bytes(),
    ];
    if cfg!(feature = "gzip") {
        contents.push(&packed);
    } else {
        let error = read_binary(file(&packed).path()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("build burn-kto with feature `gzip`")
        );
    }
    for content in contents {
        let loaded = read_binary(file(content).path()).unwrap();
        assert_eq!(loaded.examples, expected());
        assert_eq!((loaded.report.desirable, loaded.report.undesirable), (1, 2));
    }
}

#[test]
fn pairs_are_read_in_all_their_forms() {
    let rows = [
        r#"{"prompt": "Hi", "chosen": "Hello!", "rejected": "What?"}"#,
        r#"{"prompt": [{"role": "user", "content": "Hi"}], "chosen": [{"role": "assistant", "content": "Hello!"}], "rejected": [{"role": "assistant", "content": "What?"}]}"#,
        r#"{"chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "What?"}]}"#,
        r#"{"prompt": "Hi", "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "What?"}]}"#,
        r#"{"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: What?"}"#,
        r#"{"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Hello!"}, "rejected": {"from": "gpt", "value": "What?"}}"#,
    ];
    for (i, row) in rows.iter().enumerate() {
        let loaded = read_preferences(file(row).path()).unwrap();
        let prompt = if i == 0 {
            Prompt::from("Hi")
        } else {
            user("Hi")
        };
        assert_eq!(
            loaded.examples,
            [PreferenceExample::new(prompt, "Hello!", "What?")]
        );
        let binary = read_binary(file(row).path()).unwrap();
        assert_eq!(
            (
                binary.report.rows,
                binary.report.examples,
                binary.report.desirable
            ),
            (1, 2, 1)
        );
        let sft = read_sft(file(row).path()).unwrap();
        assert_eq!(sft.examples[0].completion, "Hello!");
    }
}

#[test]
fn demonstrations_come_from_any_file() {
    let loaded = read_sft(file(ROWS).path()).unwrap();
    assert_eq!(loaded.examples, [SftExample::new("2 + 2 =", " 4")]);
    assert_eq!(loaded.report.left_out[&LeftOutReason::Undesirable], 2);
    let plain = r#"{"prompt": "a", "completion": "b"}"#;
    assert_eq!(read_sft(file(plain).path()).unwrap().examples.len(), 1);
}

#[test]
fn useless_rows_are_dropped_and_counted() {
    let rows = r#"{"chosen": "\n\nHuman: Hi\n\nAssistant: ", "rejected": "\n\nHuman: Hi\n\nAssistant: What?"}
{"chosen": "\n\nHuman: Hi\n\nAssistant: a", "rejected": "\n\nHuman: Ho\n\nAssistant: b"}
{"chosen": "\n\nHuman: Hi\n\nAssistant: a", "rejected": "\n\nHuman: Hi\n\nAssistant: b"}"#;
    let loaded = read_preferences(file(rows).path()).unwrap();
    assert_eq!(loaded.examples.len(), 1);
    assert_eq!(
        loaded.report.to_string(),
        "read 3 rows (hh), 1 examples; dropped 1: completion is empty; dropped 1: prompts of chosen and rejected differ"
    );
    let none = read_preferences(file(rows.lines().next().unwrap()).path());
    assert!(none.unwrap_err().to_string().contains("no row is of use"));
}

/// Every message names the file and the line, and says what was got.
#[test]
fn bad_rows_are_errors_with_their_line() {
    let good = r#"{"prompt": "a", "completion": "b", "label": true}"#;
    let cases = [
        (
            r#"{"prompt": "a", "completion": "b", "label": "yes"}"#,
            r#"2: "label" must be true or false, got "yes""#,
        ),
        (
            r#"{"prompt": "a", "completion": "b", "label": 2}"#,
            r#"2: "label" must be true or false, got 2"#,
        ),
        (
            r#"{"prompt": "a", "completion": "b"}"#,
            "2: \"label\" is missing",
        ),
        (
            r#"{"prompt": "a", "completion": "b", "label": true, "weight": -1}"#,
            "2: \"weight\" must be a finite number that is not negative, got -1",
        ),
        (
            r#"{"prompt": "a", "completion": "b", "label": true, "weight": "NaN"}"#,
            "2: \"weight\" must be a finite number",
        ),
        (
            r#"{"prompt": "a", "chosen": "b", "rejected": "c", "weight": 2}"#,
            "2: \"weight\" is for rows with a label, pairs have none, got 2",
        ),
        (
            r#"{"prompt": "a", "completion": "b", "score": "good"}"#,
            "2: \"score\" must be a number, got \"good\"",
        ),
        (
            r#"{"prompt": "a", "completion": "b", "score": 5}"#,
            "rows with a \"score\" are for read_scored",
        ),
        (
            r#"{"prompt": "a", "completion": "b", "label": true, "chosen": "c", "rejected": "d"}"#,
            "2: is both a pair",
        ),
        (
            r#"{"completion": "b", "label": true}"#,
            "2: \"prompt\" is missing; found completion, label",
        ),
        (r#"{"words": "b"}"#, "2: columns must be"),
        (r#"{}"#, "found none"),
        (
            r#"{"prompt": 3, "completion": "b", "label": true}"#,
            "2: \"prompt\" must be a text or a list of messages, got 3",
        ),
        (
            r#"{"messages": [{"role": "user"}], "label": true}"#,
            "must have a role and a text as content",
        ),
        (
            r#"{"chosen": "a", "rejected": "b"}"#,
            "a transcript must begin with",
        ),
        (
            r#"{"chosen": "a", "rejected": ["b"]}"#,
            "must both be transcripts or both lists",
        ),
        ("[1]", "2: a row must be an object, got [1]"),
        ("{\"prompt\": \"a\", ", "2: is not valid JSON"),
        ("{\"prompt\": \"a\u{0}\"}", "2: is not valid JSON"),
        ("yes", "2: is not valid JSON"),
    ];
    for (row, expected) in cases {
        let file = file(format!("{good}\n{row}\n"));
        let error = read_binary(file.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{row}: {error}");
        assert!(
            error.starts_with(&format!("{}:2: ", file.path().display())),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }
    let mut bytes = format!("{good}\n").into_bytes();
    bytes.extend(b"{\"prompt\": \"\xff\"}");
    let error = read_binary(file(bytes).path()).unwrap_err().to_string();
    assert!(
        error.contains("2: is not valid UTF-8 from byte 13 on"),
        "{error}"
    );
    let error = read_binary(file("[{}, 3]").path()).unwrap_err().to_string();
    assert!(error.contains(": row 1: columns must be"), "{error}");
    let error = read_binary(file(format!("\n[{good},\n{{]")).path())
        .unwrap_err()
        .to_string();
    assert!(error.contains(":3: is not valid JSON"), "{error}");
}

#[test]
fn bad_files_are_one_clear_line() {
    let error = |path: &Path| {
        let error = read_binary(path).unwrap_err().to_string();
        assert!(!error.contains('\n'));
        error
    };
    assert!(
        error(Path::new("nowhere.jsonl")).starts_with("cannot read nowhere.jsonl: No such file")
    );
    let folder = tempfile::tempdir().unwrap();
    assert!(error(folder.path()).contains("is a folder without a data file"));
    assert!(error(file("").path()).ends_with("is empty"));
    assert!(error(file(" \n\n").path()).ends_with("is empty"));
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert!(error(file(pointer).path()).contains("Git LFS pointer"));
    if !cfg!(feature = "gzip") {
        return;
    }
    let mut cut = gzip(ROWS.as_bytes());
    cut.truncate(cut.len() / 2);
    assert!(error(file(&cut).path()).starts_with("cannot read "));
    assert!(error(file([0x1f, 0x8b, 0, 0]).path()).starts_with("cannot read "));
}

#[test]
fn a_very_long_line_is_just_a_line() {
    let row = format!(
        r#"{{"prompt": "{}", "completion": "b", "label": true}}"#,
        "a".repeat(10_000_000)
    );
    assert_eq!(read_binary(file(row).path()).unwrap().examples.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let file = file(&bytes);
        let _ = read_binary(file.path());
        let _ = read_preferences(file.path());
        let _ = read_sft(file.path());
    }

    #[test]
    fn mangled_rows_never_panic(at in 0..ROWS.len(), byte in any::<u8>(), zip in any::<bool>()) {
        let mut bytes = ROWS.as_bytes().to_vec();
        bytes[at] = byte;
        let mut bytes = if zip { gzip(&bytes) } else { bytes };
        if zip {
            let at = at % bytes.len();
            bytes[at] ^= byte;
        }
        let _ = read_binary(file(&bytes).path());
    }
}

pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/datasets");
    let path = Path::new(folder).join(name);
    if fs::exists(&path).unwrap_or(false) {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

#[cfg(feature = "gzip")]
#[test]
fn anthropic_hh_has_its_known_rows() {
    let Some(path) = shared("hh_harmless_base_test.jsonl.gz") else {
        return;
    };
    let loaded = read_preferences(path).unwrap();
    assert_eq!(loaded.report.rows, 2312);
    assert_eq!(loaded.report.dropped[&DropReason::EmptyCompletion], 4);
    assert_eq!(loaded.report.dropped[&DropReason::PromptsDiffer], 5);
    assert_eq!(loaded.examples.len(), 2303);
    // Four and five rows before these are dropped; the assistant speaks twice in a row.
    let roles = |row: usize| match &loaded.examples[row].prompt {
        Prompt::Messages(messages) => messages.iter().map(|m| m.role.clone()).collect(),
        Prompt::Text(_) => Vec::new(),
    };
    for row in [667 - 2, 763 - 2] {
        let (mut roles, twice) = (roles(row), ["assistant", "assistant"]);
        roles.push("assistant".into());
        assert!(
            roles.windows(2).any(|pair| pair == twice),
            "row {row}: {roles:?}"
        );
    }
}

#[test]
fn the_demos_have_their_known_rows() {
    if let Some(path) = shared("llamafactory_kto_en_demo.json") {
        let loaded = read_binary(path).unwrap();
        assert_eq!(
            (loaded.report.desirable, loaded.report.undesirable),
            (150, 150)
        );
    }
    if let Some(path) = shared("llamafactory_dpo_en_demo.json") {
        assert_eq!(read_preferences(path).unwrap().examples.len(), 300);
    }
}

#[test]
fn windows_hold_each_row_once_and_pairs_behind_other_prompts() {
    use rand::SeedableRng;
    let row = |prompt: u32, completion: u32| {
        let up = completion.is_multiple_of(2);
        TokenizedBinary::new(vec![prompt], vec![completion, 9], up)
    };
    let dataset: Vec<_> = (0..10).map(|i| row(i / 2, 10 + i)).collect();
    let device = burn::tensor::Device::flex();
    let batcher = BinaryBatcher::new(0, 64);
    for seed in 0..20 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let window = batcher
            .window(&dataset, &[0, 1, 4, 5, 8], 2, &mut rng, &device)
            .unwrap();
        let rows: Vec<usize> = window.iter().map(|b| b.completions.dims()[0]).collect();
        assert_eq!(rows, [2, 2, 1]);
        let mut completions = Vec::new();
        for batch in &window {
            let own: Vec<i64> = batch.completions.tokens.to_data().iter().collect();
            let pairs: Vec<i64> = batch.mismatched.tokens.to_data().iter().collect();
            for (own, pair) in own.chunks(3).zip(pairs.chunks(3)) {
                assert_eq!(own[0], pair[0], "the prompt stays");
                assert_ne!(
                    (pair[1] - 10) / 2,
                    pair[0],
                    "the completion is another prompt's"
                );
                completions.push(pair[1]);
            }
        }
        completions.sort_unstable();
        assert_eq!(
            completions,
            [10, 11, 14, 15, 18],
            "the same completions as the step"
        );
    }
}

#[test]
fn a_pair_longer_than_the_model_is_cut_and_keeps_its_end() {
    let row = |prompt: &[u32], completion: &[u32]| {
        TokenizedBinary::new(prompt.to_vec(), completion.to_vec(), true)
    };
    let rows = [row(&[1, 2, 3, 4], &[5, 9]), row(&[6], &[7, 7, 7, 7, 9])];
    let batch = BinaryBatcher::new(0, 6)
        .batch(&rows, 1, &burn::tensor::Device::flex())
        .unwrap();
    assert_eq!(batch.completions.dims(), [2, 6]);
    let pairs: Vec<i64> = batch.mismatched.tokens.into_data().iter().collect();
    assert_eq!(pairs, [1, 2, 3, 4, 7, 9, 6, 5, 9, 0, 0, 0]);
}

#[test]
fn scores_and_weights_are_read_and_wrong_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scored.jsonl");
    let rows = r#"{"prompt": "a", "completion": "b", "score": 4.5}
{"prompt": "a", "completion": "c", "score": -1}
"#;
    std::fs::write(&path, rows).unwrap();
    let scored = read_scored(&path).unwrap().examples;
    assert_eq!(
        scored,
        [
            ScoredExample::new("a", "b", 4.5),
            ScoredExample::new("a", "c", -1.0)
        ]
    );
    assert_eq!(
        read_sft(&path).unwrap().examples.len(),
        2,
        "demonstrations need no score"
    );
    let row = r#"{"prompt": "a", "completion": "b", "label": true, "weight": 0.5}"#;
    std::fs::write(&path, row).unwrap();
    assert_eq!(read_binary(&path).unwrap().examples[0].weight, 0.5);
    let error = read_scored(&path).unwrap_err().to_string();
    assert!(error.contains("has a \"label\""), "{error}");
    let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 8);
    for weight in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        let example = BinaryExample::new("a", "b", true).with_weight(weight);
        let error = encoder.encode_binary(&[example]).unwrap_err().to_string();
        assert!(
            error.starts_with("example 0: its weight must be finite"),
            "{error}"
        );
    }
}
