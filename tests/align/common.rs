//! A tiny model folder and feedback for it.

use burn_kto::align::{Alignment, Report, Settings};
use burn_kto::prelude::*;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub(crate) const WORDS: [&str; 12] = [
    "what", "is", "red", "blue", "good", "bad", "yes", "no", "sky", "sea", "very", "?",
];

/// Flags of a run of three steps an epoch.
pub(crate) const TINY: &str =
    "--batch-size 4 --micro-batch-size 2 --held-out 0.25 --learning-rate 1e-3";

/// The metrics of a run without the times in them.
pub(crate) fn metrics(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("tokens_per_second");
        line
    });
    lines.collect()
}

/// A folder with a model, `model/`, and feedback, `thumbs.jsonl`, `pairs.jsonl`, `scores.jsonl` and
/// `demonstrations.jsonl`.
pub(crate) struct World(TempDir);

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_model(&folder.path().join("model"));
        let mut lines = [const { String::new() }; 4];
        for i in 0..12 {
            let word = |k: usize| WORDS[(i + k) % WORDS.len()];
            let prompt = format!("what is {} {} ? ", word(2), word(5));
            let rows = [
                json!({"prompt": prompt, "completion": format!("yes {} {}", word(0), word(3)), "label": i % 2 == 0}),
                json!({"prompt": prompt, "chosen": format!("yes {}", word(1)), "rejected": format!("no {} very", word(4))}),
                json!({"prompt": prompt, "completion": format!("yes {}", word(1)), "score": i}),
                json!({"prompt": prompt, "completion": format!("very {}", word(6))}),
            ];
            for (lines, row) in lines.iter_mut().zip(rows) {
                *lines += &format!("{row}\n");
            }
        }
        for (name, text) in ["thumbs", "pairs", "scores", "demonstrations"]
            .iter()
            .zip(lines)
        {
            std::fs::write(folder.path().join(format!("{name}.jsonl")), text).unwrap();
        }
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Settings of a run of two steps, from TOML.
    pub(crate) fn settings(&self, data: &str, out: &str, toml: &str) -> Settings {
        let mut settings: Settings = toml::from_str(toml).unwrap();
        settings.model = Some(self.path("model"));
        settings.data.path = Some(self.path(&format!("{data}.jsonl")));
        settings.data.held_out = 0.25;
        settings.output.folder = self.path(out);
        settings.trainer.batch_size = 4;
        settings.trainer.micro_batch_size = 2;
        settings.trainer.max_steps = Some(2);
        settings.trainer.learning_rate = Some(1e-3);
        settings
    }

    pub(crate) fn run(&self, data: &str, out: &str, toml: &str) -> Result<Report, Error> {
        let settings = self.settings(data, out, toml);
        Alignment::new(settings)
            .with_progress(Progress::Silent)
            .run(&mut |_| {})
    }

    /// What the program says to these arguments, words of one text, in this folder.
    pub(crate) fn program(&self, arguments: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_burn-kto"))
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    /// Its standard output, if it ends well.
    pub(crate) fn said(&self, arguments: &str) -> String {
        let output = self.program(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Its error, if it fails as a program should.
    pub(crate) fn refused(&self, arguments: &str) -> String {
        let output = self.program(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn write_model(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let special = ["<unk>", "<s>", "</s>"];
    let all = special.iter().chain(&WORDS).enumerate();
    let vocab: serde_json::Map<String, serde_json::Value> = all
        .map(|(id, word)| (word.to_string(), id.into()))
        .collect();
    let added: Vec<_> = special
        .iter()
        .enumerate()
        .map(|(id, word)| {
            json!({"id": id, "content": word, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true})
        })
        .collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null,
        "decoder": null, "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
    });
    let config = json!({"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "add_bos_token": true});
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
    let device = burn::tensor::Device::flex();
    let config = LlamaConfig::new(15, 16, 1, 2).with_max_position_embeddings(32);
    config.init(7, &device).save(folder).unwrap();
}
