//! Every gradient against central differences in f64, and none where there must be none.

use crate::common::*;
use burn::tensor::{Bool, Tensor};
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

    let mismatched = [leaf(&POLICY, [4]), leaf(&REFERENCE, [4])];
    let z0 = KlEstimatorConfig::new()
        .init()
        .estimate(mismatched[0].clone(), mismatched[1].clone());
    assert!(!z0.is_autodiff());
}
