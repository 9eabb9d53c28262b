//! Tokenizers of folders: special tokens wherever they are named, and files that would harm.

use super::{device, tiny};
use burn_kto::prelude::*;
use serde_json::{Value, json};
use std::fs;

/// Ids 0 to 94 are the printable characters, 95 `<s>`, 96 `</s>`, and 97 `<|end|>`, which is not
/// special.
fn tokenizer() -> Value {
    let letters = (32_u8..127).map(|byte| (char::from(byte).to_string(), json!(byte - 32)));
    let vocab: serde_json::Map<String, Value> = letters.collect();
    let added = |id: u32, content: &str, special: bool| {
        json!({"id": id, "content": content, "special": special, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false})
    };
    json!({
        "version": "1.0",
        "added_tokens": [added(95, "<s>", true), added(96, "</s>", true), added(97, "<|end|>", false)],
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    })
}

/// A folder of a model of so many rows, with these files beside it.
pub(super) fn folder(rows: usize, files: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny("llama");
    config.vocab_size = rows;
    config.init(1, &device()).save(folder.path()).unwrap();
    let write =
        |name: &str, value: &Value| fs::write(folder.path().join(name), value.to_string()).unwrap();
    write("tokenizer.json", &tokenizer());
    files.iter().for_each(|(name, value)| write(name, value));
    folder
}

fn open(rows: usize, files: &[(&str, Value)]) -> Result<HfTokenizer, String> {
    let opened = ModelFolder::open(folder(rows, files).path());
    opened
        .map(|folder| folder.tokenizer)
        .map_err(|error| error.to_string())
}

fn error(rows: usize, files: &[(&str, Value)], what: &str) {
    let error = open(rows, files)
        .err()
        .unwrap_or_else(|| panic!("opened; wanted: {what}"));
    assert!(
        error.contains(what) && !error.contains('\n'),
        "wanted {what}: {error}"
    );
}

const SETTINGS: &str = "tokenizer_config.json";

pub(super) fn settings(value: Value) -> (&'static str, Value) {
    (SETTINGS, value)
}

#[test]
fn ids_beyond_the_model_are_refused_whatever_their_count() {
    let end = || settings(json!({"eos_token": "</s>"}));
    assert_eq!(open(98, &[end()]).unwrap().vocab_size(), 98);
    error(97, &[end()], "the tokenizer has 98 ids, the model 97");
    // Gaps: few tokens, one of which has a high id.
    let mut gaps = tokenizer();
    let vocab = gaps["model"]["vocab"].as_object_mut().unwrap();
    vocab.insert("<zebra>".into(), json!(900));
    error(
        98,
        &[("tokenizer.json", gaps.clone()), end()],
        "the tokenizer has 901 ids, the model 98",
    );
    assert_eq!(
        open(901, &[("tokenizer.json", gaps), end()])
            .unwrap()
            .vocab_size(),
        901
    );
    // The library counts on from the number of tokens, which is an id that is taken here.
    let mut taken = tokenizer();
    let vocab = taken["model"]["vocab"].as_object_mut().unwrap();
    vocab.shift_remove("y");
    let what = "tokens \"~\" and \"<s>\" would both have id 94";
    error(98, &[("tokenizer.json", taken), end()], what);
    // Two tokens of one id are one id.
    let mut twice = tokenizer();
    twice["model"]["vocab"]["aa"] = json!(5);
    twice["model"]["vocab"]["bb"] = json!(5);
    twice["added_tokens"] = json!([]);
    let plain = settings(json!({"eos_token": "!"}));
    assert_eq!(
        open(95, &[("tokenizer.json", twice), plain])
            .unwrap()
            .vocab_size(),
        95
    );
    // Padding may be one more.
    let mut pad = tokenizer();
    let mut token = pad["added_tokens"][1].clone();
    (token["id"], token["content"]) = (json!(98), json!("<pad>"));
    pad["added_tokens"].as_array_mut().unwrap().push(token);
    let named = settings(json!({"eos_token": "</s>", "pad_token": "<pad>"}));
    assert_eq!(
        open(98, &[("tokenizer.json", pad.clone()), named.clone()])
            .unwrap()
            .pad(),
        98
    );
    error(
        97,
        &[("tokenizer.json", pad), named],
        "padding is id 98, and the model has 97",
    );
}

#[test]
fn special_tokens_are_known_from_each_file_that_names_them() {
    let decoder =
        |id: &str, special: bool| json!({id: {"content": "<|turn|>", "special": special}});
    // As transformers does it, it gets the next id; another one cannot be meant.
    let turn = json!({"eos_token": "<|turn|>", "added_tokens_decoder": decoder("98", true)});
    let tokenizer = open(99, &[settings(turn.clone())]).unwrap();
    assert_eq!((tokenizer.eos(), tokenizer.vocab_size()), (98, 99));
    assert_eq!(tokenizer.encode("a<|turn|>").unwrap(), [65, 98]);
    assert_eq!(tokenizer.decode(&[65, 98]).unwrap(), "a");
    error(
        98,
        &[settings(turn)],
        "a sequence begins or ends with id 98, and the model has 98",
    );
    let elsewhere = json!({"eos_token": "<|turn|>", "added_tokens_decoder": decoder("60", true)});
    error(
        120,
        &[settings(elsewhere)],
        "\"<|turn|>\" is said to be id 60, but tokenizer.json does not have it, and the next free id is 98",
    );
    // Not special: a token all the same.
    let plain = json!({"eos_token": "</s>", "added_tokens_decoder": decoder("98", false)});
    let tokenizer = open(99, &[settings(plain)]).unwrap();
    assert_eq!(tokenizer.encode("<|turn|>").unwrap(), [98]);
    assert!(!tokenizer.special_tokens().contains(&"<|turn|>".to_string()));

    let map = |token: &str| {
        (
            "special_tokens_map.json",
            json!({"eos_token": {"content": token}}),
        )
    };
    let added = |id: u32| ("added_tokens.json", json!({"<|turn|>": id}));
    let tokenizer = open(99, &[map("<|turn|>"), added(98)]).unwrap();
    assert_eq!(tokenizer.eos(), 98);
    assert!(tokenizer.special_tokens().contains(&"<|turn|>".to_string()));
    error(120, &[map("<|turn|>"), added(110)], "said to be id 110");
    // Without `added_tokens_decoder` the map comes first, with it the settings.
    let old = settings(json!({"eos_token": "</s>"}));
    assert_eq!(open(98, &[old, map("<|end|>")]).unwrap().eos(), 97);
    let new = settings(json!({"eos_token": "</s>", "added_tokens_decoder": {}}));
    assert_eq!(open(98, &[new, map("<|end|>")]).unwrap().eos(), 96);
    let none = settings(json!({"eos_token": null, "added_tokens_decoder": {}}));
    assert_eq!(open(98, &[none, map("<|end|>")]).unwrap().eos(), 97);
    let ids = ("generation_config.json", json!({"eos_token_id": [96, 97]}));
    assert_eq!(open(98, &[ids]).unwrap().stop_tokens(), [96, 97]);
    // What has a role is special.
    let role = settings(json!({"eos_token": "<|end|>"}));
    let _ = open(98, &[role]).unwrap();
    let bare = settings(json!({"eos_token": "!"}));
    assert!(
        open(98, &[bare])
            .unwrap()
            .special_tokens()
            .contains(&"!".to_string())
    );
}

/// A model of as many rows as tokens, whose files still name something to pad with.
#[test]
fn padding_beyond_the_model_is_the_end_of_a_sequence() {
    let end = |more: Value| {
        let mut all = json!({"eos_token": "</s>"});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        settings(all)
    };
    let map = |more: Value| ("special_tokens_map.json", more);
    let added = |more: Value| ("added_tokens.json", more);
    let generation = |more: Value| ("generation_config.json", more);
    let decoder = json!({"98": {"content": "<pad>", "special": true}});
    for files in [
        vec![end(json!({})), generation(json!({"pad_token_id": 98}))],
        vec![
            end(json!({})),
            generation(json!({"pad_token_id": 4_000_000_000_u32})),
        ],
        vec![end(json!({"pad_token": "[PAD]"}))],
        vec![
            end(json!({})),
            map(json!({"pad_token": {"content": "[PAD]"}})),
        ],
        vec![end(json!({})), added(json!({"<pad>": 98}))],
        vec![
            end(json!({"pad_token": "<pad>"})),
            added(json!({"<pad>": 98})),
        ],
        vec![
            end(json!({})),
            map(json!({"pad_token": "<fill>"})),
            added(json!({"<fill>": 98})),
        ],
        vec![end(
            json!({"pad_token": "<pad>", "added_tokens_decoder": decoder}),
        )],
    ] {
        let tokenizer = open(98, &files).unwrap_or_else(|error| panic!("{files:?}: {error}"));
        assert_eq!(
            (tokenizer.pad(), tokenizer.vocab_size()),
            (96, 98),
            "{files:?}"
        );
        // No text leads out of the model.
        for text in ["<pad>", "[PAD]", "<fill>"] {
            let ids = tokenizer.encode(text).unwrap();
            assert!(ids.iter().all(|id| *id < 98), "{files:?}: {ids:?}");
        }
    }
    // Where the model has the row it is the id that it is said to be.
    let files = [
        end(json!({"pad_token": "<pad>"})),
        added(json!({"<pad>": 98})),
    ];
    assert_eq!(open(99, &files).unwrap().pad(), 98);
    let id = [end(json!({})), generation(json!({"pad_token_id": 98}))];
    assert_eq!(open(99, &id).unwrap().pad(), 98);
    // What is, or may be, more than padding is missed.
    let no_token = "which is no token of tokenizer.json";
    error(
        98,
        &[end(json!({"pad_token": "[PAD]", "unk_token": "[PAD]"}))],
        no_token,
    );
    error(98, &[end(json!({"unk_token": "<unk>"}))], no_token);
    let beyond = "the tokenizer has 99 ids, the model 98";
    error(
        98,
        &[end(json!({})), added(json!({"<|turn|>": 98}))],
        beyond,
    );
    let both = json!({"pad_token": "<pad>", "additional_special_tokens": ["<pad>"]});
    error(
        97,
        &[end(both), added(json!({"<pad>": 98}))],
        "the model has 97",
    );
}

#[test]
fn tokens_that_are_named_and_not_known_are_refused() {
    for role in ["eos", "bos", "pad", "unk", "sep", "cls", "mask"] {
        let mut all = json!({"eos_token": "</s>"});
        all[format!("{role}_token")] = json!("<|edn|>");
        // Rows for it would be there.
        error(
            200,
            &[settings(all)],
            &format!("{role}_token is \"<|edn|>\", which is no token of tokenizer.json"),
        );
    }
    for (files, what) in [
        (
            vec![settings(
                json!({"eos_token": "</s>", "additional_special_tokens": ["<s>", "<x>"]}),
            )],
            "additional_special_tokens is \"<x>\"",
        ),
        (
            vec![settings(
                json!({"eos_token": "</s>", "extra_special_tokens": {"image": "<x>"}}),
            )],
            "extra_special_tokens is \"<x>\"",
        ),
        (
            vec![("special_tokens_map.json", json!({"eos_token": "<x>"}))],
            "special_tokens_map.json: eos_token is \"<x>\"",
        ),
        (
            vec![settings(json!({"eos_token": 2}))],
            "eos_token must be a text or have a content, got 2",
        ),
        (
            vec![settings(json!({"eos_token": {"text": "</s>"}}))],
            "eos_token must be a text",
        ),
        (
            vec![settings(
                json!({"eos_token": "</s>", "added_tokens_decoder": []}),
            )],
            "added_tokens_decoder must be an object",
        ),
        (
            vec![settings(
                json!({"eos_token": "</s>", "added_tokens_decoder": {"x": {"content": "y"}}}),
            )],
            "must have ids for keys",
        ),
        (
            vec![settings(
                json!({"eos_token": "</s>", "added_tokens_decoder": {"98": 3}}),
            )],
            "must be a text or have a content",
        ),
        (
            vec![
                settings(json!({"eos_token": "</s>"})),
                ("added_tokens.json", json!({"<x>": -1})),
            ],
            "must be an id",
        ),
        (vec![settings(json!([]))], "tokenizer_config.json"),
        (
            vec![
                settings(json!({"eos_token": "</s>"})),
                (
                    "generation_config.json",
                    json!({"eos_token_id": 4_000_000_000_u32}),
                ),
            ],
            "generation_config.json: eos_token_id is 4000000000, which is no id of the tokenizer",
        ),
        (
            vec![
                settings(json!({"eos_token": "</s>"})),
                ("generation_config.json", json!({"pad_token_id": "3"})),
            ],
            "pad_token_id must be an id, got \"3\"",
        ),
        (
            vec![settings(json!({"eos_token": ""}))],
            "names no end of sequence",
        ),
    ] {
        error(200, &files, what);
    }
}

/// A tokenizer whose JSON has these parts.
fn with(parts: Value) -> Result<HfTokenizer, String> {
    let mut json = tokenizer();
    for (key, value) in parts.as_object().unwrap() {
        json[key] = value.clone();
    }
    HfTokenizer::from_bytes(json.to_string(), 96).map_err(|error| error.to_string())
}

#[test]
fn rules_that_multiply_a_text_are_refused_before_they_run() {
    let start = std::time::Instant::now();
    let replace = |pattern: Value, content: String| json!({"type": "Replace", "pattern": pattern, "content": content});
    let string = |text: &str| json!({ "String": text });
    let sequence = |rules: Vec<Value>| json!({"type": "Sequence", "normalizers": rules});
    let double = || replace(string("a"), "aa".into());
    let deep = (0..40).fold(double(), |inner, _| sequence(vec![inner, double()]));
    for (normalizer, what) in [
        (
            replace(string("a"), "a".repeat(10_000_000)),
            "its normalizer can make a text 10000000 times as long",
        ),
        (
            replace(json!({"Regex": ""}), "a".repeat(100)),
            "101 times as long, must be at most 64",
        ),
        (replace(string(""), "a".repeat(100)), "101 times as long"),
        (
            sequence((0..30).map(|_| double()).collect()),
            "1073741824 times as long",
        ),
        (deep, "times as long"),
        (
            sequence((0..10_000).map(|_| json!({"type": "Lowercase"})).collect()),
            "it has 10001 rules, must be at most 256",
        ),
        (
            json!({"type": "Prepend", "prepend": "a".repeat(1_000_000)}),
            "puts 1000000 bytes to each text",
        ),
    ] {
        let error = with(json!({ "normalizer": normalizer })).unwrap_err();
        assert!(error.contains(what), "wanted {what}: {error}");
    }
    let levels = vec![
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
        20
    ];
    let ids: Vec<u32> = vec![95; 100_000];
    let texts: Vec<&str> = vec!["<s>"; 100_000];
    for (parts, what) in [
        (
            json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": levels}}),
            "its pre_tokenizer can make",
        ),
        (
            json!({"decoder": replace(string("a"), "a".repeat(1_000_000))}),
            "its decoder can make a text",
        ),
        (
            json!({"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {"x": {"id": "x", "ids": ids, "tokens": texts}}}}),
            "puts 100000 tokens around a text",
        ),
        (
            json!({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "continuing_subword_prefix": "#".repeat(1000)}}),
            "continuing_subword_prefix has 1000 bytes",
        ),
        (
            json!({"model": {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "a", "continuing_subword_prefix": "#", "max_input_chars_per_word": 1_000_000_000}}),
            "max_input_chars_per_word is 1000000000",
        ),
        (
            json!({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["b".repeat(1_000_000), 0.0]]}}),
            "a token of 1000000 characters",
        ),
    ] {
        let error = with(parts).unwrap_err();
        assert!(error.contains(what), "wanted {what}: {error}");
    }
    // Those of known tokenizers: Llama 2, GPT-2, Gemma, T5.
    let space = || replace(string(" "), "▁".into());
    for fine in [
        json!({"normalizer": sequence(vec![json!({"type": "Prepend", "prepend": "▁"}), space()])}),
        json!({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}}),
        json!({"normalizer": space()}),
        json!({"normalizer": sequence(vec![json!({"type": "NFKC"}), replace(json!({"Regex": " {2,}"}), "▁".into())])}),
    ] {
        with(fine).unwrap();
    }
    assert!(start.elapsed().as_secs() < 30);
}

/// In base 64.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| {
            bits << 8 | u32::from(*three.get(i).unwrap_or(&0))
        });
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= three.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[test]
fn a_charsmap_that_is_damaged_is_an_error() {
    let charsmap = |bytes: &[u8]| {
        with(json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": base64(bytes)}}))
    };
    let map = |size: u32, units: &[u32], texts: &[u8]| {
        let units = units.iter().flat_map(|unit| unit.to_le_bytes());
        let bytes: Vec<u8> = size
            .to_le_bytes()
            .into_iter()
            .chain(units)
            .chain(texts.iter().copied())
            .collect();
        charsmap(&bytes)
    };
    for (got, what) in [
        (charsmap(b""), "is cut off"),
        (charsmap(b"\xff\xff\xff"), "is cut off"),
        (map(u32::MAX, &[0], b""), "is cut off"),
        (map(0x7FFF_FFFC, &[0], b""), "is cut off"),
        (map(0, &[], b"a\0"), "is damaged"),
        (map(4, &[0], b"\xff\0"), "is damaged"),
        (
            map(4, &[0], &[b'a'; 1_000_000]),
            "makes 1000000 bytes of a character",
        ),
        // An index that leads out of itself.
        (map(4, &[0xFFFF_FC00], b"a\0"), "is damaged"),
        (map(8, &[0x400, 0x400], b"a\0"), "is damaged"),
    ] {
        let error = got.err().unwrap_or_else(|| panic!("loaded; wanted {what}"));
        assert!(error.contains(what), "wanted {what}: {error}");
    }
    let odd = with(json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "?"}}));
    assert!(odd.unwrap_err().contains("is not base 64"));
    let missing = with(json!({"normalizer": {"type": "Precompiled"}}));
    assert!(missing.is_err());
    // An index in which nothing is found: every text is left as it is.
    let units = [0_u32; 256];
    assert_eq!(
        map(1024, &units, b"a\0").unwrap().encode("ab").unwrap(),
        [65, 66]
    );
}

#[test]
fn tokenizers_that_panic_or_never_end_are_errors() {
    for parts in [
        json!({"pre_tokenizer": {"type": "FixedLength", "length": 0}}),
        json!({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": false}}),
        json!({"model": {"type": "Unigram", "unk_id": 9, "vocab": []}}),
        json!({"model": {"type": "BPE", "vocab": {"a": 4_294_967_296_u64}, "merges": []}}),
        json!({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}),
        json!({"model": 3}),
        json!({"added_tokens": 3}),
    ] {
        let error = with(parts.clone()).err();
        assert!(error.is_some(), "{parts}");
    }
    let nested = format!(
        "{{\"normalizer\": {}",
        "{\"normalizers\": [".repeat(100_000)
    );
    assert!(HfTokenizer::from_bytes(nested, 0).is_err());
}

#[test]
fn regular_expressions_that_give_up_are_refused() {
    let start = std::time::Instant::now();
    let split = |pattern: &str| {
        with(
            json!({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern},
            "behavior": "Isolated", "invert": false}}),
        )
    };
    for slow in [r"((7|77)+)\1x", r"(?:(?=a)a|aa)+c", r"(a|aa)+\1c"] {
        let error = split(slow).unwrap_err();
        assert!(error.contains("gives up on a text of"), "{slow}: {error}");
    }
    // GPT-2's, Llama 3's and DeepSeek's.
    for fine in [
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"[!-/:-~]+[\r\n]*|\s?\p{L}+|\s?[^\s\p{L}\p{N}]+|\s+$|\p{N}+",
    ] {
        split(fine).unwrap();
    }
    assert!(start.elapsed().as_secs() < 60);
}
