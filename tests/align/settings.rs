//! Settings: what they are, what is refused, and where errors point.

use crate::common::World;
use burn_kto::Error;
use burn_kto::align::{Alignment, Layers, Method, Settings};

fn settings(toml: &str) -> Result<Settings, Error> {
    let mut layers = Layers::new();
    layers.text("run.toml", toml)?;
    layers.settings()
}

/// What reading or checking these settings says.
fn refusal(toml: &str) -> String {
    let checked = settings(toml).and_then(|settings| settings.validate());
    match checked {
        Ok(()) => panic!("not refused: {toml}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn settings_survive_the_round_trip() {
    let toml = "seed = 9\nmodel = 'm'\n[data]\npath = 'd'\nthreshold = 3\npairs = 'all'\nformat = 'hh'\n[method]\nname = 'dpo'\nvariant = 'robust'\nlabel_smoothing = 0.2\n[reference]\nname = 'moving'\n[optimizer]\nmax_grad_norm = inf\n[[sampler.sources]]\nrows = 3\nweight = 1";
    let settings = settings(toml).unwrap();
    let text = settings.to_toml().unwrap();
    let again: Settings = toml::from_str(&text).unwrap();
    assert_eq!(again.to_toml().unwrap(), text);
    assert_eq!(format!("{again:?}"), format!("{settings:?}"));
    assert_eq!(settings.trainer_config().optimizer.max_grad_norm, None);
    for name in Method::NAMES {
        let settings = self::settings(&format!("[method]\nname = '{name}'")).unwrap();
        assert_eq!(settings.method.name(), name);
        let again: Settings = toml::from_str(&settings.to_toml().unwrap()).unwrap();
        assert_eq!(again.method, settings.method);
        settings.validate().unwrap();
    }
}

#[test]
fn what_is_not_known_is_named_with_its_line_and_what_is_near() {
    let cases = [
        (
            "seed = 1\nsede = 2",
            "run.toml:2: sede is not a setting; did you mean seed?",
        ),
        (
            "\n[trainer]\n\nwarmpu = 0.1",
            "run.toml:4: warmpu is not a setting; did you mean warmup?",
        ),
        (
            "[trainr]\nwarmup = 0.1",
            "run.toml:1: trainr is not a setting; did you mean trainer?",
        ),
        (
            "[method]\nname = 'kto'\nbetta = 1",
            "run.toml:3: betta is not a setting of method kto; did you mean beta?",
        ),
        (
            "[method]\nname = 'ktoo'",
            "run.toml:2: name must be one of sft, kto,",
        ),
        (
            "[method]\nname = 'dpo'\nvariant = 'hing'",
            "run.toml:3: variant must be one of sigmoid, hinge,",
        ),
        (
            "[method]\nkl = { scope = 'windw' }",
            "run.toml:2: kl must be one of window, micro-batch, moving-average, fixed, got windw; did you mean window?",
        ),
        (
            "[method]\nkl = { scope = 'window', decay = 1 }",
            "run.toml:2: decay is not a setting",
        ),
        (
            "[trainer]\nepochs = 'two'",
            "run.toml:2: epochs: invalid type: string \"two\", expected usize",
        ),
        (
            "seed = -1",
            "run.toml:1: seed: invalid value: integer `-1`, expected u64",
        ),
        (
            "[reference]\nname = 'frozen'\nmix = 0.1",
            "run.toml:3: mix: mix is for moving, not for frozen",
        ),
        (
            "device = 'tpu'",
            "run.toml:1: device: device must be one of",
        ),
        (
            "[method]\nbalance = 'half'",
            "run.toml:2: balance: must be \"three-halves\", \"four-thirds\" or a number",
        ),
        ("a = 1\nb =", "run.toml:2: "),
        (
            "[method]\nname = 'mixed'\n[[method.parts]]\nbeta = 1\n[[method.parts]]\n[[method.parts]]\nbeta = 1\nbetta = 2",
            "run.toml:8: betta is not a setting; did you mean beta?",
        ),
        (
            "seed = 1\nmethod = 'dop'",
            "run.toml:2: name must be one of sft, kto,",
        ),
    ];
    for (toml, expected) in cases {
        let said = refusal(toml);
        assert!(said.starts_with(expected), "{said}\nfor {expected}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn what_the_method_would_ignore_is_refused() {
    let cases = [
        (
            "method = { name = 'dpo', desirable_weight = 2 }",
            "run.toml:1: desirable_weight is a setting of kto, apo-zero, not of method dpo",
        ),
        (
            "method = { name = 'sft', beta = 0.1 }",
            "run.toml:1: beta is a setting of kto, apo-zero, bco, dpo,",
        ),
        (
            "method = { name = 'kto', wpo = true }",
            "run.toml:1: wpo is a setting of dpo, beta-dpo, mixed,",
        ),
        (
            "method = { name = 'dpo', variant = 'hinge', label_smoothing = 0.1 }",
            "method.label_smoothing: is for variant sigmoid, exo-pair, robust, aot and aot-unpaired, got hinge",
        ),
        (
            "method = { name = 'dpo', temperature = 0.1 }",
            "method.temperature: is for variant disco-pop, got sigmoid",
        ),
        (
            "method = { name = 'dpo', divergence_alpha = 0.1 }",
            "method.divergence_alpha: is for divergence = \"alpha\", got reverse-kl",
        ),
        (
            "method = { name = 'dpo', variant = 'aot', wpo = true }",
            "method.wpo: aot sorts a batch",
        ),
        (
            "method = { name = 'beta-dpo', variant = 'aot' }",
            "method.variant: aot sorts a batch",
        ),
        (
            "method = { name = 'simpo', gamma = 1, gamma_ratio = 1 }",
            "method.gamma: and gamma_ratio say the same",
        ),
        (
            "method = { name = 'cpo', alpha = 1 }",
            "method.alpha: is for variant alpha-po, got sigmoid",
        ),
        (
            "method = { name = 'kto', balance = 1, desirable_weight = 2 }",
            "method.balance: sets desirable_weight",
        ),
        (
            "method = { name = 'kto', weights_from_counts = {}, undesirable_weight = 2 }",
            "method.weights_from_counts: sets desirable_weight",
        ),
        (
            "method = { name = 'dpo', beta_target = {} }",
            "method.beta_target.metric: is not reported by this method, got kl/raw: choose one of rewards/margins, rewards/accuracies,",
        ),
        (
            "method = { name = 'bco', beta_target = { target = 1 } }",
            "method.beta_target.metric: is not reported",
        ),
        (
            "method = { name = 'apo-zero', beta_target = {} }",
            "method.beta_target.metric: is not reported",
        ),
        (
            "method = { name = 'kto', beta_target = {}, kl = { scope = 'fixed', value = 0 } }",
            "method.beta_target.metric: is not reported",
        ),
        (
            "method = { name = 'kto', kl = { scope = 'fixed', value = 0 } }\nreference = { name = 'free' }",
            "method.kl: a fixed z0 needs a reference",
        ),
        (
            "method = { name = 'apo-zero' }\nreference = { name = 'free' }",
            "method: a fixed z0 needs a reference",
        ),
        (
            "method = { name = 'kto', humanline = [-1, 1] }\nreference = { name = 'free' }",
            "method.humanline: bounds log-ratios",
        ),
        (
            "method = { name = 'dpo', ld_alpha = 0.5 }\nreference = { name = 'cached' }",
            "method.ld_alpha: looks at single tokens",
        ),
        (
            "method = { name = 'simpo' }\nreference = { name = 'cached' }",
            "reference: is for kto, apo-zero, bco, dpo,",
        ),
        (
            "method = { name = 'dpo' }\nsampler = { stratified = true }",
            "sampler.stratified: is for thumbs: kto, apo-zero, bco; got method dpo",
        ),
        (
            "method = { name = 'dpo' }\ndata = { threshold = 3 }",
            "data.threshold: is for thumbs",
        ),
        ("data = { score_cap = 3 }", "data.score_cap: weighs thumbs"),
        (
            "data = { every_turn = true }",
            "data.every_turn: is for demonstrations: sft; got method kto",
        ),
        (
            "data = { pairs = 'all' }",
            "data.pairs: is for methods on pairs; got method kto",
        ),
        (
            "data = { max_length = 8, max_prompt_length = 8 }",
            "data.max_prompt_length: must be less than max_length, so that completions fit; got 8 of 8",
        ),
        (
            "sampler = { mixing = 'all-exhausted' }",
            "sampler.mixing: says how sources are mixed: it needs sampler.sources",
        ),
        (
            "method = { name = 'kto', beta = -1 }",
            "beta must be positive and finite, got -1",
        ),
        (
            "data = { held_out = 1.0 }",
            "held_out must be in [0, 1), got 1",
        ),
        (
            "trainer = { warmup = 2 }",
            "warmup must be in [0, 1], got 2",
        ),
        (
            "output = { folder = '' }",
            "output.folder: must name a folder, got an empty text",
        ),
        (
            "method = { name = 'mixed', parts = [] }",
            "parts must hold at least one loss, got none",
        ),
    ];
    for (toml, expected) in cases {
        let said = refusal(toml);
        assert!(said.starts_with(expected), "{said}\nfor {expected}");
    }
}

#[test]
fn what_is_missing_or_there_already_is_said_before_anything_slow() {
    let world = World::new();
    let run = |change: &dyn Fn(&mut Settings)| {
        let mut settings = world.settings("thumbs", "out", "");
        change(&mut settings);
        let alignment = Alignment::new(settings);
        alignment
            .run(&mut |event| panic!("{event}"))
            .unwrap_err()
            .to_string()
    };
    assert!(run(&|s| s.model = None).starts_with("model: says what to align"));
    assert!(run(&|s| s.data.path = None).starts_with("data.path: says what to learn from"));
    let error = run(&|s| s.model = Some(world.path("none")));
    assert!(error.ends_with("none: is not a folder"), "{error}");
    let error = run(&|s| s.data.max_length = Some(33));
    assert_eq!(
        error,
        "data.max_length: must not be more than the model reads, got 33 for a model of 32"
    );
    let error = run(&|s| s.output.folder = world.path("model"));
    assert!(error.ends_with("choose another --out"), "{error}");
    std::fs::create_dir_all(world.path("out/model")).unwrap();
    let error = run(&|_| {});
    assert!(
        error.ends_with("a model is there: choose another --out"),
        "{error}"
    );
    std::fs::remove_dir_all(world.path("out")).unwrap();
    std::fs::create_dir_all(world.path("out/checkpoint.old")).unwrap();
    let occupied = |resume: bool| {
        let alignment = Alignment::new(world.settings("thumbs", "out", ""));
        let alignment = match resume {
            true => alignment.with_resume(),
            false => alignment,
        };
        alignment.run(&mut |event| panic!("{event}")).unwrap_err()
    };
    assert!(occupied(false).is_occupied());
    std::fs::remove_dir_all(world.path("out")).unwrap();
    std::fs::create_dir_all(world.path("out")).unwrap();
    std::fs::write(world.path("out/metrics.jsonl"), "{}\n").unwrap();
    assert!(occupied(false).is_occupied());
    let error = occupied(true).to_string();
    assert!(error.starts_with("resume: no checkpoint in "), "{error}");
    assert!(!world.path("out/run.toml").exists());
}

#[test]
fn data_is_read_before_weights() {
    let world = World::new();
    std::fs::write(world.path("model/model.safetensors"), "damaged").unwrap();
    let run = |data: &str| world.run(data, "out", "").unwrap_err().to_string();
    assert!(run("thumb").contains("thumb.jsonl"));
    assert!(run("thumbs").contains("model"));
}
