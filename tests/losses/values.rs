//! Values that are known, and extremes that have to stay finite.

use crate::common::*;
use crate::gradients::{OnPairs, all_dpo, all_preference, dpo_config};
use crate::properties::{kto, thumbs};
use burn::tensor::{Bool, DType, FloatDType, Tensor, TensorData};
use burn_kto::prelude::*;

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
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        finite_at_ten_thousand(dtype);
    }
}

fn finite_at_ten_thousand(dtype: DType) {
    let zeros = || Tensor::<1>::zeros([5], &device());
    let [x, y] = extremes(dtype);
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
    let exact = extremes(DType::F64);
    for (what, loss) in all {
        let run = |[x, y]: &[Tensor<1>; 2]| {
            let ones = || Pair::new(zeros() + 1.0, zeros() + 1.0);
            let pair = Pair::new(x.clone(), y.clone());
            let reference = Pair::new(zeros(), zeros());
            let out = loss(PreferenceInput::new(pair, reference, ones()));
            let grads = out.loss.backward();
            let of = |leaf: &Tensor<1>| values(leaf.grad(&grads).unwrap());
            (values(out.losses), [of(x), of(y)].concat())
        };
        let (losses, grads) = run(&[x.clone(), y.clone()]);
        assert!(losses.iter().all(|v| v.is_finite()), "{what}: {losses:?}");
        // A gradient has its leaf's dtype: what lies beyond the range of f16 is infinite in it.
        let range = if dtype == DType::F16 {
            65504.0
        } else {
            f64::MAX
        };
        for (grad, exact) in grads.iter().zip(run(&exact).1) {
            let ok = grad.is_finite() || exact.abs() > range && !grad.is_nan();
            assert!(ok, "{what}: {grad} for {exact}");
        }
    }
}

#[test]
fn bco_and_rewards_are_finite_at_ten_thousand() {
    let zeros = || Tensor::<1>::zeros([5], &device());
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
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
    // Where chosen and rejected are equally likely: −ln σ(−γ), ln 2 + NLL, 1 + NLL, 1/(2β)² + NLL,
    // β·ln 2 + NLL, δ + w·NLL.
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
fn alphapo_becomes_simpo_and_alpha_divergence_becomes_reverse_kl_in_f32_too() {
    let f32 = |values: [f64; 2]| vector(&values).cast(FloatDType::F32);
    let policy = || Pair::new(f32([-3.0, -9.0]), f32([-5.0, -4.0]));
    let reference = || Pair::new(f32([-4.0, -7.0]), f32([-3.5, -6.0]));
    let lengths = || Pair::new(f32([2.0, 4.0]), f32([3.0, 2.0]));
    let simpo = SimpoLossConfig::new().with_margin(SimpoMargin::Gamma { gamma: 0.7 });
    let simpo = values(simpo.init().forward(policy(), lengths()).losses);
    let dpo = values(
        DpoLossConfig::new()
            .init()
            .forward(policy(), reference())
            .losses,
    );
    for alpha in [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, -1e-6, 1e-12] {
        let variant = CpoVariant::AlphaPo { alpha, gamma: 0.7 };
        let config = CpoLossConfig::new().with_beta(2.0).with_variant(variant);
        let got = config
            .with_sft_weight(0.0)
            .init()
            .forward(policy(), lengths());
        let off = difference("alphapo", &values(got.losses), &simpo, 0.0);
        assert!(off < 1e-3 * (alpha.abs() / 1e-4) + 2e-6, "{alpha}: {off}");
        let divergence = FDivergence::AlphaDivergence { alpha: 1.0 - alpha };
        let config = DpoLossConfig::new().with_f_divergence(divergence);
        let got = config.init().forward(policy(), reference());
        let off = difference("alpha", &values(got.losses), &dpo, 0.0);
        assert!(off < 1e-3 * (alpha.abs() / 1e-4) + 2e-6, "{alpha}: {off}");
    }
}

#[test]
fn pairs_of_mixed_floats_meet() {
    let single = |values: &[f64]| vector(values).cast(FloatDType::F32);
    let dpo = DpoLossConfig::new().init();
    let policy = Pair::new(vector(&[-3.0]), single(&[-5.0]));
    let reference = Pair::new(single(&[-4.0]), vector(&[-4.5]));
    let out = dpo.forward(policy, reference);
    assert_eq!(out.loss.dtype(), DType::F64);
    // Log-ratios 1 and −0.5.
    assert!((values(out.loss)[0] - (-0.15_f64).exp().ln_1p()).abs() < 1e-12);
}

#[test]
fn modifiers_leave_the_likelihood_alone() {
    // RPO under LD-DPO with α = 0 and tight bounds: the preference sees one token, the likelihood
    // all three.
    let mask = |n: usize| Tensor::<2, Bool>::full([1, n], true, &device());
    let policy = leaf(&[-1.0, -2.0, -3.0], [1, 3]);
    let chosen = Tokens::new(policy.clone(), tensor(&[-1.0; 3], [1, 3]), mask(3));
    let rejected = Tokens::new(tensor(&[-2.0], [1, 1]), tensor(&[-2.0], [1, 1]), mask(1));
    let bounds = Humanline::new().with_low(-0.5).with_high(0.5);
    let config = TokenLevelConfig::new()
        .with_ld_alpha(0.0)
        .with_humanline(Some(bounds));
    let out = config
        .init(MixedLossConfig::rpo(0.1, 1.0).init())
        .forward(chosen, rejected);
    let ln2 = std::f64::consts::LN_2;
    assert!(
        (values(out.loss.clone())[0] - ln2 - 2.0).abs() < 1e-12,
        "6 / 3 tokens"
    );
    assert_eq!(values(out.chosen_log_probs), [-6.0]);
    let grad = values(policy.grad(&out.loss.backward()).unwrap());
    for (got, expected) in grad.iter().zip([-1.0 / 3.0 - 0.05, -1.0 / 3.0, -1.0 / 3.0]) {
        assert!((got - expected).abs() < 1e-12, "{grad:?}");
    }
}

#[test]
fn a_pair_with_an_infinite_margin_shows() {
    let input = || {
        let reference = Pair::new(vector(&[f64::NEG_INFINITY, -1.0]), vector(&[-1.0, -1.0]));
        let policy = Pair::new(vector(&[-1.0, -1.0]), vector(&[-2.0, -2.0]));
        PreferenceInput::new(
            policy.clone(),
            reference,
            Pair::new(vector(&[1.0; 2]), vector(&[1.0; 2])),
        )
    };
    let dpo = || DpoLossConfig::new().init();
    let plain = values(dpo().compute(input()).losses);
    let beta = values(BetaDpoConfig::new().init(dpo()).compute(input()).losses);
    assert_eq!(
        beta, plain,
        "no pair is taken for an outlier, no β made of infinity"
    );
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
