//! Every gradient against central differences in f64, and none where there must be none.

use crate::common::*;
use burn::tensor::{Bool, Tensor};
use burn_kto::loss::humanline_unclamped;
use burn_kto::prelude::*;

/// Step of the differences; their error is about 1e-10 of the function's size.
const H: f64 = 1e-6;
const TOLERANCE: f64 = 1e-6;

/// Compares the gradient of `f` at `x` with differences.
#[track_caller]
fn check(what: &str, x: &[f64], f: impl Fn(Tensor<1>) -> Tensor<1>) {
    let leaf = leaf(x, [x.len()]);
    let got = values(leaf.grad(&f(leaf.clone()).backward()).unwrap());
    let at = |i: usize, h: f64| {
        let mut x = x.to_vec();
        x[i] += h;
        values(f(vector(&x)))[0]
    };
    let expected: Vec<f64> = (0..x.len())
        .map(|i| (at(i, H) - at(i, -H)) / (2.0 * H))
        .collect();
    assert!(
        expected.iter().any(|g| g.abs() > 1e-6),
        "{what}: a flat function proves nothing"
    );
    let off = difference(what, &got, &expected, 1e-9);
    assert!(
        off < TOLERANCE,
        "{what}: off by {off:e}\n got {got:?}\nwant {expected:?}"
    );
}

const POLICY: [f64; 4] = [-10.3, -21.7, -15.2, -30.9];
const REFERENCE: [f64; 4] = [-11.0, -20.0, -15.9, -29.0];
const LENGTHS: [f64; 4] = [4.0, 9.0, 5.0, 11.0];

fn thumbs() -> Tensor<1, Bool> {
    Tensor::from_data([true, false, false, true], &device())
}

fn kto() -> KtoLoss {
    KtoLossConfig::new()
        .with_beta(0.3)
        .with_desirable_weight(1.4)
        .with_undesirable_weight(0.7)
        .init()
}

#[test]
fn kto_follows_differences_plain_and_weighted() {
    let (reference, kl) = (vector(&REFERENCE), vector(&[0.4]));
    check("kto", &POLICY, |x| {
        kto()
            .forward(x, reference.clone(), thumbs(), kl.clone())
            .loss
    });
    let weights = vector(&[0.5, 2.0, 1.0, 0.0]);
    check("kto weighted", &POLICY, |x| {
        kto()
            .forward_weighted(x, reference.clone(), thumbs(), kl.clone(), weights.clone())
            .loss
    });
}

#[test]
fn kto_follows_its_formula_and_its_bound() {
    let policy = leaf(&POLICY, [4]);
    let out = kto().forward(policy.clone(), vector(&REFERENCE), thumbs(), vector(&[0.4]));
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    let sigma = |u: f64| 1.0 / (1.0 + (-u).exp());
    for i in 0..4 {
        let (s, lambda) = if i == 0 || i == 3 {
            (1.0, 1.4)
        } else {
            (-1.0, 0.7)
        };
        let u = 0.3 * (POLICY[i] - REFERENCE[i] - 0.4);
        let expected = -s * lambda * 0.3 * sigma(u) * sigma(-u) / 4.0;
        assert!((grad[i] - expected).abs() < 1e-15);
        assert!(grad[i].abs() <= lambda * 0.3 / 4.0 / 4.0);
    }
}

/// Every variant with every divergence that goes with it.
pub(crate) fn all_dpo() -> Vec<(DpoVariant, FDivergence)> {
    let e = 0.1;
    let variants = [
        DpoVariant::Sigmoid {
            label_smoothing: 0.0,
        },
        DpoVariant::Sigmoid { label_smoothing: e },
        DpoVariant::Hinge,
        DpoVariant::Ipo,
        DpoVariant::ExoPair { label_smoothing: e },
        DpoVariant::NcaPair,
        DpoVariant::Robust { label_smoothing: e },
        DpoVariant::BcoPair,
        DpoVariant::SppoHard,
        DpoVariant::Aot { label_smoothing: e },
        DpoVariant::AotUnpaired { label_smoothing: e },
        DpoVariant::ApoZero,
        DpoVariant::ApoDown,
        DpoVariant::DiscoPop { temperature: 0.05 },
        DpoVariant::SigmoidNorm,
    ];
    let divergences = [
        FDivergence::ReverseKl,
        FDivergence::ForwardKl,
        FDivergence::JsDivergence,
        FDivergence::AlphaDivergence { alpha: 0.5 },
        FDivergence::AlphaDivergence { alpha: 2.0 },
    ];
    let all = variants
        .iter()
        .flat_map(|v| divergences.iter().map(move |d| (v.clone(), d.clone())));
    all.filter(|(v, d)| dpo_config(v, d).validate().is_ok())
        .collect()
}

pub(crate) fn dpo_config(variant: &DpoVariant, divergence: &FDivergence) -> DpoLossConfig {
    DpoLossConfig::new()
        .with_beta(0.3)
        .with_variant(variant.clone())
        .with_f_divergence(divergence.clone())
}

fn pair(values: &[f64]) -> Pair {
    Pair::new(vector(&values[..2]), vector(&values[2..]))
}

#[test]
fn every_dpo_variant_follows_differences() {
    let all = all_dpo();
    assert_eq!(all.len(), 12 * 5 + 3, "three variants take reverse KL only");
    for (variant, divergence) in all {
        let loss = dpo_config(&variant, &divergence).init();
        check(&format!("{variant:?} {divergence:?}"), &POLICY, |x| {
            let policy = Pair::new(x.clone().narrow(0, 0, 2), x.narrow(0, 2, 2));
            loss.forward_with_lengths(policy, pair(&REFERENCE), pair(&LENGTHS))
                .loss
        });
    }
}

pub(crate) type OnPairs = Box<dyn Fn(PreferenceInput) -> PreferenceOutput>;

/// Every loss on pairs that is not of the DPO family, and what is built around them.
pub(crate) fn all_preference() -> Vec<(&'static str, OnPairs)> {
    fn of<L: PreferenceLoss + 'static>(name: &'static str, loss: L) -> (&'static str, OnPairs) {
        (name, Box::new(move |input| loss.compute(input)))
    }
    let cpo = |variant| {
        CpoLossConfig::new()
            .with_beta(0.3)
            .with_variant(variant)
            .init()
    };
    let simpo = |margin| SimpoLossConfig::new().with_margin(margin);
    let dpo = DpoLossConfig::new().with_beta(0.3);
    let orpo = OrpoLossConfig::new();
    let slic = SlicLossConfig::new().with_margin(20.0);
    let beta_dpo = BetaDpoConfig::new().with_keep(1.0).init(dpo.init());
    vec![
        of("simpo", simpo(SimpoMargin::Gamma { gamma: 0.7 }).init()),
        of(
            "simpo smoothed with sft",
            simpo(SimpoMargin::GammaBetaRatio { ratio: 0.3 })
                .with_label_smoothing(0.1)
                .with_sft_weight(0.5)
                .init(),
        ),
        of(
            "cpo",
            cpo(CpoVariant::Sigmoid {
                label_smoothing: 0.1,
            }),
        ),
        of("cpo hinge", cpo(CpoVariant::Hinge)),
        of("cpo ipo", cpo(CpoVariant::Ipo)),
        of(
            "alphapo",
            cpo(CpoVariant::AlphaPo {
                alpha: 0.25,
                gamma: 0.1,
            }),
        ),
        of(
            "alphapo below 0",
            cpo(CpoVariant::AlphaPo {
                alpha: -0.25,
                gamma: 0.1,
            }),
        ),
        of("orpo", orpo.init()),
        of("orpo without sft", orpo.with_sft_weight(0.0).init()),
        of("slic", slic.init()),
        of("rpo", MixedLossConfig::rpo(0.3, 0.5).init()),
        of("mpo", MixedLossConfig::mpo(0.3).init()),
        of("dpop", dpo.clone().with_chosen_penalty(5.0).init()),
        of(
            "dpop of ipo",
            dpo.with_variant(DpoVariant::Ipo)
                .with_chosen_penalty(5.0)
                .init(),
        ),
        ("beta-dpo", Box::new(move |input| beta_dpo.compute(input))),
    ]
}

/// Both completions' log-probabilities from one vector.
pub(crate) fn halves(x: Tensor<1>) -> Pair {
    Pair::split(x)
}

#[test]
fn every_other_loss_on_pairs_follows_differences() {
    for (name, loss) in all_preference() {
        // β-DPO sets its β from the margins without a gradient: differences see it move, so its
        // margins are kept where they are below.
        if name == "beta-dpo" {
            continue;
        }
        check(name, &POLICY, |x| {
            loss(PreferenceInput::new(
                halves(x),
                pair(&REFERENCE),
                pair(&LENGTHS),
            ))
            .loss
        });
        let weights = vector(&[0.5, 2.0]);
        check(
            &format!("{name}, weighted, in a longer step"),
            &POLICY,
            |x| {
                let input = PreferenceInput::new(halves(x), pair(&REFERENCE), pair(&LENGTHS));
                let input = input.with_weights(Some(weights.clone()));
                loss(input.with_mean_length(Some(6.5))).loss
            },
        );
    }
}

// Observing is a method for some model, whichever.
#[cfg(feature = "llama")]
#[test]
fn beta_dpo_has_the_gradient_of_dpo_at_its_beta() {
    let dpo = |beta| DpoLossConfig::new().with_beta(beta).init();
    let input = |x: Tensor<1>| PreferenceInput::new(halves(x), pair(&REFERENCE), pair(&LENGTHS));
    let config = BetaDpoConfig::new().with_keep(1.0).with_alpha(0.6);
    // A batch before: margins of mean 1 and deviation 1.
    let mut loss = config.init(dpo(0.1));
    let mut metrics = Metrics::default();
    metrics.add("rewards/chosen", 0.2, 2.0);
    metrics.add("rewards/rejected", 0.0, 2.0);
    // Rewards' margins 0.1·(1 ± 1/√2).
    let off = 0.5_f64.sqrt();
    metrics.add_spread(
        "rewards/margins",
        KlSums::of(&[0.1 * (1.0 + off), 0.1 * (1.0 - off)]),
    );
    Objective::<Llama, ReferenceFree>::observe(&mut loss, &metrics);
    // Log-ratios 0.7, −1.7 against 0.7, −1.9: margins 0 and 0.2, of mean 0.1. M0 = 0.9·1 + 0.1·0.1
    // = 0.91.
    let beta = 0.1 * (1.0 + 0.6 * (0.1 - 0.91));
    let policy = leaf(&POLICY, [4]);
    let out = loss.compute(input(policy.clone()));
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    let plain = leaf(&POLICY, [4]);
    let expected = dpo(beta).compute(input(plain.clone()));
    assert!(difference("loss", &values(out.losses), &values(expected.losses), 0.0) < 1e-9);
    let expected_grad = values(plain.grad(&expected.loss.backward()).unwrap());
    assert!(difference("gradient", &grad, &expected_grad, 0.0) < 1e-9);
    // Rewards keep β0.
    let rewards = values(out.chosen_rewards);
    assert!((rewards[0] - 0.07).abs() < 1e-9 && (rewards[1] + 0.17).abs() < 1e-9);
}

#[test]
fn bco_and_the_ablations_of_kto_follow_differences() {
    let reference = vector(&REFERENCE);
    for value in [KtoValue::Concave, KtoValue::Linear] {
        let loss = KtoLossConfig::new().with_beta(0.3).with_value(value).init();
        check(&format!("{value:?}"), &POLICY, |x| {
            loss.forward(x, reference.clone(), thumbs(), vector(&[0.4]))
                .loss
        });
    }
    let none = RewardsSeen::default();
    let some = RewardsSeen {
        desirable: (1e9, 1e9),
        undesirable: (-2e9, 1e9),
    };
    for shift in [BcoShift::ClassMeans, BcoShift::Pooled] {
        // δ moves with the batch but takes no gradient; behind a long history it stands still, and
        // differences see the same.
        let loss = BcoLossConfig::new().with_beta(0.3).with_shift(shift).init();
        let long = loss.clone().with_seen(some);
        check(&format!("{shift:?}"), &POLICY, |x| {
            long.forward(x, reference.clone(), thumbs()).loss
        });
        let weights = vector(&[0.5, 2.0, 1.0, 0.0]);
        check(&format!("{shift:?} weighted"), &POLICY, |x| {
            long.forward_weighted(x, reference.clone(), thumbs(), weights.clone())
                .loss
        });
        // And its value: δ of class means is −½ (1·1e9/1e9 + −2e9/1e9)/2, pooled the same here, as
        // both classes are as frequent.
        let out = long.forward(vector(&POLICY), reference.clone(), thumbs());
        assert!((values(out.kl)[0] * 0.3 + 0.5).abs() < 1e-6);
        assert_eq!(loss.seen(), none);
    }
}

#[test]
fn reward_models_follow_differences() {
    let loss = RewardLossConfig::new().with_centring(0.05).init();
    check("reward", &[0.3, -1.0, 0.9, 0.2], |x| {
        loss.forward(halves(x)).loss
    });
    check("reward with margins", &[0.3, -1.0, 0.9, 0.2], |x| {
        loss.forward_with_margins(halves(x), vector(&[0.5, 0.0]))
            .loss
    });
}

const TOKENS: [f64; 8] = [-0.5, -3.0, -0.2, -1.0, -2.5, -0.7, -1.1, -0.4];

/// Two pairs; the first chosen has three tokens, its rejected two, the second the other way round.
fn tokens(x: &Tensor<1>, start: usize, reference: f64, mask: [[bool; 3]; 2]) -> Tokens {
    let row = |at: usize, mask: [bool; 3]| {
        let n = mask.iter().filter(|m| **m).count();
        let scored = x.clone().narrow(0, at, n);
        Tensor::cat(
            vec![
                scored,
                x.clone().narrow(0, 0, 1).zeros_like().repeat_dim(0, 3 - n),
            ],
            0,
        )
    };
    let rows = [row(start, mask[0]), row(start + 2, mask[1])];
    let rows = rows.map(|row| row.unsqueeze_dim::<2>(0));
    let policy = Tensor::cat(rows.to_vec(), 0);
    let reference = policy.clone().without_autodiff().zeros_like() + reference;
    Tokens::new(policy, reference, Tensor::from_data(mask, &device()))
}

#[test]
fn modifiers_of_tokens_follow_differences() {
    let humanline = Humanline::new().with_low(-1.0).with_high(0.65);
    let long = [[true, true, true], [true, true, false]];
    let short = [[true, true, false], [true, true, true]];
    for (alpha, bounds) in [(0.4, None), (1.0, Some(humanline)), (0.0, Some(humanline))] {
        let config = TokenLevelConfig::new()
            .with_ld_alpha(alpha)
            .with_humanline(bounds);
        for (variant, divergence) in all_dpo() {
            let loss = config.init(dpo_config(&variant, &divergence).init());
            check(&format!("{alpha} {bounds:?} {variant:?}"), &TOKENS, |x| {
                let chosen = tokens(&x, 0, -1.3, long);
                loss.forward(chosen, tokens(&x, 3, -1.3, short)).loss
            });
        }
        // What compares lengths needs pairs.
        let kto = config.with_ld_alpha(1.0).init(kto());
        let up = Tensor::<1, Bool>::from_data([true, false], &device());
        check(&format!("kto {bounds:?}"), &TOKENS[..5], |x| {
            kto.forward(tokens(&x, 0, -1.3, long), up.clone(), vector(&[0.2]))
                .loss
        });
    }
}

#[test]
fn humanline_stops_the_gradient_of_tokens_out_of_bounds() {
    let bounds = Humanline::new().with_low(-1.0).with_high(1.5);
    let loss = TokenLevelConfig::new()
        .with_humanline(Some(bounds))
        .init(kto());
    // Log-ratios 0.5, −2 and 3.
    let policy = leaf(&[-0.5, -3.0, 2.0], [1, 3]);
    let mask = Tensor::<2, Bool>::full([1, 3], true, &device());
    let tokens = Tokens::new(policy.clone(), tensor(&[-1.0, -1.0, -1.0], [1, 3]), mask);
    let share = values(humanline_unclamped(&bounds, &tokens));
    assert!((share[0] - 1.0 / 3.0).abs() < 1e-15);
    let up = Tensor::<1, Bool>::from_data([true], &device());
    let out = loss.forward(tokens, up, vector(&[0.0]));
    // r = 0.5 − 1 + 1.5
    assert!((values(out.rewards)[0] - 0.3).abs() < 1e-12);
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    assert!(grad[0] != 0.0 && grad[1] == 0.0 && grad[2] == 0.0);
}

#[test]
fn dft_and_smoothed_labels_follow_differences() {
    let logits: Vec<f64> = (0..30).map(|i| (f64::from(i) * 0.7).sin() * 3.0).collect();
    let targets = int(&[1, -100, 4, 0, 2, 3], [2, 3]);
    let mask = targets.clone().greater_equal_elem(0);
    let loss = |variant| SftLossConfig::new().with_variant(variant).init();
    let smoothed = loss(SftVariant::Nll {
        label_smoothing: 0.2,
    });
    check("smoothed", &logits, |x| {
        let logits = x.reshape([2, 3, 5]);
        let tokens = token_log_probs(logits.clone(), targets.clone());
        let uniform = burn_kto::logprob::uniform_log_probs(logits);
        smoothed
            .forward_smoothed(tokens, uniform, mask.clone())
            .loss
    });
    // DFT's weight p takes no gradient: the gradient is that of Σ w·ln p with w = p as numbers.
    let tokens = |x: Tensor<1>| token_log_probs(x.reshape([2, 3, 5]), targets.clone());
    let x = leaf(&logits, [30]);
    let out = loss(SftVariant::Dft).forward(tokens(x.clone()), mask.clone());
    let grad = values(x.grad(&out.loss.backward()).unwrap());
    let weights = tokens(vector(&logits)).exp();
    let y = leaf(&logits, [30]);
    let fixed = sequence_log_probs(tokens(y.clone()) * weights, mask).sum() * (-1.0 / 5.0);
    let expected = values(y.grad(&fixed.clone().backward()).unwrap());
    assert!(difference("dft", &grad, &expected, 1e-15) < 1e-12);
    assert!(difference("dft", &values(out.loss), &values(fixed), 0.0) < 1e-12);
}

#[test]
fn log_probs_and_sft_follow_differences() {
    let logits: Vec<f64> = (0..30).map(|i| (f64::from(i) * 0.7).sin() * 3.0).collect();
    let targets = int(&[1, -100, 4, 0, 2, 3], [2, 3]);
    let mask = targets.clone().greater_equal_elem(0);
    let tokens = |x: Tensor<1>| token_log_probs(x.reshape([2, 3, 5]), targets.clone());
    let upstream = vector(&[0.3, -1.2]);
    check("sums", &logits, |x| {
        (sequence_log_probs(tokens(x), mask.clone()) * upstream.clone()).sum()
    });
    check("means", &logits, |x| {
        (average_log_probs(tokens(x), mask.clone()) * upstream.clone()).sum()
    });
    check("sft", &logits, |x| {
        SftLossConfig::new()
            .init()
            .forward(tokens(x), mask.clone())
            .loss
    });
}

#[test]
fn the_fused_head_follows_differences() {
    let inputs: Vec<f64> = (0..4 * 3 + 7 * 3 + 7)
        .map(|i| (f64::from(i) * 1.3).cos())
        .collect();
    let head = FusedLinearLogProbsConfig::new()
        .with_row_tile(3)
        .with_vocab_tile(2)
        .init();
    check("fused", &inputs, |x| {
        let hidden = x.clone().narrow(0, 0, 12).reshape([4, 3]);
        let weight = x.clone().narrow(0, 12, 21).reshape([7, 3]);
        let bias = x.narrow(0, 33, 7);
        let log_probs = head.forward_with_bias(hidden, weight, bias, int(&[0, 6, 3, 3], [4]));
        (log_probs * vector(&[1.0, -0.5, 2.0, 0.1])).sum()
    });
}

#[test]
fn sorting_sends_gradients_back_to_where_values_came_from() {
    // Margins and log-ratios in falling order, unlike those above; the first hinge is inactive.
    let policy = [-6.0, -21.7, -16.0, -15.0];
    for variant in [
        DpoVariant::Aot {
            label_smoothing: 0.1,
        },
        DpoVariant::AotUnpaired {
            label_smoothing: 0.1,
        },
        DpoVariant::Hinge,
    ] {
        let loss = dpo_config(&variant, &FDivergence::ReverseKl).init();
        check(&format!("{variant:?}"), &policy, |x| {
            loss.forward(halves(x), pair(&REFERENCE)).loss
        });
    }
    let hinge = dpo_config(&DpoVariant::Hinge, &FDivergence::ReverseKl).init();
    let x = leaf(&policy, [4]);
    let out = hinge.forward(halves(x.clone()), pair(&REFERENCE));
    let grad = values(x.grad(&out.loss.backward()).unwrap());
    assert!(grad[0] == 0.0 && grad[1] < 0.0, "{grad:?}");
}

#[test]
fn references_kl_weights_and_lengths_never_get_a_gradient() {
    let policy = leaf(&POLICY, [4]);
    let others = [
        leaf(&REFERENCE, [4]),
        leaf(&[0.4], [1]),
        leaf(&[1.0, 2.0, 3.0, 4.0], [4]),
    ];
    let [reference, kl, weights] = others.clone();
    let out = kto().forward_weighted(policy.clone(), reference, thumbs(), kl, weights);
    for off in [
        &out.losses,
        &out.rewards,
        &out.kl,
        &out.margins,
        &out.log_probs,
    ] {
        assert!(!off.is_autodiff());
    }
    let grads = out.loss.backward();
    assert!(policy.grad(&grads).is_some());
    assert!(others.iter().all(|other| other.grad(&grads).is_none()));

    let [c, r, l] = [
        leaf(&POLICY[..2], [2]),
        leaf(&REFERENCE[..2], [2]),
        leaf(&LENGTHS[..2], [2]),
    ];
    let both = |t: &Tensor<1>| Pair::new(t.clone(), t.clone() + 1.0);
    let loss = DpoLossConfig::new().with_variant(DpoVariant::Ipo).init();
    let out = loss.forward_with_lengths(both(&c), both(&r), both(&l));
    let grads = out.loss.backward();
    assert!(c.grad(&grads).is_some() && r.grad(&grads).is_none() && l.grad(&grads).is_none());

    for (name, loss) in all_preference() {
        let x = leaf(&POLICY, [4]);
        let others: Vec<Tensor<1>> = [1.0, 2.0, 3.0, 4.0, 5.0]
            .map(|v| leaf(&[v, v + 0.5], [2]))
            .to_vec();
        let [a, b, c, d, w] = &others[..] else {
            unreachable!()
        };
        let (reference, lengths) = (
            Pair::new(a.clone(), b.clone()),
            Pair::new(c.clone(), d.clone()),
        );
        let input = PreferenceInput::new(halves(x.clone()), reference, lengths);
        let out = loss(input.with_weights(Some(w.clone())));
        for off in [
            &out.losses,
            &out.chosen_rewards,
            &out.rejected_rewards,
            &out.chosen_log_probs,
        ] {
            assert!(!off.is_autodiff(), "{name}");
        }
        let grads = out.loss.backward();
        assert!(x.grad(&grads).is_some(), "{name}");
        assert!(
            others.iter().all(|other| other.grad(&grads).is_none()),
            "{name}"
        );
    }
    let [x, r, w] = [
        leaf(&POLICY, [4]),
        leaf(&REFERENCE, [4]),
        leaf(&LENGTHS, [4]),
    ];
    let bco = BcoLossConfig::new().init();
    let out = bco.forward_weighted(x.clone(), r.clone(), thumbs(), w.clone());
    assert!(!out.kl.is_autodiff() && !out.margins.is_autodiff());
    let grads = out.loss.backward();
    assert!(x.grad(&grads).is_some() && r.grad(&grads).is_none() && w.grad(&grads).is_none());

    let mismatched = [leaf(&POLICY, [4]), leaf(&REFERENCE, [4])];
    let z0 = KlEstimatorConfig::new()
        .init()
        .estimate(mismatched[0].clone(), mismatched[1].clone());
    assert!(!z0.is_autodiff());
}
