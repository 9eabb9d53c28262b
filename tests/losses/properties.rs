//! Laws that hold for any input.

use crate::common::*;
use crate::gradients::{OnPairs, all_dpo, all_preference, dpo_config};
use burn::tensor::{Bool, Tensor, TensorData};
use burn_kto::prelude::*;
use proptest::prelude::*;

pub(crate) fn thumbs(values: &[bool]) -> Tensor<1, Bool> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &device())
}

pub(crate) fn kto(beta: f64, d: f64, u: f64) -> KtoLoss {
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

/// Every loss whose value for a pair is that pair's own: not those that sort a batch or take a mean
/// over it.
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
    fn the_pull_of_kto_has_its_sign_and_its_bound((ratios, up, kl) in batch(), beta in 0.01..2.0, d in 0.0..3.0, u in 0.0..3.0) {
        let n = ratios.len();
        let policy = leaf(&ratios, [n]);
        let zeros = vector(&vec![0.0; n]);
        let out = kto(beta, d, u).forward(policy.clone(), zeros, thumbs(&up), vector(&[kl]));
        let grad = values(policy.grad(&out.loss.backward()).unwrap());
        for (grad, up) in grad.into_iter().zip(up) {
            let (sign, weight) = if up { (-1.0, d) } else { (1.0, u) };
            prop_assert!(grad * sign >= 0.0 && grad.abs() * n as f64 <= weight * beta / 4.0 + 1e-12);
        }
    }

    #[test]
    fn sft_does_not_care_about_order_padding_or_company(rows in prop::collection::vec(prop::collection::vec(-9.0..-0.01, 1..5), 1..6), extra in 0_usize..3) {
        let of = |rows: &[Vec<f64>], extra: usize, variant| {
            let width = rows.iter().map(Vec::len).max().unwrap() + extra;
            let padded: Vec<f64> = rows.iter().flat_map(|r| r.iter().copied().chain(vec![f64::NAN; width - r.len()])).collect();
            let mask: Vec<bool> = rows.iter().flat_map(|r| (0..width).map(|t| t < r.len())).collect();
            let mask = Tensor::<2, Bool>::from_data(TensorData::new(mask, [rows.len(), width]), &device());
            let out = SftLossConfig::new().with_variant(variant).init().forward(tensor(&padded, [rows.len(), width]), mask);
            (values(out.loss)[0], values(out.losses))
        };
        for variant in [SftVariant::Nll { label_smoothing: 0.0 }, SftVariant::Dft] {
            let (loss, losses) = of(&rows, 0, variant);
            let (again, _) = of(&rows, extra, variant);
            prop_assert!(close(&[again], &[loss]));
            let turned: Vec<_> = rows.iter().rev().cloned().collect();
            let (backwards, of_turned) = of(&turned, extra, variant);
            prop_assert!(close(&[backwards], &[loss]));
            prop_assert!(close(&of_turned.into_iter().rev().collect::<Vec<_>>(), &losses));
            // A mean over tokens: parts weigh what they have.
            let tokens = |rows: &[Vec<f64>]| rows.iter().map(Vec::len).sum::<usize>() as f64;
            let (first, rest) = rows.split_at(rows.len() / 2);
            let parts = [first, rest].into_iter().filter(|part| !part.is_empty());
            let sum: f64 = parts.map(|part| of(part, 0, variant).0 * tokens(part)).sum();
            prop_assert!(close(&[sum / tokens(&rows)], &[loss]));
        }
    }

    #[test]
    fn rewards_do_not_care_about_order_or_level(pairs in prop::collection::vec((-9.0..9.0, -9.0..9.0), 1..6), level in -50.0..50.0) {
        let (w, l): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let of = |w: &[f64], l: &[f64], centring: f64| {
            let loss = RewardLossConfig::new().with_centring(centring).init();
            values(loss.forward(Pair::new(vector(w), vector(l))).losses)
        };
        let moved = |v: &[f64]| v.iter().map(|x| x + level).collect::<Vec<_>>();
        prop_assert!(close(&of(&moved(&w), &moved(&l), 0.0), &of(&w, &l, 0.0)));
        let turned = |v: &[f64]| v.iter().rev().copied().collect::<Vec<_>>();
        prop_assert!(close(&of(&turned(&w), &turned(&l), 0.1), &turned(&of(&w, &l, 0.1))));
        // A swap moves the loss by the difference.
        let swapped: Vec<f64> = of(&l, &w, 0.0).iter().zip(w.iter().zip(&l)).map(|(x, (w, l))| x - (w - l)).collect();
        prop_assert!(close(&swapped, &of(&w, &l, 0.0)));
    }

    #[test]
    fn losses_on_pairs_forget_everything_as_beta_vanishes(rows in pairs()) {
        let ln2 = std::f64::consts::LN_2;
        for (variant, expected) in [
            (DpoVariant::Sigmoid { label_smoothing: 0.1 }, ln2),
            (DpoVariant::Hinge, 1.0),
            (DpoVariant::NcaPair, 2.0 * ln2),
            (DpoVariant::Robust { label_smoothing: 0.1 }, ln2),
            (DpoVariant::BcoPair, 2.0 * ln2),
            (DpoVariant::ApoZero, 1.0),
            (DpoVariant::ApoDown, 1.0),
            (DpoVariant::SigmoidNorm, ln2),
        ] {
            let loss = DpoLossConfig::new().with_beta(1e-12).with_variant(variant).init();
            for got in values(loss.compute(inputs(&rows)).losses) {
                prop_assert!((got - expected).abs() < 1e-9);
            }
        }
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
                // The SFT part of a batch is a mean over its tokens, so it knows its company; in a
                // step, all share one length.
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
        // IPO's two squares are 2M apart from (Δ−M)² to (−Δ−M)²; APO-zero's terms mirror; cDPO at ε
        // swaps into 1−ε.
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
