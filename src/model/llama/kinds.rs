//! Folders that are no model folders: what they are instead.

use crate::error::Error;
use crate::model::files::{failed, is_there, read_json};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Endings of files, what they are, and what helps.
const FILES: [(&[&str], &str); 8] = [
    (
        &[".gguf", ".ggml"],
        "GGUF is not read: take the folder that it was made of",
    ),
    (
        &[".onnx"],
        "ONNX is not read: take the folder that it was made of",
    ),
    (
        &[".bin", ".pth", ".pt", ".ckpt", ".pkl"],
        "convert it to safetensors",
    ),
    (
        &[".h5", ".msgpack"],
        "weights of TensorFlow or Flax: convert them to safetensors",
    ),
    (&[".npz"], "weights of MLX: convert them to safetensors"),
    (
        &[".mlmodel", ".mlpackage", ".tflite"],
        "take the folder that it was made of",
    ),
    (&[".nemo", ".mpk", ".rkll"], "convert it to safetensors"),
    (
        &[".safetensors"],
        "must be named model.safetensors, or in model.safetensors.index.json",
    ),
];

/// Refuses what is known to be something else than a model's folder, by name. A folder that says
/// nothing passes: what is missing in it is found when it is read.
pub(super) fn check(folder: &Path) -> Result<(), Error> {
    if !folder.is_dir() {
        let name = folder.to_str().unwrap_or_default();
        let hint = match other(name) {
            Some(what) => format!(" ({what})"),
            None if is_hub_name(name) && !is_there(folder) => {
                format!(" (there is nothing of that name; on the Hub it would be hf://{name})")
            }
            None => String::new(),
        };
        return Err(failed(folder, format!("is not a folder{hint}")));
    }
    let has = |name: &str| is_there(&folder.join(name));
    if has("adapter_config.json") {
        let settings = read_json(&folder.join("adapter_config.json"))?.unwrap_or_default();
        return Err(failed(folder, adapter(&settings, has("config.json"))));
    }
    if has("config.json") {
        return Ok(());
    }
    let names = names(folder);
    let any = |ends: &[&str]| {
        names
            .iter()
            .any(|name| ends.iter().any(|end| name.ends_with(end)))
    };
    let data = [
        ".jsonl",
        ".jsonl.gz",
        ".jsonl.zst",
        ".parquet",
        ".csv",
        ".arrow",
    ];
    let starts = |start: &str| names.iter().find(|name| name.starts_with(start));
    let what = if has("model/config.json") {
        "is the folder of a run; its model is in model/ below it".into()
    } else if has("model.bpk") && has("state.json") {
        "is a checkpoint of a run, not a model".into()
    } else if has("run.toml") || has("metrics.jsonl") {
        "is the folder of a run that has written no model".into()
    } else if has("model_index.json") {
        "is a pipeline of diffusers, not a language model".into()
    } else if has("snapshots") && has("refs") {
        "is the Hub's cache of a model; the model is in a folder below snapshots/".into()
    } else if let Some(name) = starts("checkpoint-") {
        format!("is the folder of a training run; its models are in folders such as {name}")
    } else if has("params.json") && starts("consolidated.").is_some() {
        "is in the layout of the model's makers: convert it to Hugging Face's".into()
    } else if let Some(name) = names.iter().find(|name| other(name).is_some()) {
        let what = other(name).unwrap_or_default();
        format!("no config.json, but {name}: {what}")
    } else if has("tokenizer.json") || has("tokenizer_config.json") || has("tokenizer.model") {
        "has a tokenizer only: no config.json and no weights".into()
    } else if has("dataset_infos.json") || has("dataset_info.json") || any(&data) {
        "has data, not a model: no config.json".into()
    } else {
        return Ok(());
    };
    Err(failed(folder, what))
}

fn adapter(settings: &Value, beside: bool) -> String {
    let kind = settings["peft_type"].as_str().unwrap_or("no peft_type");
    let base = settings["base_model_name_or_path"].as_str();
    let base = base.unwrap_or("a model that it does not name");
    match beside {
        false => format!(
            "is an adapter ({kind}) of {base}: merge it into that model with peft's \
             merge_and_unload() and give the merged folder"
        ),
        true => format!(
            "has an adapter ({kind}) of {base} beside a config.json: merge it into that model, or \
             take adapter_config.json away"
        ),
    }
}

/// What is in a folder instead of weights, for the end of a message that they are missing.
pub(super) fn hint(folder: &Path) -> String {
    let names = names(folder);
    let found = names.iter().find_map(|name| Some((name, other(name)?)));
    found.map_or_else(String::new, |(name, what)| {
        format!(" ({name} is not read: {what})")
    })
}

/// Whether a path reads like `owner/name`.
fn is_hub_name(path: &str) -> bool {
    let words: Vec<&str> = path.split('/').collect();
    let is_word = |word: &&str| !word.is_empty() && !word.starts_with('.');
    words.len() == 2 && words.iter().all(is_word)
}

fn other(name: &str) -> Option<&'static str> {
    let found = FILES
        .iter()
        .find(|(ends, _)| ends.iter().any(|end| name.ends_with(end)));
    found.map(|(_, what)| *what)
}

/// Of its files and folders, in order, without what a training loop leaves beside a model.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let beside = ["training_args.", "optimizer.", "scheduler.", "rng_state"];
    let names = names.filter(|name| !beside.iter().any(|start| name.starts_with(start)));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
