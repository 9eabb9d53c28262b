//! Tolerances, written once, and what every numeric test needs.
#![allow(dead_code)] // each test binary uses its part

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// f64 values against f64 reference numbers, relative.
pub(crate) const VALUE: f64 = 1e-9;
/// f64 gradients.
pub(crate) const GRADIENT: f64 = 1e-8;
/// f32 after a sum over a vocabulary, relative and absolute.
pub(crate) const F32_VOCABULARY: (f64, f64) = (1e-4, 1e-5);
/// f16 and bf16, relative.
pub(crate) const HALF: f64 = 2e-2;

pub(crate) fn device() -> Device {
    Device::flex()
}

/// f64, off the graph.
pub(crate) fn tensor<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&device(), DType::F64))
}

/// f64 `[n]`, a leaf of the graph.
pub(crate) fn leaf<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::<D>::from_data(data, (&device().autodiff(), DType::F64)).require_grad()
}

pub(crate) fn vector(values: &[f64]) -> Tensor<1> {
    tensor(values, [values.len()])
}

pub(crate) fn int<const D: usize>(values: &[i64], shape: [usize; D]) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &device())
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// What the peers' `1 − σ` is good to: an ulp of 1. Where a gradient is smaller than this, theirs
/// is rounding.
pub(crate) const ULP: f64 = f64::EPSILON;

/// Largest difference relative to the expected value, what is below an absolute `floor` left out.
/// An entry that should vanish is measured against a thousandth of the largest.
#[track_caller]
pub(crate) fn difference(what: &str, got: &[f64], expected: &[f64], floor: f64) -> f64 {
    assert_eq!(
        got.len(),
        expected.len(),
        "{what}: {got:?} against {expected:?}"
    );
    let scale = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let each = got.iter().zip(expected).map(|(a, b)| {
        let off = (a - b).abs();
        assert!(
            !off.is_nan() || a == b,
            "{what}: {got:?} against {expected:?}"
        );
        if a == b || off <= floor {
            0.0
        } else {
            off / b.abs().max(1e-3 * scale)
        }
    });
    each.fold(0.0, f64::max)
}

#[track_caller]
pub(crate) fn assert_close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) -> f64 {
    let worst = difference(what, got, expected, ULP);
    assert!(
        worst <= tolerance,
        "{what}: off by {worst:e}\n got {got:?}\nwant {expected:?}"
    );
    worst
}
