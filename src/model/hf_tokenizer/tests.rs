//! Tests on tokenizers small enough to follow by hand.

use super::*;

const JSON: &str = r#"{"version": "1.0", "added_tokens": [
    {"id": 3, "content": "<s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false},
    {"id": 4, "content": "</s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "!": 2}, "merges": []}}"#;

#[test]
fn special_tokens_come_from_the_first_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let special = || {
        let tokenizer = HfTokenizer::from_folder(folder.path()).unwrap();
        let stop_tokens = tokenizer.stop_tokens().to_vec();
        (
            tokenizer.bos(),
            tokenizer.eos(),
            tokenizer.pad(),
            stop_tokens,
        )
    };
    let error = || {
        HfTokenizer::from_folder(folder.path())
            .unwrap_err()
            .to_string()
    };
    assert!(error().starts_with("cannot read"));
    write(
        "tokenizer.json",
        "version https://git-lfs.github.com/spec/v1",
    );
    assert!(error().contains("Git LFS pointer"));
    write("tokenizer.json", "\n");
    assert!(error().ends_with("tokenizer.json: is empty"));
    write("tokenizer.json", "{}");
    assert!(error().contains("is not a tokenizer"));
    write("tokenizer.json", JSON);
    assert!(error().contains("names no end of sequence"));

    write("generation_config.json", r#"{"eos_token_id": [4, 2]}"#);
    assert_eq!(special(), (None, 4, 4, vec![4, 2]));
    write("config.json", r#"{"bos_token_id": 3, "eos_token_id": 2}"#);
    assert_eq!(special(), (Some(3), 2, 2, vec![2, 4]));
    // The tokenizer itself puts nothing first, and nothing says that it should.
    write(
        "tokenizer_config.json",
        r#"{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": "!"}"#,
    );
    assert_eq!(special(), (None, 4, 2, vec![4, 2]));
    write(
        "tokenizer_config.json",
        r#"{"bos_token": "<s>", "add_bos_token": true}"#,
    );
    assert_eq!(special(), (Some(3), 2, 2, vec![2, 4]));
}

/// A tokenizer of letters and punctuation, each a token, with these parts of a `tokenizer.json`.
fn letters(added: &str, rest: &str) -> HfTokenizer {
    let letters = (32_u8..127)
        .enumerate()
        .map(|(id, byte)| format!("{}: {id}", serde_json::json!(char::from(byte).to_string())))
        .collect::<Vec<_>>();
    let json = format!(
        r#"{{"version": "1.0", "added_tokens": [{added}], {rest} "model": {{"type": "BPE", "vocab": {{{}}}, "merges": []}}}}"#,
        letters.join(", ")
    );
    HfTokenizer::from_bytes(json, 0).unwrap()
}

fn added(id: u32, content: &str, special: bool, normalized: bool) -> String {
    format!(
        r#"{{"id": {id}, "content": "{content}", "special": {special}, "single_word": false, "lstrip": false, "rstrip": false, "normalized": {normalized}}}"#
    )
}

#[test]
fn texts_are_blind_to_all_added_tokens_but_white_space() {
    let tokens = [
        added(95, "<s>", true, false),
        added(96, "<end>", false, false),
        added(97, "  ", false, true),
    ];
    let tokenizer = letters(&tokens.join(", "), "");
    let text = "a<s>  <end>";
    let ids = |text: &str| text.bytes().map(|b| u32::from(b) - 32).collect::<Vec<_>>();
    assert_eq!(tokenizer.encode(text).unwrap(), [65, 95, 97, 96]);
    let blind = [ids("a<s>"), vec![97], ids("<end>")].concat();
    assert_eq!(tokenizer.encode_text(text).unwrap(), blind);
    assert_eq!(tokenizer.special_tokens(), ["<s>"]);
    let mut all = tokenizer.added_tokens();
    all.sort();
    assert_eq!(all, ["  ", "<end>", "<s>"]);
}

#[test]
fn tokens_that_other_spellings_become_are_told_and_their_texts_are_blind_to_them() {
    let tokens = [
        added(95, "<s>", true, true),
        added(96, "</s>", true, false),
        added(97, "<end>", false, true),
    ];
    let folding = |normalizer: &str| {
        let normalizer = format!("\"normalizer\": {normalizer},");
        letters(&tokens.join(", "), &normalizer)
    };
    let folded = |normalizer: &str| {
        let mut folded = folding(normalizer).folded_tokens();
        folded.sort();
        folded
    };
    let both = ["<end>", "<s>"];
    assert_eq!(folded(r#"{"type": "NFKC"}"#), both);
    assert_eq!(
        folded(
            r#"{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Lowercase"}]}"#
        ),
        both
    );
    let replace = |content: &str| {
        folded(&format!(
            r#"{{"type": "Sequence", "normalizers": [{{"type": "Prepend", "prepend": "▁"}}, {{"type": "Replace", "pattern": {{"String": " "}}, "content": "{content}"}}]}}"#
        ))
    };
    assert!(replace("▁").is_empty(), "as Llama 2 has it");
    assert_eq!(replace(""), both);
    assert_eq!(replace("d"), ["<end>"]);
    assert!(folded("null").is_empty());

    let tokenizer = folding(r#"{"type": "Lowercase"}"#);
    assert_eq!(tokenizer.encode("<S><END>").unwrap(), [95, 97]);
    let ids: Vec<u32> = "<s><end>".bytes().map(|b| u32::from(b) - 32).collect();
    assert_eq!(tokenizer.encode_text("<S><END>").unwrap(), ids);
    let tokenizer = folding(r#"{"type": "NFKC"}"#);
    assert_eq!(tokenizer.encode("＜ｓ＞").unwrap(), [95]);
    assert_eq!(tokenizer.encode_text("＜ｓ＞").unwrap(), ids[..3]);
}

#[test]
fn a_model_that_has_special_tokens_among_its_own_does_not_find_them_in_texts() {
    let json = format!(
        r#"{{"version": "1.0", "added_tokens": [{}, {}], "normalizer": {{"type": "Lowercase"}}, "model": {{"type": "Unigram", "unk_id": 0,
            "vocab": [["<unk>", 0], ["</s>", 0], ["<", -9], ["/", -9], ["s", -9], [">", -9], ["a", -9]]}}}}"#,
        added(0, "<unk>", true, false),
        added(1, "</s>", true, true),
    );
    let tokenizer = HfTokenizer::from_bytes(json, 1).unwrap();
    assert_eq!(tokenizer.encode("a</S>").unwrap(), [6, 1]);
    let text = [2, 3, 4, 5];
    assert_eq!(tokenizer.encode_text("</S>").unwrap(), text);
    let twice = [&[6][..], &text, &text, &[6, 0]].concat();
    assert_eq!(tokenizer.encode_text("a</s></S>aéé").unwrap(), twice);
}

#[test]
fn a_bare_tokenizer_takes_its_special_tokens_from_the_caller() {
    let tokenizer = HfTokenizer::from_bytes(JSON, 4)
        .unwrap()
        .with_bos(3)
        .with_pad(0);
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.pad()),
        (Some(3), 4, 0)
    );
    assert_eq!(tokenizer.encode("ab").unwrap(), [0, 1]);
    assert_eq!(tokenizer.decode(&[3, 0, 4]).unwrap(), "a");
    let error = HfTokenizer::from_bytes(JSON, 9).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot tokenize: the tokenizer has no id 9 to end a sequence with"
    );
    let error = HfTokenizer::from_file("nowhere/tokenizer.json", 4).unwrap_err();
    assert!(error.to_string().starts_with("cannot read nowhere"));
}
