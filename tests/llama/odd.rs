//! Odd values in the place of every value of every file: an error or a model, never a panic, never
//! for long.

use super::{device, tiny};
use burn_kto::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

fn odd() -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(0.5),
        json!(4_294_967_295_u32),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(""),
        json!("x"),
        json!("\u{1b}[2J\n\0"),
        json!("x".repeat(100_000)),
        json!([]),
        json!({}),
        json!([null, -1, "x"]),
        json!({"type": "Sequence", "content": 1}),
        deep,
    ]
}

/// Calls `visit` with the document in which one value is replaced, for each place and odd value.
fn replaced(document: &Value, visit: &mut dyn FnMut(&str, &Value)) -> usize {
    fn places(value: &Value, at: String, all: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                // A few tokens stand for all.
                for (key, value) in map.iter().take(60) {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    places(value, format!("{at}/{key}"), all);
                }
            }
            Value::Array(list) => {
                for (i, value) in list.iter().enumerate().take(3) {
                    places(value, format!("{at}/{i}"), all);
                }
            }
            _ => {}
        }
        all.push(at);
    }
    let (mut all, mut count) = (Vec::new(), 0);
    places(document, String::new(), &mut all);
    for place in &all {
        for value in odd() {
            let mut changed = document.clone();
            *changed.pointer_mut(place).unwrap() = value;
            visit(place, &changed);
            count += 1;
        }
    }
    count
}

const PATIENCE: Duration = Duration::from_secs(10);

/// That an error is one line of a length that can be read, whatever it names.
fn told<T>(result: Result<T, Error>, place: &str, start: Instant) {
    if let Err(error) = result {
        let line = error.to_string();
        assert!(
            !line.is_empty() && !line.contains('\n') || line.contains("\u{1b}"),
            "{place}: {line}"
        );
    }
    assert!(
        start.elapsed() < PATIENCE,
        "{place} took {:?}",
        start.elapsed()
    );
}

#[test]
fn any_value_of_a_models_files_is_an_error_or_a_model() {
    let folder = tempfile::tempdir().unwrap();
    tiny("qwen3")
        .init(1, &device())
        .save(folder.path())
        .unwrap();
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap()
    };
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let mut config = read("config.json");
    let more = json!({
        "bos_token_id": 1, "eos_token_id": [1, 2], "pad_token_id": 0, "layer_types": ["full_attention"],
        "use_sliding_window": false, "sliding_window": 8, "quantization_config": {"quant_method": "x"},
        "rope_scaling": {"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 8},
    });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    write("config.json", &config.to_string());
    Llama::load(folder.path(), &device()).unwrap();
    let mut count = replaced(&config, &mut |place, config| {
        write("config.json", &config.to_string());
        let start = Instant::now();
        // A model that is made is computed, too.
        let loaded = Llama::load(folder.path(), &device());
        let loaded = loaded.map(|model| {
            let longest = model.config().max_length().saturating_add(1);
            super::log_probs_of(&model, &[1, 5, 9][..longest.min(3)])
        });
        told(loaded, place, start);
    });
    write("config.json", &config.to_string());

    let weights = folder.path().join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    let length = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&whole[8..length]).unwrap();
    count += replaced(&header, &mut |place, header| {
        let header = header.to_string();
        let size = (header.len() as u64).to_le_bytes();
        fs::write(
            &weights,
            [&size[..], header.as_bytes(), &whole[length..]].concat(),
        )
        .unwrap();
        let start = Instant::now();
        told(
            Llama::load(folder.path(), &device()).map(|_| ()),
            place,
            start,
        );
    });
    fs::rename(&weights, folder.path().join("a.safetensors")).unwrap();
    fs::write(folder.path().join("a.safetensors"), &whole).unwrap();
    let names = header
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| *name != "__metadata__");
    let map: serde_json::Map<String, Value> = names
        .map(|name| (name.clone(), json!("a.safetensors")))
        .collect();
    count += replaced(
        &json!({"metadata": {}, "weight_map": map}),
        &mut |place, index| {
            write("model.safetensors.index.json", &index.to_string());
            let start = Instant::now();
            told(
                Llama::load(folder.path(), &device()).map(|_| ()),
                place,
                start,
            );
        },
    );
    assert!(count > 1500, "{count}");
}

fn added() -> Value {
    json!([{"id": 4, "content": "<s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": true},
        {"id": 5, "content": "</s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}])
}

fn tokenizers() -> [Value; 3] {
    // An index of 256 words in which nothing is found.
    let charsmap = [&1024_u32.to_le_bytes()[..], &[0; 1024], b"a\0"].concat();
    let charsmap = super::special::base64(&charsmap);
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    [
        json!({"version": "1.0", "truncation": {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 4}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "a"},
            "added_tokens": added(),
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, {"type": "NFC"}]},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\p{L}+(?!x)"}, "behavior": "Isolated", "invert": false}, byte_level]},
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE", "dropout": null, "unk_token": "a", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
                "byte_fallback": true, "ignore_merges": false, "vocab": {"a": 0, "b": 1, "ab": 2, "▁": 3}, "merges": [["a", "b"]]}}),
        json!({"version": "1.0", "added_tokens": added(),
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": charsmap}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
            "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
            "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.5], ["b", -2.0], ["▁", -3.0]], "byte_fallback": false}}),
        json!({"version": "1.0", "added_tokens": added(),
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["</s>", 5], "cls": ["<s>", 4]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"a": 0, "b": 1, "##a": 2, "##b": 3}}}),
    ]
}

#[test]
fn any_value_of_a_tokenizer_is_an_error_or_a_tokenizer() {
    let mut count = 0;
    for document in tokenizers() {
        HfTokenizer::from_bytes(document.to_string(), 5).unwrap();
        count += replaced(&document, &mut |place, document| {
            let start = Instant::now();
            let loaded = HfTokenizer::from_bytes(document.to_string(), 5);
            let used = loaded.and_then(|tokenizer| {
                let text = "ab  a<s> né </s>x\u{FDFA}";
                let ids = tokenizer.encode(text)?;
                tokenizer.encode_text(text)?;
                tokenizer.encode_with_offsets(text)?;
                tokenizer.folded_tokens();
                tokenizer.boundaries();
                tokenizer.decode(&[&ids[..], &[0, 7, u32::MAX]].concat())
            });
            told(used, place, start);
        });
    }
    assert!(count > 1500, "{count}");
}

#[test]
fn any_value_of_the_files_beside_a_tokenizer_is_an_error_or_a_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let write =
        |name: &str, value: &Value| fs::write(folder.path().join(name), value.to_string()).unwrap();
    write("tokenizer.json", &tokenizers()[0]);
    let token = json!({"content": "</s>", "special": true, "lstrip": false, "normalized": false});
    let files = [
        (
            "tokenizer_config.json",
            json!({"eos_token": "</s>", "bos_token": token, "pad_token": null, "add_bos_token": true,
            "added_tokens_decoder": {"5": token}, "additional_special_tokens": ["<s>", token], "extra_special_tokens": {"x": "a"}}),
        ),
        (
            "special_tokens_map.json",
            json!({"eos_token": token, "unk_token": "a", "additional_special_tokens": ["b"]}),
        ),
        ("added_tokens.json", json!({"</s>": 5, "a": 0})),
        (
            "generation_config.json",
            json!({"eos_token_id": [5, 4], "bos_token_id": 4, "pad_token_id": 0}),
        ),
        (
            "config.json",
            json!({"vocab_size": 6, "eos_token_id": 5, "bos_token_id": 4, "pad_token_id": -1}),
        ),
    ];
    for (name, value) in &files {
        write(name, value);
    }
    HfTokenizer::from_folder(folder.path()).unwrap();
    let mut count = 0;
    for (name, value) in &files {
        count += replaced(value, &mut |place, value| {
            write(name, value);
            let start = Instant::now();
            let loaded = HfTokenizer::from_folder(folder.path());
            told(
                loaded.and_then(|tokenizer| tokenizer.encode("a</s>b")),
                place,
                start,
            );
        });
        write(name, value);
    }
    assert!(count > 500, "{count}");
}
