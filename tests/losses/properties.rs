//! Laws that hold for any input.

use crate::common::*;
use crate::gradients::{all_dpo, all_preference, dpo_config};
use burn::tensor::{Bool, DType, FloatDType, Tensor, TensorData};
use burn_kto::prelude::*;
use proptest::prelude::*;

fn thumbs(values: &[bool]) -> Tensor<1, Bool> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &device())
}

fn kto(beta: f64, d: f64, u: f64) -> KtoLoss {
    KtoLossConfig::new()
        .with_beta(beta)
        .with_desirable_weight(d)
        .with_undesirable_weight(u)
        .init()
}

/// Losses for log-ratios, whatever the reference.
fn kto_losses(loss: &KtoLoss, ratios: &[f64], up: &[bool], kl: f64) -> Vec<f64> {
    let reference = vector(&vec![-50.0; ratios.len()]);
    let policy = vector(ratios) + reference.clone();
    values(
        loss.forward(policy, reference, thumbs(up), vector(&[kl]))
            .losses,
    )
}

/// A batch: log-ratios, thumbs, z0.
fn batch() -> impl Strategy<Value = (Vec<f64>, Vec<bool>, f64)> {
    prop::collection::vec((-60.0..60.0, any::<bool>()), 1..12)
        .prop_flat_map(|rows| (Just(rows), 0.0..20.0))
        .prop_map(|(rows, kl)| {
            let (ratios, up) = rows.into_iter().unzip();
            (ratios, up, kl)
        })
}

/// log π of chosen and rejected, log π_ref of both, lengths of both.
type Row = ([f64; 2], [f64; 2], [f64; 2]);

fn pairs() -> impl Strategy<Value = Vec<Row>> {
    let two = |range: std::ops::Range<f64>| [range.clone(), range];
    prop::collection::vec((two(-60.0..-0.1), two(-60.0..-0.1), two(1.0..20.0)), 1..8)
}

fn inputs(rows: &[Row]) -> PreferenceInput {
    let pair = |of: &dyn Fn(&Row) -> [f64; 2]| {
        let side = |k: usize| vector(&rows.iter().map(|row| of(row)[k]).collect::<Vec<_>>());
        Pair::new(side(0), side(1))
    };
    PreferenceInput::new(
        pair(&|r| r.0),
        pair(&|r| r.1),
        pair(&|r| r.2.map(f64::round)),
    )
}

type OnPairs = Box<dyn Fn(PreferenceInput) -> PreferenceOutput>;

/// Every loss whose value for a pair is that pair's own: not those that sort a batch or take a mean over it.
fn all_on_pairs() -> Vec<(String, OnPairs)> {
    let others = all_preference()
        .into_iter()
        .filter(|(name, _)| *name != "beta-dpo");
    let mut all: Vec<(String, OnPairs)> = others.map(|(n, loss)| (n.to_string(), loss)).collect();
    for (variant, divergence) in all_dpo() {
        if matches!(
            variant,
            DpoVariant::Aot { .. } | DpoVariant::AotUnpaired { .. }
        ) {
            continue;
        }
        let loss = dpo_config(&variant, &divergence).init();
        let name = format!("{variant:?} {divergence:?}");
        all.push((name, Box::new(move |input| loss.compute(input))));
    }
    all
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a == b || (a - b).abs() <= 1e-11 * b.abs().max(1.0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn kto_is_bounded_by_its_weights((ratios, up, kl) in batch(), beta in 0.01..2.0, d in 0.0..3.0, u in 0.0..3.0) {
        for (loss, up) in kto_losses(&kto(beta, d, u), &ratios, &up, kl).into_iter().zip(up) {
            let bound = if up { d } else { u };
            prop_assert!(loss >= 0.0 && loss <= bound);
        }
    }

    #[test]
    fn kto_does_not_care_about_order_or_company((ratios, up, kl) in batch(), at in any::<prop::sample::Index>()) {
        let loss = kto(0.3, 1.2, 0.8);
        let all = kto_losses(&loss, &ratios, &up, kl);
        let at = at.index(ratios.len());
        let turned = |v: &[f64]| [&v[at..], &v[..at]].concat();
        let turned_up = [&up[at..], &up[..at]].concat();
        prop_assert!(close(&kto_losses(&loss, &turned(&ratios), &turned_up, kl), &turned(&all)));
        if at > 0 {
            let parts = [kto_losses(&loss, &ratios[..at], &up[..at], kl), kto_losses(&loss, &ratios[at..], &up[at..], kl)];
            prop_assert!(close(&parts.concat(), &all));
        }
    }

    #[test]
    fn kto_mirrors_when_thumbs_weights_and_margins_do((ratios, up, kl) in batch()) {
        let mirrored: Vec<f64> = ratios.iter().map(|r| 2.0 * kl - r).collect();
        let flipped: Vec<bool> = up.iter().map(|up| !up).collect();
        let got = kto_losses(&kto(0.3, 0.8, 1.2), &mirrored, &flipped, kl);
        prop_assert!(close(&got, &kto_losses(&kto(0.3, 1.2, 0.8), &ratios, &up, kl)));
    }

    #[test]
    fn kto_forgets_everything_as_beta_vanishes((ratios, up, kl) in batch()) {
        let losses = kto_losses(&kto(1e-12, 1.2, 0.8), &ratios, &up, kl);
        for (loss, up) in losses.into_iter().zip(up) {
            let half = if up { 0.6 } else { 0.4 };
            prop_assert!((loss - half).abs() < 1e-9);
        }
    }

    #[test]
    fn weights_of_one_change_nothing_and_weights_scale((ratios, up, kl) in batch(), w in 0.0..3.0) {
        let n = ratios.len();
        let forward = |w: f64| {
            let weights = vector(&vec![w; n]);
            let out = kto(0.3, 1.0, 1.0).forward_weighted(vector(&ratios), vector(&vec![0.0; n]), thumbs(&up), vector(&[kl]), weights);
            values(out.losses)
        };
        let plain = kto_losses(&kto(0.3, 1.0, 1.0), &ratios, &up, kl);
        prop_assert!(close(&forward(1.0), &plain));
        let scaled: Vec<f64> = plain.iter().map(|x| x * w).collect();
        prop_assert!(close(&forward(w), &scaled));
    }

    #[test]
    fn swapping_a_pair_moves_the_sigmoid_loss_by_its_margin(c in -30.0..30.0, d in -30.0..30.0) {
        let loss = DpoLossConfig::new().with_beta(0.3).init();
        let of = |c: f64, d: f64| {
            let zero = Pair::new(vector(&[0.0]), vector(&[0.0]));
            values(loss.forward(Pair::new(vector(&[c]), vector(&[d])), zero).loss)[0]
        };
        prop_assert!((of(c, d) - of(d, c) + 0.3 * (c - d)).abs() < 1e-10);
    }

    #[test]
    fn losses_on_pairs_do_not_care_about_order_or_company(rows in pairs(), at in any::<prop::sample::Index>()) {
        let at = at.index(rows.len());
        let turned = [&rows[at..], &rows[..at]].concat();
        for (name, loss) in all_on_pairs() {
            let of = |rows: &[Row]| values(loss(inputs(rows)).losses);
            let all = of(&rows);
            let expected = [&all[at..], &all[..at]].concat();
            prop_assert!(close(&of(&turned), &expected), "{}", name);
            if at > 0 {
                // The SFT part of a batch is a mean over its tokens, so it knows its company; in a step, all share one length.
                let in_step = |rows: &[Row]| values(loss(inputs(rows).with_mean_length(Some(7.0))).losses);
                let parts = [in_step(&rows[..at]), in_step(&rows[at..])].concat();
                prop_assert!(close(&parts, &in_step(&rows)), "{}", name);
            }
        }
    }

    #[test]
    fn gradients_on_pairs_push_the_chosen_up_and_are_bounded(rows in pairs(), beta in 0.01..1.0) {
        let loss = DpoLossConfig::new().with_beta(beta).init();
        let n = rows.len();
        let chosen = leaf(&rows.iter().map(|r| r.0[0]).collect::<Vec<_>>(), [n]);
        let rejected = leaf(&rows.iter().map(|r| r.0[1]).collect::<Vec<_>>(), [n]);
        let mut input = inputs(&rows);
        input.policy = Pair::new(chosen.clone(), rejected.clone());
        let grads = loss.compute(input).loss.backward();
        let (c, r) = (values(chosen.grad(&grads).unwrap()), values(rejected.grad(&grads).unwrap()));
        for (c, r) in c.iter().zip(&r) {
            prop_assert!(*c <= 0.0 && -c * n as f64 <= beta + 1e-12 && (c + r).abs() < 1e-12);
        }
    }

    #[test]
    fn weights_scale_each_pair(rows in pairs(), w in 0.0..3.0) {
        for (name, loss) in all_on_pairs() {
            let plain = values(loss(inputs(&rows)).losses);
            let weights = Some(vector(&vec![w; rows.len()]));
            let scaled: Vec<f64> = plain.iter().map(|x| x * w).collect();
            prop_assert!(close(&values(loss(inputs(&rows).with_weights(weights)).losses), &scaled), "{}", name);
        }
    }

    #[test]
    fn symmetric_losses_know_what_a_swap_does(c in -30.0..30.0, d in -30.0..30.0) {
        let of = |config: DpoLossConfig, c: f64, d: f64| {
            let zero = Pair::new(vector(&[0.0]), vector(&[0.0]));
            let policy = Pair::new(vector(&[c]), vector(&[d]));
            values(config.with_beta(0.3).init().forward(policy, zero).loss)[0]
        };
        let with = |variant: DpoVariant| DpoLossConfig::new().with_variant(variant);
        // IPO's two squares are 2M apart from (Δ−M)² to (−Δ−M)²; APO-zero's terms mirror; cDPO at ε swaps into 1−ε.
        let m = 0.5 / 0.3;
        let ipo = of(with(DpoVariant::Ipo), c, d) - of(with(DpoVariant::Ipo), d, c);
        prop_assert!((ipo + 4.0 * m * (c - d)).abs() < 1e-9);
        let apo = of(with(DpoVariant::ApoZero), c, d) + of(with(DpoVariant::ApoZero), d, c);
        prop_assert!((apo - 2.0).abs() < 1e-12);
        let e = 0.2;
        let smoothed = |c: f64, d: f64| of(with(DpoVariant::Sigmoid { label_smoothing: e }), c, d);
        let plain = |c: f64, d: f64| of(with(DpoVariant::Sigmoid { label_smoothing: 0.0 }), c, d);
        let mixed = (1.0 - e) * plain(c, d) + e * plain(d, c);
        prop_assert!((smoothed(c, d) - mixed).abs() < 1e-10);
        let robust = of(with(DpoVariant::Robust { label_smoothing: e }), c, d);
        let unbiased = ((1.0 - e) * plain(c, d) - e * plain(d, c)) / (1.0 - 2.0 * e);
        prop_assert!((robust - unbiased).abs() < 1e-9);
    }

    #[test]
    fn bco_does_not_care_about_order_and_shifts_with_all_rewards((ratios, up, _) in batch(), at in any::<prop::sample::Index>(), shift in -20.0..20.0) {
        let losses = |ratios: &[f64], up: &[bool], kind| {
            let loss = BcoLossConfig::new().with_beta(0.3).with_shift(kind).init();
            let zeros = vector(&vec![0.0; ratios.len()]);
            values(loss.forward(vector(ratios), zeros, thumbs(up)).losses)
        };
        let at = at.index(ratios.len());
        for kind in [BcoShift::Pooled, BcoShift::ClassMeans] {
            let all = losses(&ratios, &up, kind);
            let turned = [&ratios[at..], &ratios[..at]].concat();
            let turned_up = [&up[at..], &up[..at]].concat();
            prop_assert!(close(&losses(&turned, &turned_up, kind), &[&all[at..], &all[..at]].concat()));
            // δ is a mean of rewards: a constant added to all of them cancels.
            let moved: Vec<f64> = ratios.iter().map(|r| r + shift).collect();
            prop_assert!(close(&losses(&moved, &up, kind), &all));
        }
    }

    #[test]
    fn token_sums_do_not_care_about_padding(alpha in 0.0..=1.0, extra in 0_usize..4, junk in prop::sample::select(vec![0.0, -7.0, 1e300])) {
        let of = |extra: usize| {
            let side = |tokens: &[f64]| {
                let n = tokens.len() + extra;
                let mut padded = tokens.to_vec();
                padded.resize(n, junk);
                let mask: Vec<bool> = (0..n).map(|i| i < tokens.len()).collect();
                let mask = Tensor::from_data(TensorData::new(mask, [1, n]), &device());
                let policy = tensor::<2>(&padded, [1, n]);
                Tokens::new(policy.clone(), policy * 0.5, mask)
            };
            let bounds = Humanline::new();
            let config = TokenLevelConfig::new().with_ld_alpha(alpha).with_humanline(Some(bounds));
            let loss = config.init(DpoLossConfig::new().with_beta(0.3).init());
            values(loss.forward(side(&[-1.0, -2.0, -0.5]), side(&[-3.0])).losses)
        };
        prop_assert!(close(&of(extra), &of(0)));
    }

    #[test]
    fn what_is_masked_does_not_matter(mask in prop::collection::vec(any::<bool>(), 6), junk in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300])) {
        let clean: Vec<f64> = (0..6).map(|i| -f64::from(i) - 0.5).collect();
        let dirty: Vec<f64> = clean.iter().zip(&mask).map(|(x, m)| if *m { *x } else { junk }).collect();
        let flags = || Tensor::<2, Bool>::from_data(TensorData::new(mask.clone(), [2, 3]), &device());
        for f in [sequence_log_probs, average_log_probs] {
            let tokens = leaf(&dirty, [2, 3]);
            let out = f(tokens.clone(), flags());
            prop_assert_eq!(values(out.clone()), values(f(tensor(&clean, [2, 3]), flags())));
            let grad = values(tokens.grad(&out.sum().backward()).unwrap());
            for (g, m) in grad.iter().zip(&mask) {
                prop_assert!(g.is_finite() && (*m || *g == 0.0));
            }
        }
    }

    #[test]
    fn shifting_logits_changes_no_log_prob(logits in prop::collection::vec(-20.0..20.0, 12), shift in -1e4..1e4_f64, target in 0_i64..6) {
        let of = |shift: f64| {
            let logits: Vec<f64> = logits.iter().map(|x| x + shift).collect();
            values(token_log_probs(tensor(&logits, [1, 2, 6]), int(&[target, 0], [1, 2])))
        };
        let (a, b) = (of(0.0), of(shift));
        prop_assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-9 && *a <= 0.0));
    }

    #[test]
    fn z0_is_the_clamped_mean(rows in prop::collection::vec((-50.0..50.0, -50.0..50.0), 1..10)) {
        let (policy, reference): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
        let mean = rows.iter().map(|(p, r)| p - r).sum::<f64>() / rows.len() as f64;
        let z0 = |clamp| {
            let kl = KlEstimatorConfig::new().with_clamp(clamp).init();
            values(kl.estimate(vector(&policy), vector(&reference)))[0]
        };
        prop_assert!((z0(true) - mean.max(0.0)).abs() < 1e-12 && (z0(false) - mean).abs() < 1e-12);
    }
}

#[test]
fn losses_are_known_where_policy_and_reference_agree() {
    let zero = || Pair::new(vector(&[-3.0, -4.0]), vector(&[-5.0, -6.0]));
    let ln2 = std::f64::consts::LN_2;
    let cases = [
        (
            DpoVariant::Sigmoid {
                label_smoothing: 0.2,
            },
            ln2,
        ),
        (DpoVariant::Hinge, 1.0),
        (DpoVariant::Ipo, 25.0),
        (
            DpoVariant::ExoPair {
                label_smoothing: 1e-3,
            },
            2.761231,
        ),
        (DpoVariant::NcaPair, 2.0 * ln2),
        (
            DpoVariant::Robust {
                label_smoothing: 0.2,
            },
            ln2,
        ),
        (DpoVariant::BcoPair, 2.0 * ln2),
        (DpoVariant::SppoHard, 50.0),
        (
            DpoVariant::Aot {
                label_smoothing: 0.0,
            },
            ln2,
        ),
        (
            DpoVariant::AotUnpaired {
                label_smoothing: 0.0,
            },
            ln2,
        ),
        (DpoVariant::ApoZero, 1.0),
        (DpoVariant::ApoDown, 1.0),
        (DpoVariant::DiscoPop { temperature: 0.05 }, 0.846574),
        (DpoVariant::SigmoidNorm, ln2),
    ];
    for (variant, expected) in cases {
        let loss = DpoLossConfig::new()
            .with_beta(0.1)
            .with_variant(variant.clone())
            .init();
        let got = values(loss.forward(zero(), zero()).loss)[0];
        assert!((got - expected).abs() < 1e-6, "{variant:?}: {got}");
    }
}

/// f32 leaves with log-ratios of ±1e4 and 0.
fn extremes(dtype: DType) -> [Tensor<1>; 2] {
    let of = |values: [f64; 5]| {
        let data = TensorData::new(values.to_vec(), [5]);
        Tensor::<1>::from_data(data, (&device().autodiff(), dtype)).require_grad()
    };
    [
        of([1e4, -1e4, 0.0, 1e4, -1e4]),
        of([-1e4, 1e4, 0.0, 1e4, -1e4]),
    ]
}

#[test]
fn every_loss_and_gradient_is_finite_at_ten_thousand() {
    let zeros = || Tensor::<1>::zeros([5], &device());
    let [x, y] = extremes(DType::F32);
    for up in [true, false] {
        let out = kto(0.5, 1.0, 1.0).forward(
            x.clone(),
            zeros(),
            thumbs(&[up; 5]),
            zeros().narrow(0, 0, 1),
        );
        let grads = x.grad(&out.loss.backward()).unwrap();
        assert!(
            values(grads)
                .iter()
                .chain(&values(out.losses))
                .all(|v| v.is_finite())
        );
    }
    let mut all: Vec<(String, OnPairs)> = all_preference()
        .into_iter()
        .map(|(name, loss)| (name.to_string(), loss))
        .collect();
    for (variant, divergence) in all_dpo() {
        let loss = dpo_config(&variant, &divergence).init();
        let name = format!("{variant:?} {divergence:?}");
        all.push((name, Box::new(move |input| loss.compute(input))));
    }
    for (what, loss) in all {
        let ones = || Pair::new(zeros() + 1.0, zeros() + 1.0);
        let pair = Pair::new(x.clone(), y.clone());
        let out = loss(PreferenceInput::new(
            pair,
            Pair::new(zeros(), zeros()),
            ones(),
        ));
        let grads = out.loss.backward();
        let all = [
            values(out.losses),
            values(x.grad(&grads).unwrap()),
            values(y.grad(&grads).unwrap()),
        ]
        .concat();
        assert!(all.iter().all(|v| v.is_finite()), "{what}: {all:?}");
    }
}

#[test]
fn bco_and_rewards_are_finite_at_ten_thousand() {
    let zeros = || Tensor::<1>::zeros([5], &device());
    for dtype in [DType::F32, DType::F64] {
        let [x, y] = extremes(dtype);
        for up in [[true; 5], [false; 5], [true, false, true, false, true]] {
            for shift in [BcoShift::Pooled, BcoShift::ClassMeans] {
                let bco = BcoLossConfig::new().with_beta(0.5).with_shift(shift).init();
                let out = bco.forward(x.clone(), zeros(), thumbs(&up));
                let grads = values(x.grad(&out.loss.backward()).unwrap());
                assert!(
                    grads
                        .iter()
                        .chain(&values(out.losses))
                        .all(|v| v.is_finite())
                );
            }
        }
        let loss = RewardLossConfig::new().with_centring(0.01).init();
        let out = loss.forward(Pair::new(x.clone(), y.clone()));
        let grads = values(x.grad(&out.loss.backward()).unwrap());
        assert!(
            grads
                .iter()
                .chain(&values(out.losses))
                .all(|v| v.is_finite())
        );
    }
}

#[test]
fn every_loss_takes_half_precision_and_computes_in_f32() {
    let half = |x: &[f64], dtype| {
        let data = TensorData::new(x.to_vec(), [x.len()]);
        let leaf = Tensor::<1>::from_data(data, (&device().autodiff(), DType::F64));
        leaf.cast(dtype).require_grad()
    };
    let exact = |x: &[f64]| vector(x);
    let (c, d) = ([-10.5, -21.0], [-15.25, -3.5]);
    let (e, f) = ([-11.0, -20.0], [-15.5, -4.0]);
    let ones = || Pair::new(vector(&[3.0, 5.0]), vector(&[4.0, 2.0]));
    for (name, loss) in all_preference() {
        let reference = || Pair::new(exact(&e), exact(&f));
        let wanted = loss(PreferenceInput::new(
            Pair::new(exact(&c), exact(&d)),
            reference(),
            ones(),
        ));
        for dtype in [FloatDType::F16, FloatDType::BF16] {
            let x = half(&c, dtype);
            let policy = Pair::new(x.clone(), half(&d, dtype));
            let out = loss(PreferenceInput::new(policy, reference(), ones()));
            assert_eq!(out.loss.dtype(), DType::F32, "{name}");
            let off = difference(
                name,
                &values(out.losses),
                &values(wanted.losses.clone()),
                0.0,
            );
            assert!(off < 1e-5, "{name}: {off}");
            let grad = x.grad(&out.loss.backward()).unwrap();
            assert_eq!(grad.dtype(), x.dtype(), "{name}");
            assert!(values(grad).iter().all(|g| g.is_finite()));
        }
    }
}

#[test]
fn everything_is_known_at_step_zero() {
    let ln2 = std::f64::consts::LN_2;
    let same = || Pair::new(vector(&[-3.0, -4.0]), vector(&[-3.0, -4.0]));
    let lengths = || Pair::new(vector(&[2.0, 4.0]), vector(&[2.0, 4.0]));
    let plain = |loss: &dyn Fn(PreferenceInput) -> PreferenceOutput| {
        values(loss(PreferenceInput::new(same(), same(), lengths())).loss)[0]
    };
    // Where chosen and rejected are equally likely: −ln σ(−γ), ln 2 + NLL, 1 + NLL, 1/(2β)² + NLL, β·ln 2 + NLL, δ + w·NLL.
    let nll = 7.0 / 6.0;
    let simpo = SimpoLossConfig::new()
        .with_margin(SimpoMargin::Gamma { gamma: 1.0 })
        .init();
    assert!((plain(&|i| simpo.compute(i)) - (1.0 + 1.0_f64.exp()).ln()).abs() < 1e-12);
    let cpo = |variant| CpoLossConfig::new().with_variant(variant).init();
    let sigmoid = cpo(CpoVariant::Sigmoid {
        label_smoothing: 0.2,
    });
    assert!((plain(&|i| sigmoid.compute(i)) - ln2 - nll).abs() < 1e-12);
    let hinge = cpo(CpoVariant::Hinge);
    assert!((plain(&|i| hinge.compute(i)) - 1.0 - nll).abs() < 1e-12);
    let ipo = cpo(CpoVariant::Ipo);
    assert!((plain(&|i| ipo.compute(i)) - 25.0 - nll).abs() < 1e-12);
    let alpha = cpo(CpoVariant::AlphaPo {
        alpha: 0.3,
        gamma: 0.0,
    });
    assert!((plain(&|i| alpha.compute(i)) - ln2 - nll).abs() < 1e-12);
    let orpo = OrpoLossConfig::new().init();
    assert!((plain(&|i| orpo.compute(i)) - 0.1 * ln2 - nll).abs() < 1e-12);
    let slic = SlicLossConfig::new().init();
    assert!((plain(&|i| slic.compute(i)) - 1.0 - 0.1 * nll).abs() < 1e-12);
    let mpo = MixedLossConfig::mpo(0.1).init();
    assert!((plain(&|i| mpo.compute(i)) - 0.8 * ln2 - 0.2 * 2.0 * ln2 - nll).abs() < 1e-12);
    let beta_dpo = BetaDpoConfig::new().init(DpoLossConfig::new().init());
    assert!((plain(&|i| beta_dpo.compute(i)) - ln2).abs() < 1e-12);
    let reward = RewardLossConfig::new().init().forward(same());
    assert!((values(reward.loss)[0] - ln2).abs() < 1e-12);
    let at = vector(&[-3.0, -4.0]);
    let bco = BcoLossConfig::new().init();
    let out = bco.forward(at.clone(), at.clone(), thumbs(&[true, false]));
    assert!((values(out.loss)[0] - ln2).abs() < 1e-12);
    for (value, expected) in [
        (KtoValue::Kahneman, 0.5),
        (KtoValue::Concave, ln2),
        (KtoValue::Linear, 0.0),
    ] {
        let kto = KtoLossConfig::new().with_value(value).init();
        let out = kto.forward(
            at.clone(),
            at.clone(),
            thumbs(&[true, false]),
            vector(&[0.0]),
        );
        assert!((values(out.loss)[0] - expected).abs() < 1e-12);
    }
}

#[test]
fn alphapo_becomes_simpo() {
    let policy = || Pair::new(vector(&[-3.0, -9.0]), vector(&[-5.0, -4.0]));
    let lengths = || Pair::new(vector(&[2.0, 4.0]), vector(&[3.0, 2.0]));
    let simpo = SimpoLossConfig::new().with_margin(SimpoMargin::Gamma { gamma: 0.7 });
    let expected = values(simpo.init().forward(policy(), lengths()).losses);
    let variant = CpoVariant::AlphaPo {
        alpha: 1e-7,
        gamma: 0.7,
    };
    let alpha = CpoLossConfig::new()
        .with_beta(2.0)
        .with_variant(variant)
        .with_sft_weight(0.0);
    let got = values(alpha.init().forward(policy(), lengths()).losses);
    assert!(difference("alphapo", &got, &expected, 0.0) < 1e-5);
}

#[test]
fn odds_keep_their_digits_near_certainty_and_near_nothing() {
    // odds(p) = p − ln(1 − e^p); for p = −1e-5 it is −ln(1e-5) to five digits, for p = −30 it is p.
    let f32 = |x: f64| Tensor::<1>::from_data([x as f32], &device());
    let one = || f32(1.0);
    let orpo = OrpoLossConfig::new()
        .with_beta(1.0)
        .with_sft_weight(0.0)
        .init();
    let of = |w: f64, l: f64| {
        let out = orpo.forward(Pair::new(f32(w), f32(l)), Pair::new(one(), one()));
        values(out.loss)[0]
    };
    let odds = |p: f64| p - (-p.exp_m1()).ln();
    for (w, l) in [
        (-1e-5, -0.5),
        (-0.5, -1e-5),
        (-1e-3, -0.69),
        (-0.7, -30.0),
        (-1e-6, -2e-6),
    ] {
        let expected = (-(odds(w) - odds(l))).exp().ln_1p();
        let off = (of(w, l) - expected).abs() / expected;
        assert!(off < 1e-5, "{w}, {l}: {} against {expected}", of(w, l));
    }
    assert!(of(0.0, -1.0).is_finite() && of(-1.0, 0.0).is_finite());
}

#[test]
fn half_precision_is_computed_in_f32() {
    let (policy, reference, up) = (
        [-10.5, -21.0, -15.25],
        [-11.0, -20.0, -15.5],
        [true, false, true],
    );
    let exact = kto(0.3, 1.0, 1.0).forward(
        vector(&policy),
        vector(&reference),
        thumbs(&up),
        vector(&[0.5]),
    );
    for dtype in [FloatDType::F16, FloatDType::BF16] {
        let half = |x: &[f64]| vector(x).cast(dtype);
        let out =
            kto(0.3, 1.0, 1.0).forward(half(&policy), half(&reference), thumbs(&up), half(&[0.5]));
        assert_eq!(out.loss.dtype(), DType::F32);
        let off = difference(
            "half",
            &values(out.losses),
            &values(exact.losses.clone()),
            0.0,
        );
        assert!(
            off < 1e-6,
            "inputs are exact in half precision, so only the f32 arithmetic rounds: {off}"
        );
        let tokens = tensor::<2>(&policy, [1, 3]).cast(dtype);
        let mask = Tensor::<2, Bool>::from_data([[true; 3]], &device());
        let out = SftLossConfig::new().init().forward(tokens, mask);
        assert_eq!(out.loss.dtype(), DType::F32);
        assert!((values(out.loss)[0] - 46.75 / 3.0).abs() < 1e-5);
    }
}

#[test]
fn f64_policies_meet_f32_references() {
    let reference = vector(&[-11.0]).cast(FloatDType::F32);
    let kl = vector(&[0.5]).cast(FloatDType::F32);
    let out = kto(0.3, 1.0, 1.0).forward(vector(&[-10.5]), reference, thumbs(&[true]), kl);
    assert_eq!(out.loss.dtype(), DType::F64);
    assert_eq!(values(out.losses), [0.5]);
}

#[test]
fn the_tail_of_the_loss_is_kept_in_f32() {
    // 1 − σ(20) is exactly 0 in f32; σ(−20) is 2e-9.
    let one = |x: f32| Tensor::<1>::from_data([x], &device());
    let out = kto(1.0, 1.0, 1.0).forward(one(20.0), one(0.0), thumbs(&[true]), one(0.0));
    let loss = values(out.loss)[0];
    assert!((loss / (-20.0_f64).exp() - 1.0).abs() < 1e-5, "{loss:e}");
}

#[test]
#[should_panic(expected = "[3]")]
fn kto_panics_with_the_shapes() {
    kto(0.1, 1.0, 1.0).forward(
        vector(&[0.0; 2]),
        vector(&[0.0; 3]),
        thumbs(&[true; 2]),
        vector(&[0.0]),
    );
}

/// The message of the panic.
fn panic_of(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(f).expect_err("a panic");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
        .unwrap_or_default()
}

#[test]
fn wrong_shapes_panic_with_both_shapes() {
    let v = |n: usize| vector(&vec![-1.0; n]);
    let pair = |n: usize| Pair::new(v(n), v(n));
    let both = |text: String| assert!(text.contains('2') && text.contains('3'), "{text}");
    let dpo = || DpoLossConfig::new().init();
    both(panic_of(|| drop(Pair::new(v(2), v(3)))));
    both(panic_of(|| drop(dpo().forward(pair(2), pair(3)))));
    both(panic_of(|| {
        drop(dpo().forward_with_lengths(pair(2), pair(2), pair(3)))
    }));
    both(panic_of(|| {
        let input = PreferenceInput::new(pair(2), pair(2), pair(2));
        drop(dpo().compute(input.with_weights(Some(v(3)))));
    }));
    both(panic_of(|| {
        drop(SimpoLossConfig::new().init().forward(pair(2), pair(3)))
    }));
    both(panic_of(|| {
        drop(
            BcoLossConfig::new()
                .init()
                .forward(v(2), v(3), thumbs(&[true; 2])),
        )
    }));
    both(panic_of(|| {
        drop(
            BcoLossConfig::new()
                .init()
                .forward(v(2), v(2), thumbs(&[true; 3])),
        )
    }));
    both(panic_of(|| {
        drop(kto(0.1, 1.0, 1.0).forward(v(2), v(2), thumbs(&[true; 3]), v(1)))
    }));
    both(
        panic_of(|| drop(kto(0.1, 1.0, 1.0).forward(v(1), v(1), thumbs(&[true]), v(3) + 2.0)))
            .replace("[1]", "2"),
    );
    both(panic_of(|| {
        drop(
            RewardLossConfig::new()
                .init()
                .forward_with_margins(pair(2), v(3)),
        )
    }));
    both(panic_of(|| {
        let mask = Tensor::<2, Bool>::from_data([[true; 3]; 2], &device());
        drop(
            SftLossConfig::new()
                .init()
                .forward(tensor(&[0.0; 4], [2, 2]), mask),
        );
    }));
    both(panic_of(|| {
        let mask = Tensor::<2, Bool>::from_data([[true; 3]; 2], &device());
        drop(Tokens::new(
            tensor(&[0.0; 4], [2, 2]),
            tensor(&[0.0; 4], [2, 2]),
            mask,
        ));
    }));
    both(panic_of(|| {
        drop(token_log_probs(
            tensor(&[0.0; 8], [2, 2, 2]),
            int(&[0; 6], [2, 3]),
        ))
    }));
}

#[test]
fn what_makes_no_sense_panics_with_a_reason() {
    let none = || Pair::new(vector(&[]), vector(&[]));
    let text = panic_of(|| drop(DpoLossConfig::new().init().forward(none(), none())));
    assert_eq!(text, "a batch needs at least one pair, got none");
    let text = panic_of(|| {
        let mask = Tensor::<2, Bool>::from_data([[true]], &device());
        let variant = SftVariant::Nll {
            label_smoothing: 0.1,
        };
        let loss = SftLossConfig::new().with_variant(variant).init();
        drop(loss.forward(tensor(&[0.0], [1, 1]), mask));
    });
    assert!(text.contains("call forward_smoothed"), "{text}");
    let text = panic_of(|| {
        let config = DpoLossConfig::new().with_variant(DpoVariant::Aot {
            label_smoothing: 0.0,
        });
        let one = || Pair::new(vector(&[1.0]), vector(&[1.0]));
        let input = PreferenceInput::new(one(), one(), one());
        drop(
            config
                .init()
                .compute(input.with_weights(Some(vector(&[1.0])))),
        );
    });
    assert!(text.contains("cannot have weights"), "{text}");
}

#[test]
#[should_panic(expected = "z0 needs at least one mismatched pair, got none")]
fn z0_of_nothing_panics() {
    KlEstimatorConfig::new()
        .init()
        .estimate(vector(&[]), vector(&[]));
}

#[test]
#[should_panic(expected = "chosen and rejected come in equal numbers, got 3 values")]
fn an_odd_split_panics() {
    Pair::split(vector(&[0.0; 3]));
}

#[test]
fn bad_configurations_are_refused_by_name() {
    let dpo = |variant| {
        DpoLossConfig::new()
            .with_variant(variant)
            .validate()
            .map_err(|e| e.to_string())
    };
    for (variant, message) in [
        (
            DpoVariant::ExoPair {
                label_smoothing: 0.0,
            },
            "label_smoothing must be in (0, 0.5), got 0",
        ),
        (
            DpoVariant::Robust {
                label_smoothing: 0.5,
            },
            "label_smoothing must be in [0, 0.5), got 0.5",
        ),
        (
            DpoVariant::Sigmoid {
                label_smoothing: f64::NAN,
            },
            "label_smoothing must be in [0, 0.5), got NaN",
        ),
        (
            DpoVariant::DiscoPop { temperature: 0.0 },
            "temperature must be in (0, 1], got 0",
        ),
    ] {
        assert_eq!(dpo(variant).unwrap_err(), message);
    }
    let config = DpoLossConfig::new()
        .with_variant(DpoVariant::ApoZero)
        .with_f_divergence(FDivergence::ForwardKl);
    assert!(
        config
            .validate()
            .unwrap_err()
            .to_string()
            .contains("must be ReverseKl")
    );
    assert!(DpoLossConfig::new().with_beta(-1.0).validate().is_err());
    let of = |result: Result<(), burn_kto::Error>| result.unwrap_err().to_string();
    let wrong = [
        of(DpoLossConfig::new().with_chosen_penalty(-1.0).validate()),
        of(SimpoLossConfig::new().with_beta(0.0).validate()),
        of(SimpoLossConfig::new().with_label_smoothing(0.5).validate()),
        of(SimpoLossConfig::new()
            .with_margin(SimpoMargin::Gamma { gamma: f64::NAN })
            .validate()),
        of(CpoLossConfig::new().with_sft_weight(-1.0).validate()),
        of(CpoLossConfig::new()
            .with_variant(CpoVariant::AlphaPo {
                alpha: 0.0,
                gamma: 0.0,
            })
            .validate()),
        of(OrpoLossConfig::new().with_beta(f64::INFINITY).validate()),
        of(SlicLossConfig::new().with_margin(0.0).validate()),
        of(MixedLossConfig::new(vec![]).validate()),
        of(BcoLossConfig::new().with_beta(-0.1).validate()),
        of(RewardLossConfig::new().with_centring(-0.1).validate()),
        of(TokenLevelConfig::new().with_ld_alpha(1.5).validate()),
        of(TokenLevelConfig::new()
            .with_humanline(Some(Humanline::new().with_low(0.5)))
            .validate()),
        of(BetaDpoConfig::new().with_keep(0.0).validate()),
        of(MovingConfig::new().with_mix(0.0).validate()),
        of(KlEstimatorConfig::new()
            .with_scope(KlScope::MovingAverage { decay: 1.0 })
            .validate()),
        of(KlEstimatorConfig::new()
            .with_scope(KlScope::Fixed { value: f64::NAN })
            .validate()),
        of(SftLossConfig::new()
            .with_variant(SftVariant::Nll {
                label_smoothing: 1.0,
            })
            .validate()),
    ];
    for text in wrong {
        assert!(text.contains("must ") && text.contains("got "), "{text}");
    }
}
