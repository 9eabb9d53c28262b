//! Laws that hold for any input.

use crate::common::*;
use crate::gradients::{all_dpo, dpo_config};
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

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs().max(1.0))
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
    for (variant, divergence) in all_dpo() {
        let out = dpo_config(&variant, &divergence)
            .init()
            .forward(Pair::new(x.clone(), y.clone()), Pair::new(zeros(), zeros()));
        let what = format!("{variant:?} {divergence:?}");
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
}
