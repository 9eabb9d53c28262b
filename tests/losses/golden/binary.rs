//! KTO.

use super::*;
use burn_kto::loss::humanline_unclamped;
use burn_kto::prelude::*;

pub(super) fn kto(case: Case<'_>, convention: &str) {
    match convention {
        "trl" => trl(case),
        "halos" => halos(case),
        "liger" => liger(case),
        other => panic!("unknown convention {other}"),
    }
}

fn loss(case: &Case<'_>) -> KtoLoss {
    KtoLossConfig::new()
        .with_beta(case.number("beta"))
        .with_desirable_weight(case.number("desirable_weight"))
        .with_undesirable_weight(case.number("undesirable_weight"))
        .init()
}

/// Row-ordered values as the peers order them: desirable rows first.
pub(super) fn by_class(values: &[f64], labels: &[bool]) -> Vec<f64> {
    let of = |class| {
        let rows = values.iter().zip(labels);
        rows.filter(move |(_, l)| **l == class).map(|(v, _)| *v)
    };
    of(true).chain(of(false)).collect()
}

/// Rewards, desirable rows first, times `scale`.
fn rewards(case: &Case<'_>, scale: f64) -> Vec<f64> {
    let mut rewards = floats(&case.expected["chosen_rewards"]);
    rewards.extend(floats(&case.expected["rejected_rewards"]));
    rewards.into_iter().map(|r| r * scale).collect()
}

fn trl(mut case: Case<'_>) {
    let labels = bools(&case.inputs["labels"]);
    let n = labels.len();
    let uses_kl = case.inputs["calculate_KL"] == true && case.inputs["loss_type"] == "kto";
    let kl = if uses_kl {
        let policy = vector(&case.input("policy_KL_logps"));
        let reference = vector(&case.input("ref_KL_logps"));
        let raw = KlEstimatorConfig::new().with_clamp(false).init();
        let raw = values(raw.estimate(policy.clone(), reference.clone()));
        case.value("kl_unclamped", &raw);
        let sums = KlSums::of(&values(policy.clone() - reference.clone()));
        let by_sums = sums.estimate(true).unwrap();
        case.value("kl", &[by_sums.value]);
        KlEstimatorConfig::new().init().estimate(policy, reference)
    } else {
        vector(&[0.0])
    };
    case.value("kl", &values(kl.clone()));
    let policy = leaf(&case.input("policy_logps"), [n]);
    let reference = vector(&case.input("ref_logps"));
    let out = loss(&case).forward(policy.clone(), reference, flags(&labels, [n]), kl);
    case.value("loss", &values(out.loss.clone()));
    case.value("weighted_losses", &by_class(&values(out.losses), &labels));
    let expected = rewards(&case, 1.0);
    case.value_of(
        "rewards",
        &by_class(&values(out.rewards), &labels),
        &expected,
    );
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    case.gradient("grad_policy_logps", &grad);
}

/// Token level in HALOs; its rewards have no β, and its z0 leaves out rows that are exactly 0.
fn halos(mut case: Case<'_>) {
    let labels = bools(&case.inputs["labels"]);
    let [n, columns]: [usize; 2] = shape(&case.inputs["policy_token_logps"]);
    let humanline = (case.inputs["humanline"] == true).then(|| {
        Humanline::new()
            .with_low(case.number("log_epsilon_P"))
            .with_high(case.number("log_epsilon_R"))
    });
    let config = TokenLevelConfig::new().with_humanline(humanline);
    let token_level = config.init(loss(&case));
    let tokens = leaf(&case.input("policy_token_logps"), [n, columns]);
    let everything = |shape: [usize; 2]| Tensor::<2, Bool>::full(shape, true, &device());
    let kl_shape: [usize; 2] = shape(&case.inputs["policy_KL_token_logps"]);
    let mismatched = Tokens::new(
        tensor(&case.input("policy_KL_token_logps"), kl_shape),
        tensor(&case.input("ref_KL_token_logps"), kl_shape),
        everything(kl_shape),
    );
    if !case.name.contains("empty") {
        let (policy, reference) = token_level.log_probs(mismatched);
        let kl = KlEstimatorConfig::new().init().estimate(policy, reference);
        case.value("kl", &values(kl));
    }
    let completions = Tokens::new(
        tokens.clone(),
        tensor(&case.input("ref_token_logps"), [n, columns]),
        everything([n, columns]),
    );
    if let Some(bounds) = &humanline
        && !labels.is_empty()
        && labels.iter().all(|up| *up)
    {
        let share = values(humanline_unclamped(bounds, &completions));
        case.value("chosen_unclamped", &share);
    }
    let kl = vector(&floats(&case.expected["kl"]));
    let out = token_level.forward(completions, flags(&labels, [n]), kl);
    case.value("loss", &values(out.loss.clone()));
    case.value("weighted_losses", &by_class(&values(out.losses), &labels));
    let expected = rewards(&case, case.number("beta"));
    case.value_of(
        "rewards",
        &by_class(&values(out.rewards), &labels),
        &expected,
    );
    let grad = values(tokens.grad(&out.loss.backward()).unwrap());
    case.gradient("grad_policy_token_logps", &grad);
}

/// From hidden states, through the fused head.
fn liger(mut case: Case<'_>) {
    let dims: [usize; 3] = shape(&case.inputs["hidden"]);
    let ([n, seq, width], [vocab, _]) = (dims, shape::<2>(&case.inputs["weight"]));
    let labels = bools(&case.inputs["labels"]);
    let head = FusedLinearLogProbsConfig::new()
        .with_row_tile(5)
        .with_vocab_tile(3)
        .init();
    let targets = int(&ints(&case.inputs["target"]), [n, seq]);
    let mask = targets.clone().not_equal_elem(-100);
    let mean = case.inputs["average_log_prob"] == true;
    let run = |hidden: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>| {
        let hidden = hidden.reshape([n * seq, width]);
        let targets = targets.clone().reshape([n * seq]);
        let tokens = match bias {
            Some(bias) => head.forward_with_bias(hidden, weight, bias, targets),
            None => head.forward(hidden, weight, targets),
        };
        let tokens = tokens.reshape([n, seq]);
        if mean {
            average_log_probs(tokens, mask.clone())
        } else {
            sequence_log_probs(tokens, mask.clone())
        }
    };
    let bias = |key: &str| (!case.inputs[key].is_null()).then(|| leaf(&case.input(key), [vocab]));
    let hidden = leaf(&case.input("hidden"), dims);
    let weight = leaf(&case.input("weight"), [vocab, width]);
    let of_bias = bias("bias");
    let policy = run(hidden.clone(), weight.clone(), of_bias.clone());
    let reference = run(
        tensor(&case.input("ref_hidden"), dims),
        tensor(&case.input("ref_weight"), [vocab, width]),
        bias("ref_bias").map(|b| b.inner()),
    );
    let config = KtoLossConfig::new().with_beta(case.number("beta"));
    let kl = vector(&case.input("kl")[..1]);
    let out = config
        .init()
        .forward(policy, reference, flags(&labels, [n]), kl);
    case.value("loss", &values(out.loss.clone()));
    let of_class = |values: &[f64], class: bool| -> f64 {
        let rows = values.iter().zip(&labels);
        rows.filter(|(_, l)| **l == class).map(|(v, _)| v).sum()
    };
    let (log_probs, rewards) = (values(out.log_probs), values(out.rewards));
    for (name, class) in [("chosen", true), ("rejected", false)] {
        case.value(&format!("{name}_logps_sum"), &[of_class(&log_probs, class)]);
        case.value(&format!("{name}_rewards_sum"), &[of_class(&rewards, class)]);
    }
    let grads = out.loss.backward();
    case.gradient("grad_hidden", &values(hidden.grad(&grads).unwrap()));
    case.gradient("grad_weight", &values(weight.grad(&grads).unwrap()));
    if let Some(bias) = of_bias {
        case.gradient("grad_bias", &values(bias.grad(&grads).unwrap()));
    }
}
