//! What is wrong is refused, and says why.

use crate::common::*;
use crate::properties::{kto, thumbs};
use burn::tensor::{Bool, Tensor};
use burn_kto::loss::{density_ratio_weight, wpo_weights};
use burn_kto::prelude::*;

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
        of(DpoLossConfig::new()
            .with_chosen_penalty(1.0)
            .with_variant(DpoVariant::ApoDown)
            .validate()),
        of(DpoLossConfig::new().with_beta(1e-60).validate()),
        of(KtoLossConfig::new().with_beta(1e300).validate()),
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

#[test]
fn modifiers_refuse_what_they_would_ignore() {
    let tokens = || {
        let mask = Tensor::<2, Bool>::from_data([[true]], &device());
        Tokens::new(tensor(&[-1.0], [1, 1]), tensor(&[-1.0], [1, 1]), mask)
    };
    let ld = TokenLevelConfig::new().with_ld_alpha(0.5);
    let text = panic_of(|| drop(ld.init(kto(0.1, 1.0, 1.0)).log_probs(tokens())));
    assert!(text.contains("compares the lengths of a pair"), "{text}");
    let aot = DpoVariant::Aot {
        label_smoothing: 0.0,
    };
    let aot = DpoLossConfig::new().with_variant(aot).init();
    let text = panic_of(|| {
        BetaDpoConfig::new().init(aot);
    });
    assert!(text.contains("sort a batch"), "{text}");
    let text = panic_of(|| {
        let dft = SftLossConfig::new().with_variant(SftVariant::Dft).init();
        let mask = Tensor::<2, Bool>::from_data([[true]], &device());
        drop(dft.forward_smoothed(tensor(&[-1.0], [1, 1]), tensor(&[-2.0], [1, 1]), mask));
    });
    assert!(text.contains("no smoothed labels"), "{text}");
    for number in [f64::NAN, -5.0] {
        let text = panic_of(|| {
            let mask = Tensor::<2, Bool>::from_data([[true]], &device());
            let sft = SftLossConfig::new().init();
            drop(sft.forward_over(tensor(&[-1.0], [1, 1]), mask, number));
        });
        assert!(text.contains("number of tokens"), "{text}");
    }
    let text = panic_of(|| {
        density_ratio_weight(f64::NAN, (0.5, 10.0));
    });
    assert!(text.contains("must be in [0, 1]"), "{text}");
    let bad = BetaToTarget {
        metric: "kl/raw",
        target: 0.0,
        gain: 0.1,
        bounds: (0.1, 1.0),
    };
    assert!(Controlled::new(kto(0.1, 1.0, 1.0), vec![Box::new(bad.clone())]).is_err());
    let bad = BetaToTarget {
        target: 1.0,
        bounds: (-1.0, 0.5),
        ..bad
    };
    assert!(Controlled::new(kto(0.1, 1.0, 1.0), vec![Box::new(bad)]).is_err());
    let bad = WeightsFromCounts::new(ClassInterval::FourThirds, f64::NAN);
    assert!(Controlled::new(kto(0.1, 1.0, 1.0), vec![Box::new(bad)]).is_err());
    let shapes = |rows: usize| {
        let mask = Tensor::<2, Bool>::full([rows, 2], true, &device());
        (
            tensor(&vec![-1.0; 2 * rows], [rows, 2]),
            tensor(&vec![-1.0; 2 * rows], [rows, 2]),
            mask,
        )
    };
    let text = panic_of(|| drop(wpo_weights(shapes(2), shapes(1))));
    assert!(text.contains('2') && text.contains('1'), "{text}");
}
