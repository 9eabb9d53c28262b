//! Folders as people have them: damaged, of another kind, quantised, hostile.

use super::{device, header, log_probs_of, tiny};
use burn_kto::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with a small model, and what is written over it.
pub(super) struct Folder(pub(super) tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        tiny("llama")
            .init(1, &device())
            .save(folder.path())
            .unwrap();
        Self(folder)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), content).unwrap();
        self
    }

    /// Other fields of `config.json`; those that are `null` are taken away.
    pub(super) fn config(&self, fields: Value) -> &Self {
        let text = fs::read_to_string(self.path("config.json")).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        let config_fields = config.as_object_mut().unwrap();
        for (key, value) in fields.as_object().unwrap() {
            config_fields.insert(key.clone(), value.clone());
        }
        self.write("config.json", config.to_string())
    }

    pub(super) fn load(&self) -> Result<Llama, String> {
        Llama::load(self.0.path(), &device()).map_err(|error| error.to_string())
    }

    pub(super) fn error(&self, what: &str) -> String {
        let error = self
            .load()
            .err()
            .unwrap_or_else(|| panic!("loaded; wanted: {what}"));
        assert!(error.contains(what), "wanted {what}: {error}");
        assert!(!error.contains('\n'), "{error}");
        error
    }
}

/// A safetensors file of these tensors: name, type, shape, bytes.
pub(super) fn safetensors(tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut head, mut data) = (serde_json::Map::new(), Vec::<u8>::new());
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
        head.insert(name.to_string(), entry);
        data.extend(bytes);
    }
    let head = Value::from(head).to_string();
    let mut file = (head.len() as u64).to_le_bytes().to_vec();
    file.extend(head.bytes());
    file.extend(data);
    file
}

/// All tensors of a file.
pub(super) fn tensors(path: &Path) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let file = fs::read(path).unwrap();
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let head: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    let head = head.as_object().unwrap();
    let all = head.iter().filter(|(name, _)| *name != "__metadata__");
    let all = all.map(|(name, entry)| {
        let shape = entry["shape"].as_array().unwrap().iter();
        let at = |i: usize| 8 + length + entry["data_offsets"][i].as_u64().unwrap() as usize;
        let shape = shape.map(|n| n.as_u64().unwrap() as usize).collect();
        (name.clone(), shape, file[at(0)..at(1)].to_vec())
    });
    all.collect()
}

#[test]
fn sizes_that_the_weights_do_not_have_are_refused_before_anything_is_made() {
    let start = std::time::Instant::now();
    let folder = Folder::new();
    for layers in [1_000_000, 1_000_000_000, 1_000_000_000_000_000_000_u64] {
        let error = folder
            .config(json!({ "num_hidden_layers": layers }))
            .error("model.layers.2.");
        assert!(error.ends_with("and more"), "{error}");
    }
    folder.config(json!({"num_hidden_layers": 2}));
    let huge = 1_u64 << 62;
    for (fields, what) in [
        (
            json!({"vocab_size": 1_000_000_000_000_u64}),
            "embed_tokens.weight must be [1000000000000, 32]",
        ),
        (
            json!({"vocab_size": huge}),
            "vocab_size makes a matrix larger than any memory",
        ),
        (json!({"vocab_size": u64::MAX}), "vocab_size makes a matrix"),
        (
            json!({"hidden_size": huge}),
            "makes a matrix larger than any memory",
        ),
        (
            json!({"intermediate_size": huge}),
            "intermediate_size makes a matrix",
        ),
        (
            json!({"head_dim": huge}),
            "num_attention_heads makes a matrix",
        ),
        (json!({"head_dim": 1_000_000}), "self_attn"),
        (
            json!({"num_attention_heads": huge, "head_dim": 8, "num_key_value_heads": 2}),
            "num_attention_heads makes",
        ),
        (json!({"intermediate_size": 1_000_000_000}), "mlp"),
        (
            json!({"tie_word_embeddings": false}),
            "tensor lm_head.weight is missing",
        ),
        (json!({"attention_bias": true}), "self_attn"),
    ] {
        let folder = Folder::new();
        folder.config(fields).error(what);
    }
    assert!(
        start.elapsed().as_secs() < 20,
        "nothing is allocated or counted"
    );
}

#[test]
fn fields_of_another_type_are_named() {
    let fields = [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
    ];
    let optional = [
        "num_key_value_heads",
        "head_dim",
        "max_position_embeddings",
        "rope_theta",
        "rms_norm_eps",
    ];
    for field in fields.into_iter().chain(optional) {
        let size = !["rope_theta", "rms_norm_eps"].contains(&field);
        for value in [
            json!(-1),
            json!(0),
            json!(8.5),
            json!("8"),
            json!([8]),
            json!(true),
            json!(null),
            json!(1e300),
        ] {
            let nullable = value.is_null()
                && ["num_key_value_heads", "head_dim", "rope_theta"].contains(&field);
            let number = !size && (value.is_number());
            if nullable || number {
                continue;
            }
            Folder::new()
                .config(json!({ field: value }))
                .error(&format!("config.json: {field} must be"));
        }
    }
    for field in ["rope_theta", "rms_norm_eps"] {
        Folder::new().config(json!({ field: -1 })).error(field);
    }
    for field in ["tie_word_embeddings", "attention_bias"] {
        Folder::new()
            .config(json!({ field: "yes" }))
            .error(&format!("{field} must be true or false"));
    }
    for (fields, what) in [
        (
            json!({"pad_token_id": 4_000_000_000_u64}),
            "pad_token_id must be an id below vocab_size, got 4000000000",
        ),
        (json!({"pad_token_id": 50}), "pad_token_id"),
        (
            json!({"eos_token_id": [1, 50]}),
            "eos_token_id must be an id below vocab_size, got 50",
        ),
        (json!({"bos_token_id": "1"}), "bos_token_id"),
        (json!({"eos_token_id": 1.5}), "eos_token_id"),
        (json!({"eos_token_id": -1}), "eos_token_id"),
        (
            json!({"hidden_act": "gelu"}),
            "hidden_act must be silu, got gelu",
        ),
        (json!({"hidden_act": 3}), "hidden_act"),
        (json!({"mlp_bias": "yes"}), "mlp_bias must be false"),
        (json!({"sliding_window": -4}), "sliding_window"),
        (json!({"sliding_window": "4"}), "sliding_window"),
        (json!({"use_sliding_window": 1}), "use_sliding_window"),
        (
            json!({"layer_types": ["full_attention", "linear_attention"]}),
            "layer_types must be full_attention",
        ),
        (
            json!({"model_type": null}),
            "has no model_type; supported: llama, mistral, qwen2, qwen3",
        ),
        (json!({"model_type": 3}), "model_type must be a text"),
    ] {
        Folder::new().config(fields).error(what);
    }
    let fine = json!({"pad_token_id": -1, "eos_token_id": [2, 3], "sliding_window": null, "head_dim": null});
    Folder::new().config(fine).load().unwrap();
    for not in ["[]", "3", "null", "\"llama\""] {
        Folder::new()
            .write("config.json", not)
            .error("config.json: is not a JSON object");
    }
    let long = format!("{}{{}}", " ".repeat(17 << 20));
    Folder::new()
        .write("config.json", long)
        .error("config.json: is longer than 16777216 bytes");
    let deep = "[".repeat(100_000);
    Folder::new()
        .write("config.json", deep)
        .error("recursion limit");
}

#[test]
fn kinds_of_model_are_named_before_their_fields() {
    for (config, what) in [
        (
            r#"{"model_type": "gpt2", "n_embd": 64}"#,
            "model_type gpt2 is not supported; supported: llama, mistral, qwen2, qwen3",
        ),
        (
            r#"{"model_type": "llava", "text_config": {"model_type": "llama"}}"#,
            "model_type llava is not supported (its text part, text_config, is llama",
        ),
        (
            r#"{"hidden_size": 8}"#,
            "has no model_type; supported: llama",
        ),
    ] {
        Folder::new().write("config.json", config).error(what);
    }
    let folder = Folder::new();
    folder.config(json!({"architectures": ["LlamaForSequenceClassification"]}));
    folder.error("architectures has LlamaForSequenceClassification, which writes no text");
    folder
        .config(json!({"architectures": null}))
        .load()
        .unwrap();
}

#[test]
fn folders_of_another_kind_say_what_they_are() {
    for (files, what) in [
        (
            vec![(
                "adapter_config.json",
                r#"{"peft_type": "LORA", "base_model_name_or_path": "someone/tiny"}"#,
            )],
            "is an adapter (LORA) of someone/tiny: merge it",
        ),
        (
            vec![("model.Q4_K_M.gguf", "GGUF")],
            "no config.json, but model.Q4_K_M.gguf: GGUF is not read",
        ),
        (vec![("model.onnx", "")], "ONNX is not read"),
        (vec![("weights.npz", "")], "weights of MLX"),
        (
            vec![("consolidated.00.pth", ""), ("params.json", "{}")],
            "layout of the model's makers",
        ),
        (
            vec![("model_index.json", "{}")],
            "is a pipeline of diffusers",
        ),
        (
            vec![("model/config.json", "{}")],
            "is the folder of a run; its model is in model/ below it",
        ),
        (
            vec![("run.toml", "")],
            "is the folder of a run that has written no model",
        ),
        (
            vec![("model.bpk", ""), ("state.json", "{}")],
            "is a checkpoint of a run",
        ),
        (
            vec![("checkpoint-500/config.json", "{}")],
            "such as checkpoint-500",
        ),
        (
            vec![("snapshots/0/config.json", "{}"), ("refs/main", "0")],
            "is the Hub's cache",
        ),
        (vec![("tokenizer.json", "{}")], "has a tokenizer only"),
        (vec![("train.jsonl", "{}")], "has data, not a model"),
        (
            vec![
                ("config.json", r#"{"model_type": "llama"}"#),
                ("adapter_config.json", r#"{"peft_type": "LORA"}"#),
            ],
            "has an adapter (LORA) of a model that it does not name beside a config.json",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        for error in [
            Llama::load(folder.path(), &device()).unwrap_err(),
            ModelFolder::open(folder.path()).unwrap_err(),
            LlamaConfig::from_folder(folder.path()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(what), "wanted {what}: {error}");
        }
    }
    let folder = Folder::new();
    fs::rename(folder.path("model.safetensors"), folder.path("model.gguf")).unwrap();
    folder.error(
        "no model.safetensors and no model.safetensors.index.json (model.gguf is not read: GGUF",
    );
    let file = LlamaConfig::from_folder(folder.path("model.gguf"))
        .unwrap_err()
        .to_string();
    assert!(file.contains("is not a folder (GGUF is not read"), "{file}");
}

#[test]
fn every_parameter_comes_from_a_file() {
    let folder = Folder::new();
    let weights = folder.path("model.safetensors");
    let all = tensors(&weights);
    fs::remove_file(&weights).unwrap();
    let shard = |name: &str, some: &dyn Fn(usize) -> bool| {
        let some = all.iter().enumerate().filter(|(i, _)| some(*i));
        let some: Vec<_> = some
            .map(|(_, (name, shape, data))| (name.as_str(), "F32", shape.as_slice(), data.clone()))
            .collect();
        folder.write(name, safetensors(&some));
    };
    shard("a.safetensors", &|i| i % 2 == 0);
    shard("b.safetensors", &|i| i % 2 == 1);
    let map: serde_json::Map<String, Value> = all
        .iter()
        .enumerate()
        .map(|(i, (name, ..))| {
            (
                name.clone(),
                ["a.safetensors", "b.safetensors"][i % 2].into(),
            )
        })
        .collect();
    let index = |map: Value| {
        folder.write(
            "model.safetensors.index.json",
            json!({ "weight_map": map }).to_string(),
        );
    };
    let first = all[0].0.as_str();
    index(map.clone().into());
    folder.load().unwrap();
    for (map, what) in [
        (json!({}), "has no tensor in its weight_map"),
        (json!([]), "has no weight_map"),
        (json!({"x": 3}), "names 3 for x, which is not a file name"),
        (json!({"x": null}), "is not a file name"),
        (json!({"x": "../a.safetensors"}), "is not a file name"),
        (json!({"x": "/etc/hostname"}), "is not a file name"),
        (
            json!({"x": "a.safetensors"}),
            "names tensor x in a.safetensors, which does not have it",
        ),
        (json!({first: "b.safetensors"}), "which does not have it"),
        (
            json!({first: "c.safetensors"}),
            "names c.safetensors, which is not there",
        ),
        (json!({first: "a.safetensors"}), "is missing, and so are"),
    ] {
        index(map);
        folder.error(what);
    }
    // A tensor that both shards have.
    let mut wide = map.clone();
    index(wide.clone().into());
    shard("b.safetensors", &|i| i % 2 == 1 || i == 0);
    let error = folder.error(&format!("has tensor {first}, and so has"));
    assert!(error.contains("a.safetensors"), "{error}");
    // One that is nowhere.
    shard("b.safetensors", &|i| i % 2 == 1 && i != 1);
    wide.remove(&all[1].0);
    index(wide.into());
    folder.error(&format!("tensor {} is missing", all[1].0));
    // Empty files of tensors: nothing is made up.
    folder.write("model.safetensors", safetensors(&[]));
    folder.error("is missing, and so are");
}

#[test]
fn weights_are_floats_that_are_finite() {
    let folder = Folder::new();
    let weights = folder.path("model.safetensors");
    let all = tensors(&weights);
    let row = [1, 5, 9, 30, 2];
    let expected = log_probs_of(&folder.load().unwrap(), &row);
    let floats = |data: &[u8]| -> Vec<f32> {
        data.chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect()
    };
    let halves = |value: f32| ((value.to_bits() >> 16) as u16).to_le_bytes();
    for dtype in ["F32", "F64", "BF16", "F16"] {
        let convert = |value: f32| match dtype {
            "F32" => value.to_le_bytes().to_vec(),
            "F64" => f64::from(value).to_le_bytes().to_vec(),
            "BF16" => halves(value).to_vec(),
            // Ones, infinity and no number are all that is needed.
            _ if value.is_nan() => 0x7E00_u16.to_le_bytes().to_vec(),
            _ if value.is_infinite() => 0xFC00_u16.to_le_bytes().to_vec(),
            _ => 0x3C00_u16.to_le_bytes().to_vec(),
        };
        let write = |bad: &[(&str, usize, f32)]| {
            let tensors: Vec<_> = all
                .iter()
                .map(|(name, shape, data)| {
                    let mut values = floats(data);
                    for (_, at, value) in bad.iter().filter(|(bad, ..)| bad == name) {
                        values[*at] = *value;
                    }
                    let bytes = values.into_iter().flat_map(convert).collect();
                    (name.as_str(), dtype, shape.as_slice(), bytes)
                })
                .collect();
            folder.write("model.safetensors", safetensors(&tensors));
        };
        write(&[]);
        let model = folder.load().unwrap();
        if dtype == "F32" || dtype == "F64" {
            assert_eq!(log_probs_of(&model, &row), expected, "{dtype}");
        }
        write(&[("model.norm.weight", 3, f32::NAN)]);
        folder.error("tensor model.norm.weight has 1 value of NaN or infinity");
        let (q, last) = ("model.layers.1.self_attn.q_proj.weight", 32 * 32 - 1);
        write(&[
            (q, 0, f32::NAN),
            (q, last, f32::NEG_INFINITY),
            ("model.norm.weight", 0, f32::INFINITY),
        ]);
        folder.error(&format!(
            "tensor {q} has 2 values of NaN or infinity (and 1 more such tensors)"
        ));
    }
}

#[test]
fn damaged_headers_are_errors() {
    let folder = Folder::new();
    let weights = folder.path("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let head = String::from_utf8(whole[8..8 + length].to_vec()).unwrap();
    let with = |head: &str| {
        let length = (head.len() as u64).to_le_bytes();
        folder.write(
            "model.safetensors",
            [
                &length[..],
                head.as_bytes(),
                &whole[8 + length_of(&whole)..],
            ]
            .concat(),
        );
    };
    for (from, to, what) in [
        ("[50,32]", "[50,33]", "cannot be F32"),
        (
            "[50,32]",
            "[18446744073709551615,18446744073709551615]",
            "cannot be F32",
        ),
        ("[50,32]", "[-50,32]", "is damaged"),
        ("[50,32]", "\"50\"", "is damaged"),
        (
            "\"F32\",\"shape\":[50,32]",
            "\"I32\",\"shape\":[50,32]",
            "must be F32, F16, BF16 or F64, got I32",
        ),
        (
            "\"F32\",\"shape\":[50,32]",
            "\"F99\",\"shape\":[50,32]",
            "must be F32, F16, BF16 or F64, got F99",
        ),
        ("\"data_offsets\"", "\"offsets\"", "is damaged"),
        ("{", "{{", "has a damaged header"),
    ] {
        let compact: Value = serde_json::from_str(&head).unwrap();
        let compact = compact.to_string();
        let changed = compact.replacen(from, to, 1);
        assert_ne!(compact, changed, "{from}");
        with(&changed);
        folder.error(what);
    }
    let cut = |bytes: usize| {
        folder
            .write("model.safetensors", &whole[..bytes])
            .load()
            .unwrap_err()
    };
    for bytes in [0, 1, 7, 8, 9, 20, 8 + length, whole.len() - 1] {
        assert!(cut(bytes).contains("model.safetensors"), "{bytes}");
    }
    for length in [u64::MAX, u64::MAX - 7, 1 << 62, 1 << 30] {
        folder.write(
            "model.safetensors",
            [&length.to_le_bytes()[..], &whole[8..]].concat(),
        );
        folder.error("model.safetensors");
    }
}

fn length_of(file: &[u8]) -> usize {
    u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

#[test]
fn quantised_weights_say_by_whom_and_what_helps() {
    let folder = Folder::new();
    let all = tensors(&folder.path("model.safetensors"));
    let with = |more: Vec<(&str, &str, Vec<u8>)>| {
        let more_names: Vec<&str> = more.iter().map(|(name, ..)| *name).collect();
        let kept = all
            .iter()
            .filter(|(name, ..)| !more_names.contains(&name.as_str()));
        let mut tensors: Vec<_> = kept
            .map(|(name, shape, data)| (name.as_str(), "F32", shape.clone(), data.clone()))
            .collect();
        tensors.extend(
            more.into_iter()
                .map(|(name, dtype, data)| (name, dtype, vec![data.len()], data)),
        );
        let tensors: Vec<_> = tensors
            .iter()
            .map(|(name, dtype, shape, data)| (*name, *dtype, shape.as_slice(), data.clone()))
            .collect();
        folder.write("model.safetensors", safetensors(&tensors));
    };
    let (up, down) = (
        "model.layers.0.mlp.up_proj.weight",
        "model.layers.0.mlp.down_proj.weight",
    );
    with(vec![(up, "U8", vec![0; 64])]);
    folder.error("must be F32, F16, BF16 or F64, got U8");
    folder.config(json!({"quantization_config": {"quant_method": "bitsandbytes"}}));
    let error = folder.error(
        "the weights are quantised (bitsandbytes) (model.layers.0.mlp.up_proj.weight is U8)",
    );
    assert!(error.contains("dequantize()"), "{error}");
    folder.config(json!({"quantization_config": null}));
    for (name, method) in [
        ("model.layers.0.mlp.up_proj.weight.absmax", "bitsandbytes"),
        ("model.layers.0.mlp.up_proj.SCB", "bitsandbytes"),
        ("model.layers.0.mlp.up_proj.g_idx", "gptq"),
        ("model.layers.0.mlp.up_proj.qweight", "gptq or awq"),
        (
            "model.layers.0.mlp.up_proj.weight_packed",
            "compressed-tensors",
        ),
        ("model.layers.0.mlp.up_proj.weight_scale_inv", "fp8"),
        ("model.layers.0.mlp.up_proj.scales", "mlx"),
    ] {
        with(vec![(name, "U8", vec![0; 8])]);
        folder.error(&format!("the weights are quantised ({method})"));
    }
    with(vec![(down, "F8_E4M3", vec![0; 8])]);
    folder.error("the weights are quantised (fp8)");
    folder.config(json!({"quantization": {"bits": 4, "group_size": 64}}));
    with(vec![(up, "U32", vec![0; 64])]);
    folder.error("the weights are quantised (mlx)");
}

#[test]
fn what_is_not_so_of_the_result_is_not_written_into_it() {
    let folder = Folder::new();
    let rope = json!({"rope_type": "default", "rope_theta": 500_000.0});
    folder.config(json!({
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true},
        "quantization": {"bits": 4},
        "auto_map": {"AutoModelForCausalLM": "modeling_x.X"},
        "dtype": "bfloat16",
        "rope_theta": null,
        "rope_parameters": {"full_attention": rope, "sliding_attention": rope},
        "kept": 1,
    }));
    folder.write("tokenizer_config.json", r#"{"auto_map": {"AutoTokenizer": ["tokenization_x.X", null]}, "model_max_length": 1000000000000000019884624838656}"#);
    folder.write(
        "generation_config.json",
        r#"{"custom_generate": "x", "eos_token_id": 2}"#,
    );
    fs::create_dir(folder.path("additional_chat_templates")).unwrap();
    let template = "{% for m in messages %}{{ m.content }}{% endfor %}";
    for name in ["chat_template", "additional_chat_templates/tool_use"] {
        folder.write(&format!("{name}.jinja"), template);
    }
    folder.write("additional_chat_templates/code.py", "");
    folder.write("special_tokens_map.json", "{\"eos_token\":   \"</s>\"}");
    let out = tempfile::tempdir().unwrap();
    folder.load().unwrap().save(out.path()).unwrap();
    Llama::copy_tokenizer(folder.0.path(), out.path()).unwrap();
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(out.path().join(name)).unwrap()).unwrap()
    };
    let config = read("config.json");
    for key in ["quantization_config", "quantization", "auto_map", "dtype"] {
        assert!(config.get(key).is_none(), "{key}");
    }
    assert_eq!(
        (&config["torch_dtype"], &config["kept"]),
        (&json!("float32"), &json!(1))
    );
    assert_eq!(
        config["rope_parameters"], rope,
        "for those who know no kinds of layer"
    );
    assert_eq!(
        read("tokenizer_config.json"),
        json!({"model_max_length": 1e30})
    );
    assert_eq!(read("generation_config.json"), json!({"eos_token_id": 2}));
    let map = fs::read_to_string(out.path().join("special_tokens_map.json")).unwrap();
    assert_eq!(map, "{\"eos_token\":   \"</s>\"}", "as it was");
    assert_eq!(header(&out.path().join("model.safetensors")).len(), 20);
    let names = fs::read_dir(out.path()).unwrap();
    assert_eq!(names.count(), 7, "nothing is left of writing them");
    let templates = fs::read_dir(out.path().join("additional_chat_templates")).unwrap();
    assert_eq!(templates.count(), 1, "and no code");
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_links_to_secrets_are_refused() {
    use std::os::unix::fs::symlink;
    let start = std::time::Instant::now();
    let names = ["config.json", "model.safetensors", "adapter_config.json"];
    for name in names {
        for target in ["/dev/zero", "/dev/null", "pipe"] {
            let folder = Folder::new();
            let _ = fs::remove_file(folder.path(name));
            let target = match target {
                "pipe" => {
                    let made = std::process::Command::new("mkfifo")
                        .arg(folder.path("pipe"))
                        .status();
                    assert!(made.unwrap().success());
                    folder.path("pipe")
                }
                device => device.into(),
            };
            symlink(target, folder.path(name)).unwrap();
            folder.error(&format!(
                "{name}: is no regular file but a pipe, a socket or a device"
            ));
        }
    }
    // A folder in the place of a file, and a link to nowhere.
    let folder = Folder::new();
    fs::remove_file(folder.path("model.safetensors")).unwrap();
    symlink("nowhere", folder.path("model.safetensors")).unwrap();
    folder.error("cannot read");
    fs::remove_file(folder.path("model.safetensors")).unwrap();
    fs::create_dir(folder.path("model.safetensors")).unwrap();
    folder.error("is a folder, not a file");

    // What is copied has been read; a link to a blob is a file like any other.
    let out = tempfile::tempdir().unwrap();
    let secret = folder.path("secret");
    fs::write(&secret, "root:$6$salt$hash:19000:0:99999:7:::\n").unwrap();
    for name in [
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "generation_config.json",
        "chat_template.jinja",
        "tokenizer.model",
    ] {
        for target in [
            secret.clone(),
            "/proc/self/environ".into(),
            "/dev/zero".into(),
            "/etc/passwd".into(),
        ] {
            let folder = Folder::new();
            symlink(&target, folder.path(name)).unwrap();
            let error = Llama::copy_tokenizer(folder.0.path(), out.path()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert!(!out.path().join(name).exists(), "{name}");
        }
    }
    let folder = Folder::new();
    folder.write("blob", r#"{"eos_token": "</s>"}"#);
    symlink("blob", folder.path("special_tokens_map.json")).unwrap();
    Llama::copy_tokenizer(folder.0.path(), out.path()).unwrap();
    assert!(
        !fs::symlink_metadata(out.path().join("special_tokens_map.json"))
            .unwrap()
            .is_symlink()
    );
    assert!(start.elapsed().as_secs() < 20);
}

#[test]
fn a_reward_models_head_is_read_with_the_same_care() {
    let folder = Folder::new();
    let model = RewardModel::new(folder.load().unwrap(), &device());
    model.save(folder.0.path()).unwrap();
    let error = |what: &str| {
        let error = RewardModel::<Llama>::load(folder.0.path(), &device()).unwrap_err();
        assert!(error.to_string().contains(what), "wanted {what}: {error}");
    };
    RewardModel::<Llama>::load(folder.0.path(), &device()).unwrap();
    let zeros = |numbers: usize| vec![0; 4 * numbers];
    let head = |name: &str, shape: &[usize], data: Vec<u8>| {
        let head = safetensors(&[(name, "F32", shape, data)]);
        folder.write("score.safetensors", head);
    };
    head("score.weight", &[1, 31], zeros(31));
    error("score.weight must be [1, 32] by config.json, got [1, 31]");
    head("other", &[1, 32], zeros(32));
    error("tensor score.weight is missing");
    let mut bad = zeros(32);
    bad[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    head("score.weight", &[1, 32], bad);
    error("tensor score.weight has 1 value of NaN or infinity");
}
