//! The fused head against logits, `log_softmax` and `gather`.

use crate::common::*;
use burn::tensor::{DType, FloatDType, Int, Tensor, TensorData};
use burn_kto::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A head's inputs, f64 numbers that f32 and f64 tensors are made of.
struct Case {
    tokens: usize,
    width: usize,
    vocab: usize,
    hidden: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    upstream: Vec<f64>,
    targets: Vec<i64>,
}

impl Case {
    fn new(tokens: usize, width: usize, vocab: usize, scale: f64, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Multiples of 2^-10, exact in f32.
        let mut draw = |n: usize, scale: f64| -> Vec<f64> {
            (0..n)
                .map(|_| (rng.random_range(-1024..1024) as f64) / 1024.0 * scale)
                .collect()
        };
        let hidden = draw(tokens * width, scale);
        let weight = draw(vocab * width, 1.0);
        let bias = draw(vocab, 1.0);
        let upstream = draw(tokens, 1.0);
        let targets = (0..tokens)
            .map(|_| rng.random_range(0..vocab as i64))
            .collect();
        Self {
            tokens,
            width,
            vocab,
            hidden,
            weight,
            bias,
            upstream,
            targets,
        }
    }

    fn leaf<const D: usize>(&self, values: &[f64], shape: [usize; D], dtype: DType) -> Tensor<D> {
        let data = TensorData::new(values.to_vec(), shape);
        Tensor::<D>::from_data(data, (&device().autodiff(), dtype)).require_grad()
    }

    fn targets(&self) -> Tensor<1, Int> {
        int(&self.targets, [self.tokens])
    }

    /// Log-probabilities, and gradients of hidden, weight and bias, through `head`.
    fn run(
        &self,
        bias: bool,
        dtype: DType,
        head: impl Fn(Tensor<2>, Tensor<2>, Option<Tensor<1>>, Tensor<1, Int>) -> Tensor<1>,
    ) -> [Vec<f64>; 4] {
        let hidden = self.leaf(&self.hidden, [self.tokens, self.width], dtype);
        let weight = self.leaf(&self.weight, [self.vocab, self.width], dtype);
        let of_bias = self.leaf(&self.bias, [self.vocab], dtype);
        let out = head(
            hidden.clone(),
            weight.clone(),
            bias.then(|| of_bias.clone()),
            self.targets(),
        );
        let upstream = TensorData::new(self.upstream.clone(), [self.tokens]);
        let upstream = Tensor::<1>::from_data(upstream, (&device(), out.dtype()));
        let grads = (out.clone() * upstream).sum().backward();
        let of_bias = of_bias.grad(&grads).map(values).unwrap_or_default();
        assert_eq!(of_bias.is_empty(), !bias);
        [
            values(out),
            values(hidden.grad(&grads).unwrap()),
            values(weight.grad(&grads).unwrap()),
            of_bias,
        ]
    }
}

fn fused(
    rows: usize,
    vocab: usize,
) -> impl Fn(Tensor<2>, Tensor<2>, Option<Tensor<1>>, Tensor<1, Int>) -> Tensor<1> {
    let head = FusedLinearLogProbsConfig::new()
        .with_row_tile(rows)
        .with_vocab_tile(vocab)
        .init();
    move |hidden, weight, bias, targets| match bias {
        Some(bias) => head.forward_with_bias(hidden, weight, bias, targets),
        None => head.forward(hidden, weight, targets),
    }
}

fn naive(
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<1, Int>,
) -> Tensor<1> {
    let mut logits = hidden.matmul(weight.transpose());
    if let Some(bias) = bias {
        logits = logits + bias.unsqueeze();
    }
    token_log_probs(logits.unsqueeze(), targets.unsqueeze()).squeeze_dim::<1>(0)
}

#[test]
fn equals_the_logits_whatever_the_tiles() {
    for (tokens, width, vocab) in [(1, 1, 1), (1, 3, 2), (5, 4, 7), (47, 31, 123), (8, 16, 64)] {
        for bias in [false, true] {
            let case = Case::new(tokens, width, vocab, 1.0, 7);
            let expected = case.run(bias, DType::F64, naive);
            for (rows, columns) in [(1, 1), (7, 13), (1000, 1000), (tokens, 5), (3, vocab)] {
                let got = case.run(bias, DType::F64, fused(rows, columns));
                for (got, expected) in got.iter().zip(&expected) {
                    let what = format!("{tokens}x{width}x{vocab} tiles {rows}x{columns}");
                    assert_close(&what, got, expected, 1e-11);
                }
            }
            let got = case.run(bias, DType::F32, fused(7, 13));
            for (got, expected) in got.iter().zip(&expected) {
                let (relative, absolute) = F32_VOCABULARY;
                assert!(difference("f32", got, expected, absolute) < relative);
            }
        }
    }
}

#[test]
fn logits_of_ten_thousand_keep_their_digits_in_f32() {
    let case = Case::new(9, 4, 33, 4096.0, 3);
    let exact = case.run(false, DType::F64, naive);
    let got = case.run(false, DType::F32, fused(4, 8));
    assert!(
        exact[0].iter().any(|x| *x < -5e3),
        "the case is not extreme"
    );
    for (got, exact) in got.iter().zip(&exact) {
        assert!(got.iter().all(|x| x.is_finite()));
        // A log-probability near 0 behind logits of 1e4 keeps its digits only where the maximum is
        // taken off first.
        let off = difference("extreme", got, exact, 1e-6);
        assert!(off < 1e-4, "{off:e}");
    }
}

#[test]
fn negative_targets_are_ignored_without_a_gradient() {
    let mut case = Case::new(6, 4, 9, 1.0, 5);
    let all = case.run(true, DType::F64, fused(4, 4));
    case.targets[2] = -100;
    case.targets[5] = -1;
    let got = case.run(true, DType::F64, fused(4, 4));
    for (row, (got, all)) in got[0].iter().zip(&all[0]).enumerate() {
        let expected = if row == 2 || row == 5 { 0.0 } else { *all };
        assert_eq!(*got, expected);
    }
    assert!(got[1][2 * 4..3 * 4].iter().all(|x| *x == 0.0));
    assert_close(
        "against naive",
        &got[2],
        &case.run(true, DType::F64, naive)[2],
        1e-11,
    );
}

#[test]
fn what_is_frozen_gets_no_gradient_and_the_rest_keeps_its_own() {
    let case = Case::new(6, 4, 9, 1.0, 5);
    let full = case.run(false, DType::F64, fused(4, 4));
    let hidden = case.leaf(&case.hidden, [6, 4], DType::F64);
    let weight = tensor(&case.weight, [9, 4]);
    let out = fused(4, 4)(hidden.clone(), weight.clone(), None, case.targets());
    let upstream = vector(&case.upstream);
    let grads = (out * upstream.clone()).sum().backward();
    assert_eq!(values(hidden.grad(&grads).unwrap()), full[1]);
    let weight = weight.autodiff().require_grad();
    let out = fused(4, 4)(hidden.inner(), weight.clone(), None, case.targets());
    let grads = (out * upstream).sum().backward();
    assert_eq!(values(weight.grad(&grads).unwrap()), full[2]);
}

#[test]
fn plain_tensors_stay_plain() {
    let case = Case::new(6, 4, 9, 1.0, 5);
    let out = fused(4, 4)(
        tensor(&case.hidden, [6, 4]),
        tensor(&case.weight, [9, 4]),
        None,
        case.targets(),
    );
    assert!(!out.is_autodiff());
    assert_eq!(values(out), case.run(false, DType::F64, fused(4, 4))[0]);
}

#[test]
fn half_precision_is_computed_in_f32_and_keeps_its_gradients_dtype() {
    let case = Case::new(8, 16, 40, 1.0, 9);
    let exact = case.run(true, DType::F64, naive);
    for (dtype, cast) in [
        (DType::F16, FloatDType::F16),
        (DType::BF16, FloatDType::BF16),
    ] {
        let got = case.run(true, dtype, |h, w, b, t| {
            let out = fused(3, 7)(h, w, b, t);
            assert_eq!(out.dtype(), DType::F32);
            out
        });
        for (got, exact) in got.iter().zip(&exact) {
            assert!(difference("half", got, exact, 2e-2) < HALF, "{cast:?}");
        }
        let hidden = case.leaf(&case.hidden, [8, 16], dtype);
        let weight = tensor::<2>(&case.weight, [40, 16]).cast(cast);
        let grads = fused(3, 7)(hidden.clone(), weight, None, case.targets())
            .sum()
            .backward();
        assert_eq!(hidden.grad(&grads).unwrap().dtype(), dtype);
    }
}

#[test]
#[should_panic(expected = "[9, 5]")]
fn another_width_panics_with_the_shape() {
    let case = Case::new(6, 4, 9, 1.0, 5);
    fused(4, 4)(
        tensor(&case.hidden, [6, 4]),
        tensor(&[0.0; 45], [9, 5]),
        None,
        case.targets(),
    );
}

#[test]
#[should_panic(expected = "must not be empty")]
fn nothing_panics() {
    let case = Case::new(6, 4, 9, 1.0, 5);
    fused(4, 4)(
        tensor(&[], [0, 4]),
        tensor(&case.weight, [9, 4]),
        None,
        int(&[], [0]),
    );
}

#[test]
fn tiles_of_zero_are_refused() {
    let error = FusedLinearLogProbsConfig::new()
        .with_vocab_tile(0)
        .validate()
        .unwrap_err();
    assert_eq!(error.to_string(), "vocab_tile must be positive, got 0");
    assert!(
        FusedLinearLogProbsConfig::new()
            .with_row_tile(0)
            .validate()
            .is_err()
    );
}
