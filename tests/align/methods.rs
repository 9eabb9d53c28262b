//! Each method and what can be said of it.

use crate::common::World;
use burn_kto::prelude::*;

/// Data and settings; each with every choice that the library has.
const RUNS: &[(&str, &str)] = &[
    ("demonstrations", "method = { name = 'sft' }"),
    (
        "demonstrations",
        "method = { name = 'sft', label_smoothing = 0.1 }",
    ),
    (
        "demonstrations",
        "method = { name = 'sft', variant = 'dft' }",
    ),
    ("thumbs", "method = { name = 'kto' }"),
    (
        "thumbs",
        "method = { name = 'kto', balance = 'three-halves', value = 'concave' }",
    ),
    (
        "thumbs",
        "method = { name = 'kto', balance = 1.2, value = 'linear' }",
    ),
    (
        "thumbs",
        "method = { name = 'kto', kl = { scope = 'micro-batch', clamp = false } }",
    ),
    (
        "thumbs",
        "method = { name = 'kto', kl = { scope = 'moving-average', decay = 0.9 } }",
    ),
    (
        "thumbs",
        "method = { name = 'kto', kl = { scope = 'fixed', value = 0.1 } }",
    ),
    (
        "thumbs",
        "method = { name = 'kto', humanline = [-1, 1.5] }\nreference = { name = 'moving', mix = 1, every = 1 }",
    ),
    (
        "thumbs",
        "method = { name = 'kto', beta_target = { target = 1.0 }, weights_from_counts = {} }",
    ),
    (
        "thumbs",
        "method = { name = 'kto', humanline = [-1, 1], beta_target = {} }",
    ),
    (
        "thumbs",
        "method = { name = 'kto' }\nreference = { name = 'free' }",
    ),
    (
        "thumbs",
        "method = { name = 'apo-zero' }\nreference = { name = 'cached' }",
    ),
    (
        "thumbs",
        "method = { name = 'bco', shift = 'pooled' }\nsampler = { stratified = true, length_buckets = 2 }",
    ),
    (
        "thumbs",
        "method = { name = 'bco', beta_target = { metric = 'rewards/margins', gain = -0.1 } }\nsampler = { stratified = true }",
    ),
    (
        "scores",
        "method = { name = 'kto' }\ndata = { threshold = 'median', score_cap = 3 }",
    ),
    (
        "scores",
        "method = { name = 'kto' }\ndata = { threshold = { low = 0, high = 11 } }",
    ),
    (
        "scores",
        "method = { name = 'kto' }\ndata = { threshold = 4.5 }",
    ),
    ("pairs", "method = { name = 'kto' }"),
    (
        "pairs",
        "method = { name = 'dpo', ld_alpha = 0.5, wpo = true, beta_target = { metric = 'rewards/margins', gain = -0.1 } }",
    ),
    (
        "pairs",
        "method = { name = 'dpo', humanline = [-1, 1.5], chosen_penalty = 5 }",
    ),
    (
        "pairs",
        "method = { name = 'dpo', beta_target = { metric = 'rewards/chosen', gain = -0.1 } }",
    ),
    (
        "pairs",
        "method = { name = 'dpo' }\nreference = { name = 'moving', every = 1 }",
    ),
    (
        "pairs",
        "method = { name = 'dpo' }\nreference = { name = 'free' }",
    ),
    (
        "pairs",
        "method = { name = 'beta-dpo', keep = 1.0, wpo = true }",
    ),
    (
        "pairs",
        "[[method.parts]]\nweight = 0.8\n[[method.parts]]\nvariant = 'hinge'\n[method]\nname = 'mixed'\nsft_weight = 0.1",
    ),
    ("pairs", "method = { name = 'rpo', ld_alpha = 0.5 }"),
    ("pairs", "method = { name = 'mpo' }"),
    (
        "pairs",
        "method = { name = 'simpo', gamma = 1.0, wpo = true }",
    ),
    ("pairs", "method = { name = 'simpo', humanline = [-1, 1] }"),
    (
        "pairs",
        "method = { name = 'cpo', variant = 'alpha-po', alpha = 0.5, gamma = 0.1 }",
    ),
    ("pairs", "method = { name = 'orpo' }"),
    (
        "pairs",
        "method = { name = 'slic' }\noptimizer = { max_grad_norm = inf, decay = 'all' }",
    ),
];

/// β of each step of a journal that has one.
fn betas(journal: &str) -> Vec<f64> {
    let lines = journal.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["beta"].as_f64()
    });
    lines.flatten().collect()
}

#[test]
fn every_method_runs() {
    let world = World::new();
    for (i, (data, toml)) in RUNS.iter().enumerate() {
        let report = world.run(data, &format!("out{i}"), toml);
        let report = report.unwrap_or_else(|error| panic!("{toml}: {error}"));
        assert_eq!((report.steps, report.interrupted), (2, false), "{toml}");
        let aligned = ModelFolder::open(report.model.unwrap()).unwrap();
        let device = burn::tensor::Device::flex();
        let weights = |folder: &ModelFolder| {
            let model = folder.load(&device).unwrap();
            model.head_weight().into_data()
        };
        let before = ModelFolder::open(world.path("model")).unwrap();
        assert_ne!(weights(&aligned), weights(&before), "{toml}");
        assert!(report.evaluations.len() >= 2, "{toml}");
        // Each step reports the β that it had: the second one has moved.
        let journal = world.path(&format!("out{i}/metrics.jsonl"));
        let betas = betas(&std::fs::read_to_string(journal).unwrap());
        if toml.contains("beta_target") {
            assert!(
                betas.len() == 2 && betas[0] != betas[1],
                "{toml}: {betas:?}"
            );
        }
        // What it used, with everything that was left open, is what it says.
        let text = std::fs::read_to_string(world.path(&format!("out{i}/run.toml"))).unwrap();
        let again: burn_kto::align::Settings = toml::from_str(&text).unwrap();
        assert_eq!(again.to_toml().unwrap(), report.settings.to_toml().unwrap());
        assert_eq!(again.data.max_length, Some(32), "{toml}");
    }
}

/// Data, a method, and settings each of which makes another run of it.
const CHANGES: &[(&str, &str, &[&str])] = &[
    (
        "demonstrations",
        "name = 'sft'",
        &["label_smoothing = 0.1", "variant = 'dft'"],
    ),
    (
        "thumbs",
        "name = 'kto'",
        &[
            "beta = 0.3",
            "desirable_weight = 2",
            "undesirable_weight = 2",
            "balance = 1.2",
            "value = 'concave'",
            "value = 'linear'",
            "kl = { scope = 'fixed', value = 0.5 }",
            "kl = { scope = 'window', clamp = false }",
            "humanline = [-1e-4, 1e-4]",
            "beta_target = {}",
            "weights_from_counts = { interval = 1.4 }",
        ],
    ),
    (
        "thumbs",
        "name = 'apo-zero'",
        &["beta = 0.3", "desirable_weight = 2", "balance = 1.2"],
    ),
    (
        "thumbs",
        "name = 'bco'",
        &["beta = 0.3", "shift = 'pooled'"],
    ),
    (
        "pairs",
        "name = 'dpo'",
        &[
            "beta = 0.3",
            "variant = 'ipo'",
            "label_smoothing = 0.2",
            "divergence = 'js'",
            "ld_alpha = 0.5",
            "humanline = [-1e-4, 1e-4]",
            "wpo = true",
            "beta_target = { metric = 'rewards/margins', gain = -0.1 }",
        ],
    ),
    (
        "pairs",
        "name = 'dpo', variant = 'disco-pop'",
        &["temperature = 0.5"],
    ),
    (
        "pairs",
        "name = 'dpo', divergence = 'alpha'",
        &["divergence_alpha = 0.9"],
    ),
    (
        "pairs",
        "name = 'beta-dpo'",
        &["alpha = 0", "keep = 1.0", "min_beta = 0.5", "wpo = true"],
    ),
    (
        "pairs",
        "name = 'mixed'",
        &["sft_weight = 1", "parts = [{ weight = 1 }, { beta = 1 }]"],
    ),
    (
        "pairs",
        "name = 'rpo'",
        &["beta = 0.3", "sft_weight = 0.5", "ld_alpha = 0.5"],
    ),
    ("pairs", "name = 'mpo'", &["beta = 0.3", "wpo = true"]),
    (
        "pairs",
        "name = 'simpo'",
        &[
            "beta = 3",
            "gamma = 3",
            "gamma_ratio = 2",
            "label_smoothing = 0.1",
            "sft_weight = 1",
        ],
    ),
    (
        "pairs",
        "name = 'cpo'",
        &["beta = 0.3", "label_smoothing = 0.1", "sft_weight = 0.5"],
    ),
    (
        "pairs",
        "name = 'cpo', variant = 'alpha-po'",
        &["alpha = 0.9", "gamma = 2"],
    ),
    (
        "pairs",
        "name = 'orpo'",
        &["beta = 0.3", "sft_weight = 0.5"],
    ),
    (
        "pairs",
        "name = 'slic'",
        &["margin = 100", "sft_weight = 0.5"],
    ),
    ("pairs", "name = 'reward'", &["centring = 1"]),
];

/// Sections besides, for KTO.
const SECTIONS: &[&str] = &[
    "seed = 7",
    "reference = { name = 'free' }",
    "reference = { name = 'moving', every = 1 }",
    "trainer = { warmup = 1.0 }",
    "trainer = { schedule = 'constant' }",
    "optimizer = { weight_decay = 0.5 }",
    "optimizer = { weight_decay = 0.5, decay = 'all' }",
    "optimizer = { max_grad_norm = 1e-3 }",
    "optimizer = { beta_1 = 0.5 }",
    "optimizer = { beta_2 = 0.5 }",
    "optimizer = { epsilon = 1e-2 }",
    "sampler = { keep_desirable = 0.5 }",
    "sampler = { keep_undesirable = 0.5 }",
    "data = { max_length = 8 }",
    "data = { limit = 6 }",
];

#[test]
fn every_setting_makes_another_run() {
    let world = World::new();
    let mut runs = 0;
    let mut weights = |data: &str, toml: &str| {
        runs += 1;
        let report = world.run(data, &format!("out{runs}"), toml);
        let report = report.unwrap_or_else(|error| panic!("{toml}: {error}"));
        let weights = report.model.unwrap().join("model.safetensors");
        std::fs::read(weights).unwrap()
    };
    let mut without_effect = Vec::new();
    for (data, method, settings) in CHANGES {
        let plain = weights(data, &format!("method = {{ {method} }}"));
        for setting in *settings {
            if weights(data, &format!("method = {{ {method}, {setting} }}")) == plain {
                without_effect.push(format!("{method}, {setting}"));
            }
        }
    }
    let unclamped =
        |kl: &str| format!("method = {{ name = 'kto', kl = {{ {kl}, clamp = false }} }}");
    let plain = weights("thumbs", &unclamped("scope = 'window'"));
    for kl in [
        "scope = 'micro-batch'",
        "scope = 'moving-average', decay = 0.9",
    ] {
        if weights("thumbs", &unclamped(kl)) == plain {
            without_effect.push(kl.into());
        }
    }
    let mut seen = vec![("nothing", weights("thumbs", ""))];
    for section in SECTIONS {
        let weights = weights("thumbs", section);
        if let Some((other, _)) = seen.iter().find(|(_, others)| *others == weights) {
            without_effect.push(format!("{section}, as {other}"));
        }
        seen.push((section, weights));
    }
    assert!(
        without_effect.is_empty(),
        "without effect: {without_effect:#?}"
    );
}

#[test]
fn every_variant_and_divergence_of_dpo_runs() {
    let world = World::new();
    let variants = "sigmoid hinge ipo exo-pair nca-pair robust bco-pair sppo-hard aot aot-unpaired apo-zero apo-down disco-pop sigmoid-norm";
    let variants = variants
        .split(' ')
        .map(|name| format!("variant = '{name}'"));
    let divergences = ["reverse-kl", "forward-kl", "js", "alpha"];
    let divergences = divergences.map(|name| format!("divergence = '{name}'"));
    for (i, choice) in variants.chain(divergences).enumerate() {
        let toml = format!("method = {{ name = 'dpo', {choice} }}\ntrainer = {{ epochs = 1 }}");
        let report = world.run("pairs", &format!("out{i}"), &toml);
        assert_eq!(report.unwrap().steps, 2, "{choice}");
    }
}

#[test]
fn a_reward_model_is_a_folder_with_a_head() {
    let world = World::new();
    let toml = "method = { name = 'reward', centring = 0.01 }";
    let report = world.run("pairs", "out", toml).unwrap();
    let device = burn::tensor::Device::flex();
    let model = RewardModel::<Llama>::load(report.model.unwrap(), &device).unwrap();
    let rows: [(&[u32], &[u32]); 2] = [(&[1, 5, 6], &[7, 2]), (&[1, 4], &[8, 2])];
    let rewards = model.rewards(&Sequences::padded(rows, 0, &device));
    let rewards: Vec<f32> = rewards.into_data().iter().collect();
    assert!(rewards[0] != 0.0 && rewards[0] != rewards[1], "{rewards:?}");
    let error = RewardModel::<Llama>::load(world.path("model"), &device).unwrap_err();
    assert!(
        error.to_string().contains("no score.safetensors"),
        "{error}"
    );
}

/// Takes the tokenizer away while the run goes on.
struct Thief(std::path::PathBuf);

impl Hook for Thief {
    fn on_step(&mut self, _done: &StepDone<'_>) -> Result<(), Error> {
        let _ = std::fs::remove_file(&self.0);
        Ok(())
    }
}

#[test]
fn a_folder_without_its_tokenizer_is_no_result() {
    let world = World::new();
    let alignment = burn_kto::align::Alignment::new(world.settings("thumbs", "out", ""));
    let alignment = alignment.with_hook(Thief(world.path("model/tokenizer.json")));
    let run = alignment.with_progress(Progress::Silent).run(&mut |_| {});
    let error = run.unwrap_err().to_string();
    assert!(
        error.ends_with("its tokenizer.json is gone since it was opened"),
        "{error}"
    );
    assert!(!world.path("out/model").exists());
}

#[test]
fn a_cache_gives_the_same_run() {
    let world = World::new();
    let weights =
        |out: &str| std::fs::read(world.path(out).join("model/model.safetensors")).unwrap();
    world.run("thumbs", "plain", "").unwrap();
    for out in ["first", "second"] {
        let mut settings = world.settings("thumbs", out, "");
        settings.data.cache = Some(world.path("cache"));
        let alignment = burn_kto::align::Alignment::new(settings);
        let mut cached = Vec::new();
        let done = alignment.with_progress(Progress::Silent).run(&mut |event| {
            if let burn_kto::align::Event::Encoded { cached: from, .. } = event {
                cached.push(*from);
            }
        });
        done.unwrap();
        assert_eq!(cached, [out == "second"; 2]);
        assert_eq!(weights(out), weights("plain"));
    }
}
