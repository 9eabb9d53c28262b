//! What is made of data and may stand in its folder: runs, checkpoints, models, token caches.

use std::fs;
use std::path::Path;

/// Files of a run beside its checkpoint and its model.
const OF_RUN: [&str; 3] = ["trainer.json", "sampler.json", "metrics.jsonl"];

/// Whether a folder is that of a run, which may have been begun in the folder of its data.
pub(super) fn is_run(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    has("run.toml") || has("metrics.jsonl") && (has("trainer.json") || has("checkpoint"))
}

/// Whether a run writes a file of this name.
pub(super) fn is_of_run(name: &str) -> bool {
    OF_RUN.contains(&name)
}

/// Whether nothing in a folder is data: it is that of a run, a checkpoint, a model or tokens.
pub(super) fn is_made(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    let is_checkpoint = has("state.json") && (has("model.bpk") || has("optimizer.bpk"));
    let is_cache = has("tokens.bin") && has("index.bin");
    let configured = ["config.json", "adapter_config.json", "model_index.json"];
    let is_model = configured.into_iter().any(has) && has_weights(folder);
    is_run(folder) || is_checkpoint || is_cache || is_model
}

fn has_weights(folder: &Path) -> bool {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.map(|entry| entry.path()).any(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ["safetensors", "bin", "gguf"].contains(&ending))
    })
}
