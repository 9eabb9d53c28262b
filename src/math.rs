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

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, Int};

    /// burn-flex 0.22.1 gives what `select` takes out of booleans another dtype: in the dev profile
    /// the next `bool_not` panics, in release nobody sees it. These are the operations that this
    /// crate gets masks from; none of the others does so.
    #[test]
    fn what_the_crate_does_to_masks_leaves_masks() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let mask = Tensor::<2, Bool>::from_data([[true, false], [false, false]], &device);
            let numbers = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 0.0]], &device);
            let ids = Tensor::<2, Int>::from_data([[1, 0], [0, 0]], &device);
            let zeros = numbers.zeros_like();
            let made = [
                ("from_data", mask.clone()),
                ("bool_not", mask.clone().bool_not().bool_not()),
                ("narrow", mask.clone().narrow(1, 0, 2)),
                ("reshape", mask.clone().reshape([4]).reshape([2, 2])),
                ("without_autodiff", mask.clone().without_autodiff()),
                ("to_device", mask.clone().to_device(&device)),
                ("int, select", {
                    let rows = Tensor::<1, Int>::from_data([0, 1], &device);
                    mask.int().select(0, rows).equal_elem(1)
                }),
                ("equal", numbers.clone().equal(zeros.clone()).bool_not()),
                ("equal_elem", numbers.clone().equal_elem(0.0).bool_not()),
                ("greater", numbers.clone().greater(zeros.clone())),
                ("greater_elem", numbers.clone().greater_elem(0.5)),
                ("lower_elem", numbers.lower_elem(0.5).bool_not()),
                ("lower_elem of ids", ids.lower_elem(1).bool_not()),
            ];
            for (operation, mask) in made {
                let filled = zeros.clone().mask_fill(mask.clone().bool_not(), 1.0);
                let filled = filled.mask_where(mask.clone(), zeros.clone() + 2.0);
                let filled: Vec<f32> = filled.into_data().iter().collect();
                assert_eq!(filled, [2.0, 1.0, 1.0, 1.0], "{operation}");
                let data = mask.to_data();
                assert!(
                    matches!(data.dtype(), DType::Bool(_)),
                    "{operation}: {data:?}"
                );
            }
        }
    }
}
