//! Private, numerically stable helpers. Each says why it exists.

use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Bool, DType, FloatDType, Tensor};

/// f16 and bf16 up to f32; f32 and f64 as they are. Half precision has 8 or 11 bits: a sum over a
/// vocabulary does not fit.
pub(crate) fn upcast<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    match tensor.dtype() {
        DType::F16 | DType::BF16 => tensor.cast(FloatDType::F32),
        _ => tensor,
    }
}

/// 1 where true, 0 where false, in the dtype of `like`: `Bool::float` gives f32, and mixing it with
/// f64 panics.
pub(crate) fn indicator<const D: usize>(mask: Tensor<D, Bool>, like: &Tensor<D>) -> Tensor<D> {
    like.zeros_like().without_autodiff().mask_fill(mask, 1.0)
}

/// e^x − 1 with its digits near 0, where the difference has none left.
pub(crate) fn expm1(x: Tensor<1>) -> Tensor<1> {
    let near = x.clone().abs().lower_elem(1.0);
    // 2t/(1 − t) with t = tanh(x/2); each form gets harmless values on the other's side, lest a
    // gradient there become 0·∞.
    let t = (x.clone().clamp(-1.0, 1.0) * 0.5).tanh();
    let of_near = t.clone() * 2.0 * (t.neg() + 1.0).recip();
    let of_far = x.mask_fill(near.clone(), 1.0).exp() - 1.0;
    of_far.mask_where(near, of_near)
}

/// Mean as a product with the reciprocal computed here: autodiff rounds the reciprocal of a scalar
/// divisor to f32.
pub(crate) fn mean(tensor: Tensor<1>) -> Tensor<1> {
    let [n] = tensor.dims();
    tensor.sum().mul_scalar(1.0 / n as f64)
}

/// A constant in the dtype of `like`, so that f32 references meet f64 policies without a panic.
pub(crate) fn constant_like<const D: usize>(tensor: Tensor<D>, like: &Tensor<D>) -> Tensor<D> {
    let tensor = tensor.without_autodiff();
    if tensor.dtype() == like.dtype() {
        return tensor;
    }
    tensor.cast(like.dtype())
}

/// The loss of a classifier of logit `z` whose labels are wrong with probability ε:
/// −(1−ε)·lnσ(z) − ε·lnσ(−z)
pub(crate) fn smoothed(z: Tensor<1>, label_smoothing: f64) -> Tensor<1> {
    if label_smoothing == 0.0 {
        return log_sigmoid(z).neg();
    }
    let right = log_sigmoid(z.clone()) * (label_smoothing - 1.0);
    right - log_sigmoid(z.neg()) * label_smoothing
}
