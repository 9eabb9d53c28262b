//! Settings on each other, and presets.

use burn_kto::align::{Kl, Layers, Method, Preset, Settings};
use burn_kto::reference::ReferenceChoice;

/// The settings of these texts, each on those before.
fn laid(texts: &[&str]) -> Settings {
    let mut layers = Layers::new();
    for text in texts {
        layers.text("x.toml", text).unwrap();
    }
    layers.settings().unwrap()
}

fn is_value(line: &str) -> bool {
    line.contains(" = ") && !line.starts_with('#')
}

#[test]
fn a_section_without_a_name_is_of_the_default() {
    let settings = laid(&["[method]\nbeta = 0.5", "[method]\nname = 'dpo'"]);
    assert_eq!(settings.method, Method::Dpo(Default::default()));
    let settings = laid(&["[method]\nbeta = 0.5", "[method]\nname = 'kto'"]);
    assert!(matches!(settings.method, Method::Kto(kto) if kto.beta == 0.5));
    let kl = |texts: &[&str]| match laid(texts).method {
        Method::Kto(kto) => kto.kl,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        kl(&["method.kl.clamp = false"]),
        Kl::Window { clamp: false }
    );
    assert_eq!(
        kl(&["method.kl.clamp = false", "method.kl.scope = 'micro-batch'"]),
        Kl::MicroBatch { clamp: true }
    );
    let settings = laid(&[
        "reference = { name = 'moving', mix = 0.5 }",
        "reference = 'cached'",
    ]);
    assert!(matches!(settings.reference, ReferenceChoice::Cached));
}

#[test]
fn another_method_drops_reference_and_learning_rate() {
    let below =
        "method = 'kto'\nreference = 'free'\ntrainer = { learning_rate = 1e-3, epochs = 3 }";
    let settings = laid(&[below, "method = 'simpo'"]);
    assert!(matches!(settings.reference, ReferenceChoice::Frozen));
    assert_eq!(
        (settings.trainer.learning_rate, settings.trainer.epochs),
        (None, 3)
    );
    settings.validate().unwrap();
    let settings = laid(&[
        below,
        "method = 'dpo'\nreference = 'cached'\ntrainer.learning_rate = 1e-4",
    ]);
    assert!(matches!(settings.reference, ReferenceChoice::Cached));
    assert_eq!(settings.trainer.learning_rate, Some(1e-4));
    // The same method, or none below: nothing is dropped.
    for texts in [
        [below, "method = { name = 'kto', beta = 0.2 }"],
        [
            "reference = 'free'\ntrainer = { learning_rate = 1e-3 }",
            "method = 'dpo'",
        ],
    ] {
        let settings = laid(&texts);
        assert!(matches!(settings.reference, ReferenceChoice::Free));
        assert_eq!(settings.trainer.learning_rate, Some(1e-3));
    }
}

#[test]
fn layers_lie_on_each_other() {
    let mut layers = Layers::new();
    layers.preset(Preset::Kto);
    layers
        .text("a.toml", "seed = 5\n[method]\nbeta = 0.3")
        .unwrap();
    layers.set("--set", "method.kl.scope=micro-batch").unwrap();
    layers.set("--set", "trainer.warmup = 0.4").unwrap();
    layers.put("--beta", "method.beta", 0.4);
    let settings = layers.settings().unwrap();
    let Method::Kto(kto) = &settings.method else {
        panic!()
    };
    assert_eq!(
        (kto.beta, settings.seed, settings.trainer.warmup),
        (0.4, 5, 0.4)
    );
    assert_eq!(settings.optimizer.max_grad_norm, 10.0);
    // Another method takes nothing over.
    layers.put("--method", "method.name", "sft");
    assert_eq!(
        layers.settings().unwrap().method,
        Method::Sft(Default::default())
    );
    layers.set("--set", "method.varian=nll").unwrap();
    let error = layers.settings().unwrap_err().to_string();
    assert!(
        error.starts_with(
            "--set method.varian: varian is not a setting of method sft; did you mean variant?"
        ),
        "{error}"
    );
    for wrong in ["trainer.warmup", "=1", "a..b=1", "a="] {
        assert!(layers.set("--set", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn presets_have_the_papers_values() {
    let of = |preset: Preset| {
        let mut layers = Layers::new();
        layers.preset(preset);
        let settings = layers.settings().unwrap();
        settings.validate().unwrap();
        settings
    };
    for preset in Preset::ALL {
        let settings = of(preset);
        assert_eq!(settings.trainer.batch_size, 32, "{preset}");
        assert!(
            preset.toml().starts_with("# "),
            "{preset}: where is it from?"
        );
        assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
        let given: toml::Table = preset.toml().parse().unwrap();
        for (section, names) in [
            ("trainer", "learning_rate epochs batch_size warmup schedule"),
            (
                "optimizer",
                "beta_1 beta_2 epsilon weight_decay decay max_grad_norm",
            ),
        ] {
            for name in names.split(' ') {
                assert!(given[section].get(name).is_some(), "{preset}: {name}");
            }
        }
        for line in preset.toml().lines().filter(|line| is_value(line)) {
            let (_, whose) = line.split_once("# ").unwrap();
            let known = ["paper", "HALOs", "ours"];
            assert!(
                known.iter().any(|k| whose.starts_with(k)),
                "{preset}: {line}"
            );
        }
    }
    let kto = |preset| match of(preset).method {
        Method::Kto(kto) => (kto.beta, kto.desirable_weight, kto.undesirable_weight),
        other => panic!("{other:?}"),
    };
    assert_eq!(kto(Preset::Kto), (0.1, 1.0, 1.0));
    assert_eq!(kto(Preset::KtoAfterSft), (0.05, 1.0, 1.0));
    assert_eq!(kto(Preset::KtoReferenceFree), (0.1, 1.75, 1.0));
    let reference = of(Preset::KtoReferenceFree).reference;
    assert!(matches!(reference, ReferenceChoice::Free));
    assert_eq!(of(Preset::Kto).trainer.learning_rate, Some(5e-6));
    assert_eq!(of(Preset::Dpo).trainer.learning_rate, Some(5e-7));
    assert_eq!(of(Preset::Sft).trainer.learning_rate, Some(2e-5));
    let error = "kot".parse::<Preset>().unwrap_err().to_string();
    assert!(
        error.contains("must be one of sft, kto,") && error.ends_with("got kot; did you mean kto?"),
        "{error}"
    );
}
