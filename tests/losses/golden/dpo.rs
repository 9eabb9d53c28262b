//! DPO and its family.

use super::*;
use burn_kto::loss::wpo_weights;
use burn_kto::prelude::*;

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
    // 0.24's α is 1 − α of 1.16, whose form this is.
    let old = &inputs["f_divergence_params"]["alpha_divergence_coef"];
    if let Some(old) = old.as_f64() {
        return FDivergence::AlphaDivergence { alpha: 1.0 - old };
    }
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

fn config(kind: &str, inputs: &Value) -> DpoLossConfig {
    DpoLossConfig::new()
        .with_beta(inputs["beta"].as_f64().unwrap())
        .with_variant(variant(kind, inputs))
        .with_f_divergence(divergence(inputs))
}

pub(super) fn dpo(case: Case<'_>, convention: &str) {
    match convention {
        "trl-1.16" => trl(case),
        "trl-0.24" => old_trl(case),
        "halos" => halos(case),
        other => panic!("unknown convention {other}"),
    }
}

/// Token log-probabilities of chosen and rejected: the whole as a leaf, and its halves.
fn halves(case: &Case<'_>, key: &str) -> (Tensor<2>, [Tensor<2>; 2]) {
    let [rows, columns]: [usize; 2] = shape(&case.inputs[key]);
    let all = leaf(&case.input(key), [rows, columns]);
    let half = |start| all.clone().narrow(0, start, rows / 2);
    (all.clone(), [half(0), half(rows / 2)])
}

fn pair(values: &[f64]) -> Pair {
    let n = values.len() / 2;
    Pair::new(vector(&values[..n]), vector(&values[n..]))
}

/// 1.16 works on tokens, with modifiers.
fn trl(mut case: Case<'_>) {
    let inputs = case.inputs;
    let (policy, [chosen, rejected]) = halves(&case, "policy_token_logps");
    let (_, [ref_chosen, ref_rejected]) = halves(&case, "ref_token_logps");
    let [rows, seq]: [usize; 2] = shape(&inputs["completion_mask"]);
    let mask = flags(&bools(&inputs["completion_mask"]), [rows, seq]).narrow(1, 1, seq - 1);
    let mask_of = |start| mask.clone().narrow(0, start, rows / 2);
    let chosen = Tokens::new(chosen, ref_chosen, mask_of(0));
    let rejected = Tokens::new(rejected, ref_rejected, mask_of(rows / 2));
    let kinds: Vec<&str> = inputs["loss_types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind.as_str().unwrap())
        .collect();
    if kinds == ["sft"] {
        return sft(case, &policy, &chosen);
    }
    let alpha = inputs["ld_alpha"].as_f64().unwrap_or(1.0);
    let modified = TokenLevelConfig::new().with_ld_alpha(alpha);
    let weights = (inputs["use_weighting"] == true).then(|| {
        let (_, [of_chosen, of_rejected]) = halves(&case, "log_sum_sq_probs");
        wpo_weights(
            (chosen.policy.clone(), of_chosen, chosen.mask.clone()),
            (rejected.policy.clone(), of_rejected, rejected.mask.clone()),
        )
    });
    // 1.16 divides by the unshifted mask.
    let lengths = pair(&case.sums("completion_mask"));
    let mut input = input_of(&modified, chosen, rejected);
    input.lengths = lengths;
    let input = input.with_weights(weights);
    let out = if let [kind] = kinds[..] {
        config(kind, inputs).init().compute(input)
    } else {
        mixture(&kinds, &case).compute(input)
    };
    case.value("loss", &values(out.loss.clone()));
    if case.expected["per_sequence_loss"].is_array() {
        case.value("per_sequence_loss", &values(out.losses));
    }
    case.value("chosen_rewards", &values(out.chosen_rewards));
    case.value("rejected_rewards", &values(out.rejected_rewards));
    // Those of the peer are weighted by LD-DPO; here they are reported as they are.
    if alpha == 1.0 {
        case.value("chosen_logps", &values(out.chosen_log_probs));
        case.value("rejected_logps", &values(out.rejected_log_probs));
    }
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    tokens_gradient(&mut case, &grad, &values(mask.float()));
}

/// What a loss behind the modifiers is computed from.
fn input_of(config: &TokenLevelConfig, chosen: Tokens, rejected: Tokens) -> PreferenceInput {
    config.init(()).input(chosen, rejected)
}

/// Several losses at once.
fn mixture(kinds: &[&str], case: &Case<'_>) -> MixedLoss {
    let (mut parts, mut sft_weight) = (Vec::new(), 0.0);
    for (kind, weight) in kinds.iter().zip(case.input("loss_weights")) {
        if *kind == "sft" {
            sft_weight = weight;
        } else {
            parts.push(WeightedDpo::new(config(kind, case.inputs), weight));
        }
    }
    let config = MixedLossConfig::new(parts);
    config.with_sft_weight(sft_weight).init()
}

/// A mean over the chosen tokens.
fn sft(mut case: Case<'_>, policy: &Tensor<2>, chosen: &Tokens) {
    let out = SftLossConfig::new()
        .init()
        .forward(chosen.policy.clone(), chosen.mask.clone());
    case.value("loss", &values(out.loss.clone()));
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    case.gradient("grad_policy_token_logps", &grad);
}

/// Gradients at scored tokens: at the others the peer's are those of adding zeros.
fn tokens_gradient(case: &mut Case<'_>, grad: &[f64], mask: &[f64]) {
    let expected = floats(&case.expected["grad_policy_token_logps"]);
    let scored = |all: &[f64]| -> Vec<f64> {
        let kept = all.iter().zip(mask).filter(|(_, m)| **m != 0.0);
        kept.map(|(g, _)| *g).collect()
    };
    case.gradient_of("d tokens", &scored(grad), &scored(&expected));
}

/// 0.24 works on sums.
fn old_trl(mut case: Case<'_>) {
    let n = case.input("chosen_logps").len();
    let chosen = leaf(&case.input("chosen_logps"), [n]);
    let rejected = leaf(&case.input("rejected_logps"), [n]);
    let policy = Pair::new(chosen.clone(), rejected.clone());
    let free = case.inputs["reference_free"] == true;
    let reference = |key: &str| match free {
        true => vector(&vec![0.0; n]),
        false => vector(&case.input(key)),
    };
    let reference = Pair::new(
        reference("ref_chosen_logps"),
        reference("ref_rejected_logps"),
    );
    let kind = case.inputs["loss_type"].as_str().unwrap();
    if kind == "bco_pair" {
        return bco_pair(case, policy, reference);
    }
    let out = config(kind, case.inputs).init().forward(policy, reference);
    case.value("loss", &values(out.loss.clone()));
    case.value("losses", &values(out.losses));
    // 0.24 leaves the reference in the rewards of its reference-free loss.
    if !free {
        case.value("chosen_rewards", &values(out.chosen_rewards));
        case.value("rejected_rewards", &values(out.rejected_rewards));
    }
    let grads = out.loss.backward();
    case.gradient("grad_chosen_logps", &values(chosen.grad(&grads).unwrap()));
    case.gradient(
        "grad_rejected_logps",
        &values(rejected.grad(&grads).unwrap()),
    );
}

/// 0.24 subtracts a running mean: BCO on both completions of each pair.
fn bco_pair(mut case: Case<'_>, policy: Pair, reference: Pair) {
    let n = policy.chosen.dims()[0];
    let both = |pair: Pair| Tensor::cat(vec![pair.chosen, pair.rejected], 0);
    let before = |key: &str| case.inputs[key].as_f64().unwrap_or(0.0);
    let count = before("running_count_before");
    let seen = RewardsSeen {
        desirable: (before("running_mean_before") * count, count),
        undesirable: (0.0, 0.0),
    };
    let bco = BcoLossConfig::new()
        .with_beta(case.number("beta"))
        .with_shift(BcoShift::Pooled)
        .init()
        .with_seen(seen);
    let thumbs: Vec<bool> = (0..2 * n).map(|i| i < n).collect();
    let leaves = (policy.chosen.clone(), policy.rejected.clone());
    let out = bco.forward(both(policy), both(reference), flags(&thumbs, [2 * n]));
    // A pair's loss is that of both completions.
    let losses = values(out.losses);
    let of_pairs: Vec<f64> = (0..n).map(|i| losses[i] + losses[n + i]).collect();
    case.value("losses", &of_pairs);
    case.value("loss", &values(out.loss.clone() * 2.0));
    let grads = (out.loss * 2.0).backward();
    case.gradient("grad_chosen_logps", &values(leaves.0.grad(&grads).unwrap()));
    case.gradient(
        "grad_rejected_logps",
        &values(leaves.1.grad(&grads).unwrap()),
    );
}

/// HALOs works on tokens without a mask: what is not scored is 0 in policy and reference.
fn halos(mut case: Case<'_>) {
    let inputs = case.inputs;
    let (policy, [chosen, rejected]) = halves(&case, "policy_token_logps");
    let (_, [ref_chosen, ref_rejected]) = halves(&case, "ref_token_logps");
    let [rows, columns] = policy.dims();
    let everything = || Tensor::<2, Bool>::full([rows / 2, columns], true, &device());
    let humanline = (inputs["humanline"] == true).then(|| {
        Humanline::new()
            .with_low(case.number("log_epsilon_P"))
            .with_high(case.number("log_epsilon_R"))
    });
    let modified = TokenLevelConfig::new().with_humanline(humanline);
    let mut input = input_of(
        &modified,
        Tokens::new(chosen, ref_chosen, everything()),
        Tokens::new(rejected, ref_rejected, everything()),
    );
    let counted = |of: &dyn Fn(f64, f64) -> bool| {
        let both = case.input("policy_token_logps");
        let both = both.iter().zip(case.input("ref_token_logps"));
        let ones: Vec<f64> = both.map(|(p, r)| f64::from(u8::from(of(*p, r)))).collect();
        pair(&row_sums(&ones, columns))
    };
    let (out, scale) = if case.name.starts_with("halos_ipo") {
        // Its lengths are those of tokens whose log-ratio is not 0, its rewards are means.
        input.lengths = counted(&|p, r| p != r);
        let config = DpoLossConfig::new().with_beta(case.number("tau"));
        (
            config.with_variant(DpoVariant::Ipo).init().compute(input),
            None,
        )
    } else if case.name.starts_with("halos_simpo") {
        input.lengths = counted(&|p, _| p != 0.0);
        let ratio = case.number("gamma_beta_ratio");
        let config = SimpoLossConfig::new().with_beta(case.number("beta"));
        let config = config.with_margin(SimpoMargin::GammaBetaRatio { ratio });
        (config.init().compute(input), Some(1.0))
    } else if case.name.starts_with("halos_slic") {
        // It adds the log-probability of every position, padding too, to every pair: a mean over
        // all positions.
        let full = vec![columns as f64; rows];
        input.lengths = pair(&full);
        let config = SlicLossConfig::new().with_margin(case.number("beta"));
        let config = config.with_sft_weight(case.number("lambda_coef"));
        (config.init().compute(input), Some(1.0))
    } else {
        let smoothing = inputs["epsilon"].as_f64().unwrap_or(0.0);
        let variant = DpoVariant::Sigmoid {
            label_smoothing: smoothing,
        };
        let config = DpoLossConfig::new().with_beta(case.number("beta"));
        (
            config.with_variant(variant).init().compute(input),
            Some(1.0),
        )
    };
    case.value("loss", &values(out.loss.clone()));
    if !case.name.starts_with("halos_slic") {
        case.value("losses", &values(out.losses));
    }
    let beta = case.inputs["beta"].as_f64().unwrap_or(1.0);
    // HALOs' rewards of SimPO are means without β; of the others with it.
    let scale = match scale {
        Some(_) if case.name.starts_with("halos_simpo") => Some(beta.recip()),
        other => other,
    };
    if let Some(scale) = scale {
        for (name, rewards) in [
            ("chosen_rewards", out.chosen_rewards),
            ("rejected_rewards", out.rejected_rewards),
        ] {
            case.value(name, &values(rewards * scale));
        }
    }
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    case.gradient("grad_policy_token_logps", &grad);
}
