//! Objectives around another one pass everything on that they do not do themselves.

use super::*;
use burn::tensor::Tensor;
use burn_kto::train::Fingerprint;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// All methods of [`Objective`], each of which [`passes_on_everything`] looks at.
const METHODS: [&str; 13] = [
    "evaluate",
    "check",
    "fingerprint",
    "prepare",
    "weight",
    "tokens",
    "facts",
    "observe",
    "settings",
    "relative_rewards",
    "identity",
    "state",
    "restore",
];

/// Answers what no default does, and writes down what it was asked.
#[derive(Clone, Debug, Default)]
struct Probe {
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Probe {
    fn note(&self, method: &'static str) {
        self.asked.lock().unwrap().push(method);
    }
}

impl<M, R> Objective<M, R> for Probe {
    type Batch = PreferenceBatch;
    type Output = Tensor<1>;

    fn evaluate(&self, _policy: &M, _reference: &R, _batch: PreferenceBatch) -> Tensor<1> {
        self.note("evaluate");
        Tensor::from_data([2.5], &device())
    }

    fn prepare(&self, _policy: &M, _reference: &R, window: &mut [PreferenceBatch]) {
        self.note("prepare");
        window[0].mean_length = Some(9.0);
    }

    fn weight(&self, _batch: &PreferenceBatch) -> f64 {
        self.note("weight");
        3.5
    }

    fn tokens(&self, _batch: &PreferenceBatch) -> usize {
        self.note("tokens");
        17
    }

    fn facts(&self, _batch: &PreferenceBatch) -> Vec<(&'static str, f64, f64)> {
        self.note("facts");
        vec![("probe", 1.0, 2.0)]
    }

    fn check(&self, _policy: &M, _reference: &R, _batch: &PreferenceBatch) -> Result<(), Error> {
        self.note("check");
        let message = "probed".into();
        Err(Error::Usage { message })
    }

    fn fingerprint(&self, _policy: &M, _reference: &R, _batch: &PreferenceBatch) -> Fingerprint {
        self.note("fingerprint");
        let mut fingerprint = Fingerprint::default();
        fingerprint.policy.push(4.5);
        fingerprint
    }

    fn observe(&mut self, _metrics: &Metrics) {
        self.note("observe");
    }

    fn settings(&self) -> Vec<(&'static str, f64)> {
        self.note("settings");
        vec![("probe", 5.0)]
    }

    fn relative_rewards(&self) -> bool {
        self.note("relative_rewards");
        true
    }

    fn identity(&self) -> String {
        self.note("identity");
        "probe".into()
    }

    fn state(&self) -> Value {
        self.note("state");
        json!("probed")
    }

    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        self.note("restore");
        assert_eq!(*state, json!("probed"));
        Ok(())
    }
}

impl Tunable for Probe {
    fn knobs(&self) -> Knobs {
        Knobs {
            beta: 0.1,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
        }
    }

    fn turn(&mut self, _knobs: Knobs) {}
}

fn pairs() -> PreferenceBatch {
    let rows = [TokenizedPreference::new(vec![1, 2], vec![3, 0], vec![4, 0])];
    PreferenceBatcher::new(0).batch(&rows, &device())
}

/// Asks a wrapper everything and sees what reaches the probe inside, and what comes back.
fn passes_on_everything<W>(wrap: impl Fn(Probe) -> W)
where
    W: Objective<Llama, ReferenceFree, Batch = PreferenceBatch, Output = Tensor<1>>,
{
    let probe = Probe::default();
    let mut wrapper = wrap(probe.clone());
    let policy = model();
    let out = wrapper.evaluate(&policy, &ReferenceFree, pairs());
    assert_eq!(out.into_scalar::<f32>(), 2.5);
    let mut window = [pairs()];
    wrapper.prepare(&policy, &ReferenceFree, &mut window);
    assert_eq!(window[0].mean_length, Some(9.0));
    let checked = wrapper.check(&policy, &ReferenceFree, &pairs());
    assert_eq!(checked.unwrap_err().to_string(), "probed");
    let fingerprint = wrapper.fingerprint(&policy, &ReferenceFree, &pairs());
    assert_eq!(fingerprint.policy, [4.5]);
    assert_eq!(wrapper.weight(&pairs()), 3.5);
    assert_eq!(wrapper.tokens(&pairs()), 17);
    assert_eq!(wrapper.facts(&pairs()), [("probe", 1.0, 2.0)]);
    assert_eq!(wrapper.settings()[0], ("probe", 5.0));
    assert!(wrapper.relative_rewards());
    assert!(wrapper.identity().contains("probe"));
    wrapper.observe(&Metrics::default());
    let state = wrapper.state();
    assert!(state.to_string().contains("probed"));
    wrapper.restore(&state).unwrap();
    let asked = probe.asked.lock().unwrap();
    for method in METHODS {
        assert!(asked.contains(&method), "{method} did not reach the probe");
    }
}

#[test]
fn wrappers_pass_on_everything() {
    passes_on_everything(Wpo);
    passes_on_everything(|probe| Controlled::new(probe, Vec::new()).unwrap());
    passes_on_everything(|probe| Wpo(Wpo(probe)));
}

/// What an objective says of a batch and of itself.
fn said<L: Objective<Llama, Frozen<Llama>>>(objective: &L, batch: &L::Batch) -> String {
    let (weight, tokens) = (objective.weight(batch), objective.tokens(batch));
    let (facts, settings) = (objective.facts(batch), objective.settings());
    let relative = objective.relative_rewards();
    format!(
        "{weight} {tokens} {facts:?} {settings:?} {relative} {}",
        objective.state()
    )
}

#[test]
fn modifiers_of_a_loss_say_what_the_loss_says() {
    let rows = feedback(4);
    let batch = BinaryBatcher::new(0, 64).batch(&rows, 1, &device());
    let mut batch = batch.unwrap();
    batch.matched_pairs = Some(1);
    let scope = KlScope::MovingAverage { decay: 0.5 };
    let kl = KlEstimatorConfig::new().with_scope(scope);
    let mut kto = KtoLossConfig::new().with_kl(kl).init();
    let mut bounded = TokenLevelConfig::new().init(kto.clone());
    let mut metrics = Metrics::default();
    metrics.add_spread("kl/raw", KlSums::of(&[3.0, 1.0]));
    Objective::<Llama, Frozen<Llama>>::observe(&mut kto, &metrics);
    Objective::<Llama, Frozen<Llama>>::observe(&mut bounded, &metrics);
    let text = said(&bounded, &batch);
    assert_eq!(text, said(&kto, &batch));
    assert!(
        text.starts_with(r#"4 16 [("kl/matched_fraction", 1.0, 4.0)] [] true 2"#),
        "{text}"
    );

    let dpo = DpoLossConfig::new().init();
    let simpo = SimpoLossConfig::new().init();
    let level = TokenLevelConfig::new().with_ld_alpha(0.5);
    assert_eq!(
        said(&level.init(dpo.clone()), &pairs()),
        said(&dpo, &pairs())
    );
    assert_eq!(
        said(&level.init(simpo.clone()), &pairs()),
        said(&simpo, &pairs())
    );
    assert!(said(&dpo, &pairs()).contains("true") && said(&simpo, &pairs()).contains("false"));
    let beta = BetaDpoConfig::new().init(dpo);
    let text = said(&beta, &pairs());
    assert!(
        text.starts_with("1 8 []") && text.contains("true"),
        "{text}"
    );

    let sft = SftLossConfig::new().init();
    let row: (&[u32], &[u32]) = (&[1, 2], &[3, 4]);
    let sequences = Sequences::padded([row], 0, &device());
    assert_eq!(
        said(&SmoothedSft(sft.clone()), &sequences),
        said(&sft, &sequences)
    );
}

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_method_of_the_trait_is_forwarded() {
    let text = source("src/train/objective/mod.rs");
    let from = text.find("pub trait Objective<M, R> {").unwrap();
    let end = from + text[from..].find("\n}").unwrap();
    let methods: Vec<&str> = text[from..end]
        .lines()
        .filter_map(|line| line.strip_prefix("    fn "))
        .map(|line| line.split(['(', '<']).next().unwrap())
        .collect();
    assert_eq!(
        methods, METHODS,
        "the probe above must look at every method"
    );
    let forward = source("src/train/objective/forward.rs");
    for method in methods {
        let writes = format!("unless! {{ {method} in [");
        assert!(
            forward.contains(&writes),
            "forward.rs does not write {method}"
        );
        let spares = format!("({method} in [{method} ");
        assert!(forward.contains(&spares), "{method} cannot be excepted");
    }
}

/// All `.rs` files of a folder and of those in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    };
    let files = paths.flat_map(of);
    files
        .filter(|path| path.extension().is_some_and(|ext| ext == "rs"))
        .collect()
}

#[test]
fn every_wrapper_forwards() {
    let mut wrappers = Vec::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("\nimpl<").skip(1) {
            let header = block.split(" {").next().unwrap();
            let Some((left, name)) = header.rsplit_once(" for ") else {
                continue;
            };
            if !left.contains("> Objective<") {
                continue;
            }
            let name = name.lines().next().unwrap().to_string();
            // Those with a loss in their name, and those with one in a field.
            let around = name.contains('<') || ["BetaDpo", "SmoothedSft"].contains(&&*name);
            if around {
                let body = &block[..block.find("\n}").unwrap()];
                assert!(
                    body.contains("forward_objective!"),
                    "{name} does not forward"
                );
                wrappers.push(name);
            }
        }
    }
    wrappers.sort();
    let expected = [
        "BetaDpo",
        "Chosen<M, R, B, O>",
        "Controlled<L>",
        "SmoothedSft",
        "TokenLevel<KtoLoss>",
        "TokenLevel<L>",
        "Wpo<L>",
    ];
    assert_eq!(wrappers, expected);
}

#[test]
fn a_controlled_loss_moves_to_another_thread() {
    let beta = BetaToTarget {
        metric: "kl/raw",
        target: 1.0,
        gain: 0.1,
        bounds: (0.01, 1.0),
    };
    let controlled = Controlled::new(kto(), vec![Box::new(beta)]).unwrap();
    let moved = std::thread::spawn(move || controlled.loss().knobs().beta);
    assert_eq!(moved.join().unwrap(), 0.5);
}
