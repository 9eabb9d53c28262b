//! Reference numbers of TRL, HALOs and Liger.
//!
//! `tests/golden` keeps a selection, so that the crate proves itself anywhere; where the whole collection stands beside the repository, all of
//! it is compared. A case is either compared or excluded below, with the reason.

use crate::common::*;
use burn::tensor::{Bool, Tensor, TensorData};
use burn_kto::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is not compared: family, beginning of the case's name, and why.
const EXCLUDED: &[(&str, &str, &str)] = &[
    (
        "logps",
        "selective_log_softmax_temperature",
        "temperature is the caller's: divide the logits",
    ),
    (
        "kto",
        "halos_humanline",
        "humanline clamps tokens, which is not part of the loss",
    ),
    (
        "dpo",
        "halos_dpo_humanline",
        "humanline clamps tokens, which is not part of the loss",
    ),
    ("dpo", "sft_", "SftLoss is a loss of its own"),
    ("dpo", "sigmoid_ld_alpha", "LD-DPO is not there yet"),
    ("dpo", "ipo_ld_alpha", "LD-DPO is not there yet"),
    ("dpo", "sigmoid_wpo", "WPO is not there yet"),
    ("dpo", "ipo_wpo", "WPO is not there yet"),
    ("dpo", "robust_wpo", "WPO is not there yet"),
    ("dpo", "bco_pair_wpo", "WPO is not there yet"),
    ("dpo", "nca_pair_wpo", "WPO is not there yet"),
    ("dpo", "apo_zero_wpo", "WPO is not there yet"),
    ("dpo", "sppo_hard_wpo", "WPO is not there yet"),
    ("dpo", "mpo_", "sums of losses are not there yet"),
    ("dpo", "rpo_", "sums of losses are not there yet"),
    (
        "dpo",
        "v024_exo_pair_eps0",
        "0.24 silently uses 1e-3 for 0; here 0 is refused",
    ),
    (
        "dpo",
        "v024_alpha",
        "0.24 has another alpha (1 − a) and keeps no constant; 1.16's is here",
    ),
    (
        "dpo",
        "v024_bco_pair",
        "0.24 subtracts a running mean; the paper's BCO is a loss of its own",
    ),
    (
        "dpo",
        "v024_ipo",
        "0.24 divides by lengths before the loss; compared in 1.16's form",
    ),
    ("dpo", "halos_simpo", "SimPO is not there yet"),
    ("dpo", "halos_slic", "SLiC is not there yet"),
    (
        "dpo",
        "halos_ipo",
        "HALOs counts tokens whose log-ratio is not 0; compared in TRL's form",
    ),
    ("sft", "dft_", "DFT is not there yet"),
    (
        "sft",
        "nll_label_smoothing",
        "label smoothing is not there yet",
    ),
    (
        "sft",
        "nll_num_items",
        "the trainer weights batches by their tokens instead",
    ),
];

/// Cases of each family that have to be compared in the whole collection.
const WHOLE: [(&str, usize); 4] = [("logps", 16), ("kto", 102), ("dpo", 103), ("sft", 6)];

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn floats(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(floats).collect(),
        Value::Bool(b) => vec![f64::from(u8::from(*b))],
        Value::String(text) => vec![text.parse().unwrap()],
        number => vec![
            number
                .as_f64()
                .unwrap_or_else(|| panic!("not a number: {number}")),
        ],
    }
}

fn float(value: &Value) -> f64 {
    floats(value)[0]
}

fn ints(value: &Value) -> Vec<i64> {
    floats(value).into_iter().map(|x| x as i64).collect()
}

fn bools(value: &Value) -> Vec<bool> {
    floats(value).into_iter().map(|x| x != 0.0).collect()
}

fn shape<const D: usize>(value: &Value) -> [usize; D] {
    let mut value = value;
    std::array::from_fn(|_| {
        let list = value.as_array().unwrap();
        value = list.first().unwrap_or(&Value::Null);
        list.len()
    })
}

fn flags<const D: usize>(values: &[bool], shape: [usize; D]) -> Tensor<D, Bool> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &device())
}

/// Sum over the last dimension of `[rows, columns]` values.
fn row_sums(values: &[f64], columns: usize) -> Vec<f64> {
    values.chunks(columns).map(|row| row.iter().sum()).collect()
}

/// Compares every case of a file; returns how many, the largest differences of values and of gradients, and which exclusions were met.
fn compare(family: &str, path: &Path) -> (usize, f64, f64, BTreeSet<usize>) {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap();
    let (mut compared, mut met) = (0, BTreeSet::new());
    let mut worst = Worst::default();
    for case in file["cases"].as_array().unwrap() {
        let name = case["case"].as_str().unwrap();
        let excluded = EXCLUDED
            .iter()
            .position(|(f, beginning, _)| *f == family && name.starts_with(beginning));
        if let Some(index) = excluded {
            met.insert(index);
            continue;
        }
        match family {
            "logps" => logps(case, &mut worst),
            "kto" => kto(case, &mut worst),
            "dpo" => dpo(case, &mut worst),
            "sft" => sft(case, &mut worst),
            other => panic!("no test reads golden family {other}"),
        }
        compared += 1;
    }
    (compared, worst.value, worst.gradient, met)
}

#[derive(Default)]
struct Worst {
    value: f64,
    gradient: f64,
}

impl Worst {
    #[track_caller]
    fn value(&mut self, what: &str, got: &[f64], expected: &Value, tolerance: f64) {
        let off = assert_close(what, got, &floats(expected), tolerance);
        self.value = self.value.max(off);
    }

    #[track_caller]
    fn gradient(&mut self, what: &str, got: &[f64], expected: &Value, tolerance: f64) {
        let off = assert_close(what, got, &floats(expected), tolerance);
        self.gradient = self.gradient.max(off);
    }
}

fn logps(case: &Value, worst: &mut Worst) {
    let (name, inputs, expected) = (&case["case"], &case["inputs"], &case["expected"]);
    let what = |field: &str| format!("{name} {field}");
    let dims: [usize; 3] = shape(&inputs["logits"]);
    let [rows, seq, _] = dims;
    let logits = leaf(&floats(&inputs["logits"]), dims);
    let labels = int(&ints(&inputs["labels"]), [rows, seq]);
    let targets = labels.narrow(1, 1, seq - 1);
    let mask = targets.clone().not_equal_elem(-100);
    let tokens = token_log_probs(logits.clone().narrow(1, 0, seq - 1), targets);
    let sums = sequence_log_probs(tokens.clone(), mask.clone());
    let means = average_log_probs(tokens.clone(), mask);
    worst.value(
        &what("tokens"),
        &values(tokens),
        &expected["token_logps"],
        VALUE,
    );
    worst.value(
        &what("sums"),
        &values(sums.clone()),
        &expected["sum_logps"],
        VALUE,
    );
    // Where nothing is scored the peers' mean is NaN; here it is 0.
    let want: Vec<f64> = floats(&expected["avg_logps"])
        .iter()
        .map(|x| if x.is_nan() { 0.0 } else { *x })
        .collect();
    worst.value(&what("means"), &values(means), &want.into(), VALUE);
    let loss = (sums * vector(&floats(&inputs["grad_weights"]))).sum();
    let grad = logits.grad(&loss.backward()).unwrap();
    let want = &expected["grad_logits_of_weighted_sum"];
    worst.gradient(&what("gradient"), &values(grad), want, GRADIENT);
}

fn kto(case: &Value, worst: &mut Worst) {
    match case["convention"].as_str().unwrap() {
        "trl" => kto_trl(case, worst),
        "halos" => kto_halos(case, worst),
        "liger" => kto_liger(case, worst),
        other => panic!("unknown convention {other}"),
    }
}

fn kto_config(inputs: &Value) -> KtoLossConfig {
    KtoLossConfig::new()
        .with_beta(float(&inputs["beta"]))
        .with_desirable_weight(float(&inputs["desirable_weight"]))
        .with_undesirable_weight(float(&inputs["undesirable_weight"]))
}

/// Row-ordered values as the peers order them: desirable rows first.
fn by_class(values: &[f64], labels: &[bool]) -> Vec<f64> {
    let of = |class| {
        values
            .iter()
            .zip(labels)
            .filter(move |(_, l)| **l == class)
            .map(|(v, _)| *v)
    };
    of(true).chain(of(false)).collect()
}

fn kto_trl(case: &Value, worst: &mut Worst) {
    let (name, inputs, expected) = (&case["case"], &case["inputs"], &case["expected"]);
    let what = |field: &str| format!("{name} {field}");
    let labels = bools(&inputs["labels"]);
    let n = labels.len();
    let uses_kl = inputs["calculate_KL"] == true && inputs["loss_type"] == "kto";
    let kl = if uses_kl {
        let (policy, reference) = (&inputs["policy_KL_logps"], &inputs["ref_KL_logps"]);
        let (policy, reference) = (vector(&floats(policy)), vector(&floats(reference)));
        let raw = KlEstimatorConfig::new().with_clamp(false).init();
        let raw = raw.estimate(policy.clone(), reference.clone());
        worst.value(
            &what("raw kl"),
            &values(raw),
            &expected["kl_unclamped"],
            VALUE,
        );
        KlEstimatorConfig::new().init().estimate(policy, reference)
    } else {
        vector(&[0.0])
    };
    worst.value(&what("kl"), &values(kl.clone()), &expected["kl"], VALUE);
    let policy = leaf(&floats(&inputs["policy_logps"]), [n]);
    let reference = vector(&floats(&inputs["ref_logps"]));
    let out = kto_config(inputs)
        .init()
        .forward(policy.clone(), reference, flags(&labels, [n]), kl);
    worst.value(
        &what("loss"),
        &values(out.loss.clone()),
        &expected["loss"],
        VALUE,
    );
    let losses = by_class(&values(out.losses), &labels);
    worst.value(
        &what("losses"),
        &losses,
        &expected["weighted_losses"],
        VALUE,
    );
    let mut rewards = floats(&expected["chosen_rewards"]);
    rewards.extend(floats(&expected["rejected_rewards"]));
    worst.value(
        &what("rewards"),
        &by_class(&values(out.rewards), &labels),
        &rewards.into(),
        VALUE,
    );
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    worst.gradient(
        &what("gradient"),
        &grad,
        &expected["grad_policy_logps"],
        GRADIENT,
    );
}

/// Token level in HALOs; its rewards have no β, and its z0 leaves out rows that are exactly 0.
fn kto_halos(case: &Value, worst: &mut Worst) {
    let (name, inputs, expected) = (&case["case"], &case["inputs"], &case["expected"]);
    let what = |field: &str| format!("{name} {field}");
    let labels = bools(&inputs["labels"]);
    let [n, columns]: [usize; 2] = shape(&inputs["policy_token_logps"]);
    let tokens = leaf(&floats(&inputs["policy_token_logps"]), [n, columns]);
    let policy = tokens.clone().sum_dim(1).squeeze_dim::<1>(1);
    let reference = vector(&row_sums(&floats(&inputs["ref_token_logps"]), columns));
    let kl_columns = shape::<2>(&inputs["policy_KL_token_logps"])[1];
    let of_policy = row_sums(&floats(&inputs["policy_KL_token_logps"]), kl_columns);
    let of_reference = row_sums(&floats(&inputs["ref_KL_token_logps"]), kl_columns);
    if !name.as_str().unwrap().contains("empty") {
        let kl = KlEstimatorConfig::new()
            .init()
            .estimate(vector(&of_policy), vector(&of_reference));
        worst.value(&what("kl"), &values(kl), &expected["kl"], VALUE);
    }
    let kl = vector(&floats(&expected["kl"]));
    let out = kto_config(inputs)
        .init()
        .forward(policy, reference, flags(&labels, [n]), kl);
    worst.value(
        &what("loss"),
        &values(out.loss.clone()),
        &expected["loss"],
        VALUE,
    );
    let losses = by_class(&values(out.losses), &labels);
    worst.value(
        &what("losses"),
        &losses,
        &expected["weighted_losses"],
        VALUE,
    );
    let grad = values(tokens.grad(&out.loss.backward()).unwrap());
    worst.gradient(
        &what("gradient"),
        &grad,
        &expected["grad_policy_token_logps"],
        GRADIENT,
    );
}

/// From hidden states, through the fused head.
fn kto_liger(case: &Value, worst: &mut Worst) {
    let (name, inputs, expected) = (&case["case"], &case["inputs"], &case["expected"]);
    let what = |field: &str| format!("{name} {field}");
    let dims: [usize; 3] = shape(&inputs["hidden"]);
    let ([n, seq, width], [vocab, _]) = (dims, shape::<2>(&inputs["weight"]));
    let labels = bools(&inputs["labels"]);
    let head = FusedLinearLogProbsConfig::new()
        .with_row_tile(5)
        .with_vocab_tile(3)
        .init();
    let targets = int(&ints(&inputs["target"]), [n, seq]);
    let mask = targets.clone().not_equal_elem(-100);
    let mean = inputs["average_log_prob"] == true;
    let scored = |tokens: Tensor<1>| {
        let tokens = tokens.reshape([n, seq]);
        if mean {
            average_log_probs(tokens, mask.clone())
        } else {
            sequence_log_probs(tokens, mask.clone())
        }
    };
    let run = |hidden: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>| {
        let (hidden, targets) = (
            hidden.reshape([n * seq, width]),
            targets.clone().reshape([n * seq]),
        );
        scored(match bias {
            Some(bias) => head.forward_with_bias(hidden, weight, bias, targets),
            None => head.forward(hidden, weight, targets),
        })
    };
    let bias = |key: &str| (!inputs[key].is_null()).then(|| leaf(&floats(&inputs[key]), [vocab]));
    let hidden = leaf(&floats(&inputs["hidden"]), dims);
    let weight = leaf(&floats(&inputs["weight"]), [vocab, width]);
    let of_bias = bias("bias");
    let policy = run(hidden.clone(), weight.clone(), of_bias.clone());
    let reference = run(
        tensor(&floats(&inputs["ref_hidden"]), dims),
        tensor(&floats(&inputs["ref_weight"]), [vocab, width]),
        bias("ref_bias").map(|b| b.inner()),
    );
    let config = KtoLossConfig::new().with_beta(float(&inputs["beta"]));
    let kl = vector(&floats(&inputs["kl"])[..1]);
    let out = config
        .init()
        .forward(policy, reference, flags(&labels, [n]), kl);
    worst.value(
        &what("loss"),
        &values(out.loss.clone()),
        &expected["loss"],
        VALUE,
    );
    let grads = out.loss.backward();
    let want = &expected["grad_hidden"];
    worst.gradient(
        &what("hidden"),
        &values(hidden.grad(&grads).unwrap()),
        want,
        GRADIENT,
    );
    let want = &expected["grad_weight"];
    worst.gradient(
        &what("weight"),
        &values(weight.grad(&grads).unwrap()),
        want,
        GRADIENT,
    );
    if let Some(bias) = of_bias {
        worst.gradient(
            &what("bias"),
            &values(bias.grad(&grads).unwrap()),
            &expected["grad_bias"],
            GRADIENT,
        );
    }
}

fn variant(kind: &str, inputs: &Value) -> DpoVariant {
    let smoothing = || {
        inputs["label_smoothing"]
            .as_f64()
            .or(inputs["epsilon"].as_f64())
            .unwrap_or(0.0)
    };
    match kind {
        "sigmoid" if inputs["loss_types"].is_array() => DpoVariant::Sigmoid {
            label_smoothing: 0.0,
        }, // ignored by 1.16
        "sigmoid" => DpoVariant::Sigmoid {
            label_smoothing: smoothing(),
        },
        "hinge" => DpoVariant::Hinge,
        "ipo" => DpoVariant::Ipo,
        "exo_pair" => DpoVariant::ExoPair {
            label_smoothing: smoothing(),
        },
        "nca_pair" => DpoVariant::NcaPair,
        "robust" => DpoVariant::Robust {
            label_smoothing: smoothing(),
        },
        "bco_pair" => DpoVariant::BcoPair,
        "sppo_hard" => DpoVariant::SppoHard,
        "aot" => DpoVariant::Aot {
            label_smoothing: smoothing(),
        },
        "aot_unpaired" | "aot_pair" => DpoVariant::AotUnpaired {
            label_smoothing: smoothing(),
        },
        "apo_zero" => DpoVariant::ApoZero,
        "apo_down" => DpoVariant::ApoDown,
        "discopop" => DpoVariant::DiscoPop {
            temperature: float(&inputs["discopop_tau"]),
        },
        "sigmoid_norm" => DpoVariant::SigmoidNorm,
        other => panic!("unknown loss type {other}"),
    }
}

fn divergence(inputs: &Value) -> FDivergence {
    match inputs["f_divergence_type"].as_str() {
        None | Some("reverse_kl") => FDivergence::ReverseKl,
        Some("forward_kl") => FDivergence::ForwardKl,
        Some("js_divergence") => FDivergence::JsDivergence,
        Some("alpha_divergence") => FDivergence::AlphaDivergence {
            alpha: float(&inputs["f_alpha_divergence_coef"]),
        },
        Some(other) => panic!("unknown divergence {other}"),
    }
}

fn dpo(case: &Value, worst: &mut Worst) {
    let (name, inputs, expected) = (&case["case"], &case["inputs"], &case["expected"]);
    let what = |field: &str| format!("{name} {field}");
    // One level of numbers that the peer computed in f32 although its inputs are f64.
    let f32 = case["dtype"] == "float32";
    let (value, gradient) = if f32 { (1e-4, 1e-4) } else { (VALUE, GRADIENT) };
    let sequence_level = case["convention"] == "trl-0.24";
    let kind = match case["convention"].as_str().unwrap() {
        "trl-1.16" => inputs["loss_types"][0].as_str().unwrap(),
        "trl-0.24" => inputs["loss_type"].as_str().unwrap(),
        _ => "sigmoid",
    };
    let config = DpoLossConfig::new()
        .with_beta(float(&inputs["beta"]))
        .with_variant(variant(kind, inputs))
        .with_f_divergence(divergence(inputs));
    let sums = |key: &str| {
        let columns = shape::<2>(&inputs[key])[1];
        row_sums(&floats(&inputs[key]), columns)
    };
    let (policy, mut reference) = if sequence_level {
        let both = |a: &str, b: &str| [floats(&inputs[a]), floats(&inputs[b])].concat();
        (
            both("chosen_logps", "rejected_logps"),
            both("ref_chosen_logps", "ref_rejected_logps"),
        )
    } else {
        (sums("policy_token_logps"), sums("ref_token_logps"))
    };
    if inputs["reference_free"] == true {
        reference.fill(0.0);
    }
    let n = policy.len() / 2;
    let chosen = leaf(&policy[..n], [n]);
    let rejected = leaf(&policy[n..], [n]);
    let policy = Pair::new(chosen.clone(), rejected.clone());
    let reference = Pair::new(vector(&reference[..n]), vector(&reference[n..]));
    let loss = config.init();
    let out = if inputs["completion_mask"].is_array() {
        let lengths = sums("completion_mask");
        let lengths = Pair::new(vector(&lengths[..n]), vector(&lengths[n..]));
        loss.forward_with_lengths(policy, reference, lengths)
    } else {
        loss.forward(policy, reference)
    };
    worst.value(
        &what("loss"),
        &values(out.loss.clone()),
        &expected["loss"],
        value,
    );
    let per_pair = ["per_sequence_loss", "losses"]
        .iter()
        .find(|key| expected[**key].is_array());
    worst.value(
        &what("losses"),
        &values(out.losses),
        &expected[*per_pair.unwrap()],
        value,
    );
    // 0.24 leaves the reference in the rewards of its reference-free loss.
    if inputs["reference_free"] != true {
        worst.value(
            &what("chosen"),
            &values(out.chosen_rewards),
            &expected["chosen_rewards"],
            value,
        );
        worst.value(
            &what("rejected"),
            &values(out.rejected_rewards),
            &expected["rejected_rewards"],
            value,
        );
    }
    let grads = out.loss.backward();
    let got = |leaf: &Tensor<1>| values(leaf.grad(&grads).unwrap());
    if expected["grad_chosen_logps"].is_array() {
        worst.gradient(
            &what("d chosen"),
            &got(&chosen),
            &expected["grad_chosen_logps"],
            gradient,
        );
        worst.gradient(
            &what("d rejected"),
            &got(&rejected),
            &expected["grad_rejected_logps"],
            gradient,
        );
    } else {
        // HALOs: one gradient a token, the same for each of a row that is scored.
        let columns = shape::<2>(&inputs["policy_token_logps"])[1];
        let rows = [got(&chosen), got(&rejected)].concat();
        let tokens: Vec<f64> = rows
            .iter()
            .flat_map(|g| std::iter::repeat_n(*g, columns))
            .collect();
        worst.gradient(
            &what("d tokens"),
            &tokens,
            &expected["grad_policy_token_logps"],
            gradient,
        );
    }
}

fn sft(case: &Value, worst: &mut Worst) {
    let (name, inputs, expected) = (&case["case"], &case["inputs"], &case["expected"]);
    let dims: [usize; 3] = shape(&inputs["logits"]);
    let [rows, seq, _] = dims;
    let logits = leaf(&floats(&inputs["logits"]), dims);
    let targets = int(&ints(&inputs["labels"]), [rows, seq]).narrow(1, 1, seq - 1);
    let mask = targets.clone().not_equal_elem(-100);
    let tokens = token_log_probs(logits.clone().narrow(1, 0, seq - 1), targets);
    let out = SftLossConfig::new().init().forward(tokens, mask);
    worst.value(
        &format!("{name} loss"),
        &values(out.loss.clone()),
        &expected["loss"],
        VALUE,
    );
    let grad = values(logits.grad(&out.loss.backward()).unwrap());
    worst.gradient(
        &format!("{name} gradient"),
        &grad,
        &expected["grad_logits"],
        GRADIENT,
    );
}

#[test]
fn the_selection_in_the_repository_is_reproduced() {
    let folder = folder("tests/golden");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["dpo.json", "kto.json", "logps.json", "sft.json"],
        "every file is read"
    );
    for (family, least) in [("logps", 5), ("kto", 9), ("dpo", 24), ("sft", 4)] {
        let (compared, value, gradient, met) =
            compare(family, &folder.join(format!("{family}.json")));
        assert!(compared >= least, "{family}: only {compared} cases");
        assert!(
            met.is_empty(),
            "{family}: the selection holds what is not compared"
        );
        println!("{family}: {compared} cases, values off by {value:e}, gradients by {gradient:e}");
    }
}

#[test]
fn the_whole_collection_is_reproduced() {
    let folder = folder("../shared/golden");
    if !folder.exists() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let mut met = BTreeSet::new();
    for (family, least) in WHOLE {
        let (compared, value, gradient, excluded) =
            compare(family, &folder.join(format!("{family}.json")));
        assert!(compared >= least, "{family}: only {compared} cases");
        println!("{family}: {compared} cases, values off by {value:e}, gradients by {gradient:e}");
        met.extend(excluded);
    }
    let unmet: Vec<_> = (0..EXCLUDED.len())
        .filter(|i| !met.contains(i))
        .map(|i| EXCLUDED[i])
        .collect();
    assert!(
        unmet.is_empty(),
        "exclusions that exclude nothing: {unmet:?}"
    );
}
