//! ORPO, CPO, SimPO, AlphaPO, BCO and reward models.

use super::*;
use burn_kto::loss::density_ratio_weight;
use burn_kto::prelude::*;

pub(super) fn other(case: Case<'_>) {
    if case.name.starts_with("bco") {
        bco(case);
    } else if case.name.starts_with("reward") {
        reward(case);
    } else if case.name.starts_with("orpo_seq") {
        odds(case);
    } else {
        pairs(case);
    }
}

/// Consecutive steps with a running mean.
fn bco(mut case: Case<'_>) {
    let beta = case.number("beta");
    let config = BcoLossConfig::new().with_beta(beta);
    let mut bco = config.with_shift(BcoShift::Pooled).init();
    let bounds = (
        case.number("min_density_ratio"),
        case.number("max_density_ratio"),
    );
    let expected = case.expected["steps"].as_array().unwrap();
    for (step, expected) in case.inputs["steps"]
        .as_array()
        .unwrap()
        .iter()
        .zip(expected)
    {
        let of = |key: &str| floats(&step[key]);
        let both = |a: &str, b: &str| [of(a), of(b)].concat();
        let policy = both("chosen_logps", "rejected_logps");
        let (n, up) = (policy.len(), of("chosen_logps").len());
        let policy = leaf(&policy, [n]);
        let reference = vector(&both("ref_chosen_logps", "ref_rejected_logps"));
        let thumbs: Vec<bool> = (0..n).map(|i| i < up).collect();
        let thumbs = flags(&thumbs, [n]);
        let out = if case.inputs["udm"] == true {
            let ratios = of("prob_desirable_of_rejected");
            // The peer adds 1e-8 to 1 − p: the ratio of p/(1 + 1e-8).
            let ratio = |p: &f64| density_ratio_weight(p / (1.0 + 1e-8), bounds);
            let ratios = ratios.iter().map(ratio);
            let weights: Vec<f64> = vec![1.0; up].into_iter().chain(ratios).collect();
            bco.forward_weighted(policy.clone(), reference, thumbs, vector(&weights))
        } else {
            bco.forward(policy.clone(), reference, thumbs)
        };
        case.value_of("losses", &values(out.losses), &floats(&expected["losses"]));
        case.value_of(
            "loss",
            &values(out.loss.clone()),
            &floats(&expected["loss"]),
        );
        let delta = values(out.kl * beta);
        case.value_of("delta", &delta, &floats(&expected["delta"]));
        let rewards = values(out.rewards);
        let (chosen, rejected) = rewards.split_at(up);
        case.value_of("chosen", chosen, &floats(&expected["chosen_rewards"]));
        case.value_of("rejected", rejected, &floats(&expected["rejected_rewards"]));
        let grad = values(policy.grad(&out.loss.backward()).unwrap());
        let wanted = [
            &expected["grad_chosen_logps"],
            &expected["grad_rejected_logps"],
        ];
        case.gradient_of("gradient", &grad, &wanted.map(floats).concat());
        let sum = |rewards: &[f64]| (rewards.iter().sum::<f64>(), rewards.len() as f64);
        bco.observe(RewardsSeen {
            desirable: sum(chosen),
            undesirable: sum(rejected),
        });
        let RewardsSeen {
            desirable: d,
            undesirable: u,
        } = bco.seen();
        let mean = (d.0 + u.0) / (d.1 + u.1);
        case.value_of("running", &[mean], &floats(&expected["running"]["mean"]));
    }
}

fn reward(mut case: Case<'_>) {
    let n = case.input("rewards_chosen").len();
    let chosen = leaf(&case.input("rewards_chosen"), [n]);
    let rejected = leaf(&case.input("rewards_rejected"), [n]);
    let pair = Pair::new(chosen.clone(), rejected.clone());
    let centring = case.inputs["center_rewards_coefficient"].as_f64();
    let config = RewardLossConfig::new().with_centring(centring.unwrap_or(0.0));
    let out = if case.inputs["margin"].is_array() {
        let margins = vector(&case.input("margin"));
        config.init().forward_with_margins(pair.clone(), margins)
    } else {
        config.init().forward(pair.clone())
    };
    case.value("loss", &values(out.loss.clone()));
    let plain = RewardLossConfig::new().init().forward(pair);
    case.value("halos_bradley_terry_loss", &values(plain.loss));
    let (w, l) = (values(out.chosen_rewards), values(out.rejected_rewards));
    let right = w.iter().zip(&l).filter(|(w, l)| w > l).count();
    case.value("accuracy", &[right as f64 / n as f64]);
    let grads = out.loss.backward();
    case.gradient("grad_chosen", &values(chosen.grad(&grads).unwrap()));
    case.gradient("grad_rejected", &values(rejected.grad(&grads).unwrap()));
}

/// The odds ratio alone, from means.
fn odds(mut case: Case<'_>) {
    let n = case.input("chosen_logps_avg").len();
    let chosen = leaf(&case.input("chosen_logps_avg"), [n]);
    let rejected = leaf(&case.input("rejected_logps_avg"), [n]);
    let config = OrpoLossConfig::new().with_beta(case.number("beta"));
    let policy = Pair::new(chosen.clone(), rejected.clone());
    let ones = || vector(&vec![1.0; n]);
    let orpo = config.with_sft_weight(0.0).init();
    let out = orpo.forward(policy, Pair::new(ones(), ones()));
    let weighted: Vec<f64> = values(out.losses).iter().map(|l| -l).collect();
    case.value("weighted_log_sigmoid_log_odds", &weighted);
    case.value("neg_mean", &values(out.loss.clone()));
    let grads = out.loss.backward();
    case.gradient("grad_chosen", &values(chosen.grad(&grads).unwrap()));
    case.gradient("grad_rejected", &values(rejected.grad(&grads).unwrap()));
}

/// From logits.
fn pairs(mut case: Case<'_>) {
    let dims: [usize; 3] = shape(&case.inputs["logits"]);
    let [rows, seq, _] = dims;
    let logits = leaf(&case.input("logits"), dims);
    let predicting = logits.clone().narrow(1, 0, seq - 1);
    let labels = int(&ints(&case.inputs["labels"]), [rows, seq]).narrow(1, 1, seq - 1);
    let mask = labels.clone().not_equal_elem(-100);
    let tokens = token_log_probs(predicting.clone(), labels);
    let lengths = values(mask.clone().float().sum_dim(1));
    let lengths = Pair::split(vector(&lengths));
    let policy = Pair::split(sequence_log_probs(tokens, mask));
    let beta = case.number("beta");
    let mut means = true;
    let out = if case.name.starts_with("orpo") {
        OrpoLossConfig::new()
            .with_beta(beta)
            .with_sft_weight(0.0)
            .init()
            .forward(policy.clone(), lengths.clone())
    } else {
        let label_smoothing = case.number("label_smoothing");
        let (gamma, alpha) = (case.number("simpo_gamma"), case.number("alpha"));
        let sft_weight = case.number("cpo_alpha");
        let variant = match case.inputs["loss_type"].as_str().unwrap() {
            "simpo" if alpha == 0.0 => {
                let config = SimpoLossConfig::new()
                    .with_beta(beta)
                    .with_margin(SimpoMargin::Gamma { gamma })
                    .with_label_smoothing(label_smoothing)
                    .with_sft_weight(sft_weight);
                let out = config.init().forward(policy.clone(), lengths.clone());
                return finish(case, out, &logits, &policy, &lengths, true);
            }
            "simpo" => CpoVariant::AlphaPo { alpha, gamma },
            "sigmoid" => CpoVariant::Sigmoid { label_smoothing },
            "hinge" => CpoVariant::Hinge,
            "ipo" => CpoVariant::Ipo,
            other => panic!("unknown loss type {other}"),
        };
        means = matches!(variant, CpoVariant::Ipo | CpoVariant::AlphaPo { .. });
        let config = CpoLossConfig::new().with_beta(beta).with_variant(variant);
        let config = config.with_sft_weight(sft_weight);
        config.init().forward(policy.clone(), lengths.clone())
    };
    if !case.name.starts_with("orpo") {
        return finish(case, out, &logits, &policy, &lengths, means);
    }
    // The peer's likelihood covers the prompt too, which is SFT on all real tokens.
    let weighted: Vec<f64> = values(out.losses).iter().map(|l| -l).collect();
    case.value("weighted_log_sigmoid_log_odds", &weighted);
    case.value("chosen_rewards", &values(out.chosen_rewards));
    case.value("rejected_rewards", &values(out.rejected_rewards));
    let ids = int(&ints(&case.inputs["input_ids"]), [rows, seq]).narrow(1, 1, seq - 1);
    let real = int(&ints(&case.inputs["attention_mask"]), [rows, seq]);
    let real = real
        .narrow(1, 1, seq - 1)
        .equal_elem(1)
        .narrow(0, 0, rows / 2);
    let all = token_log_probs(predicting, ids).narrow(0, 0, rows / 2);
    let sft = SftLossConfig::new().init().forward(all, real);
    case.value("nll_loss", &values(sft.loss.clone()));
    let loss = sft.loss + out.loss;
    case.value("loss", &values(loss.clone()));
    let grad = values(logits.grad(&loss.backward()).unwrap());
    case.gradient("grad_logits", &grad);
}

fn finish(
    mut case: Case<'_>,
    out: PreferenceOutput,
    logits: &Tensor<3>,
    policy: &Pair,
    lengths: &Pair,
    means: bool,
) {
    case.value("loss", &values(out.loss.clone()));
    if case.number("cpo_alpha") == 0.0 {
        case.value("losses", &values(out.losses));
    }
    case.value("chosen_rewards", &values(out.chosen_rewards));
    case.value("rejected_rewards", &values(out.rejected_rewards));
    if case.name != "alphapo_0.25" {
        let shown = |sum: &Tensor<1>, length: &Tensor<1>| {
            let sum = sum.clone().inner();
            values(if means { sum / length.clone() } else { sum })
        };
        case.value("chosen_logps", &shown(&policy.chosen, &lengths.chosen));
        case.value(
            "rejected_logps",
            &shown(&policy.rejected, &lengths.rejected),
        );
    }
    let grad = values(logits.grad(&out.loss.backward()).unwrap());
    case.gradient("grad_logits", &grad);
}
