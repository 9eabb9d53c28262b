//! AdamW, decay groups, clipping.

use super::device;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use burn_kto::prelude::*;
use burn_kto::train::Optimizer;

/// A matrix and a vector of ones, to see what the optimizer does to each.
#[derive(Module, Debug)]
struct Two {
    matrix: Param<Tensor<2>>,
    vector: Param<Tensor<1>>,
}

impl Two {
    fn new() -> Self {
        let device = device().autodiff();
        Self {
            matrix: Param::from_tensor(Tensor::ones([2, 2], &device)),
            vector: Param::from_tensor(Tensor::ones([3], &device)),
        }
    }

    /// After a step on `slope` times the sum of all seven parameters: the norm of the gradient, a
    /// matrix entry and a vector entry.
    fn step(config: &OptimizerConfig, slope: f64) -> (f64, f32, f32) {
        let two = Self::new();
        let loss = (two.matrix.val().sum() + two.vector.val().sum()) * slope;
        let grads = GradientsParams::from_grads(loss.backward(), &two);
        let (two, norm) = Optimizer::new(config, &two).step(0.1, two, grads);
        let first = |data: TensorData| data.iter::<f32>().next().unwrap();
        (
            norm,
            first(two.matrix.val().into_data()),
            first(two.vector.val().into_data()),
        )
    }
}

#[test]
fn matrices_decay_and_vectors_only_if_asked() {
    let config = OptimizerConfig::new().with_weight_decay(0.5);
    // Without a slope Adam stands still, and what is left is 1 − 0.1 · 0.5.
    let (norm, matrix, vector) = Two::step(&config, 0.0);
    assert_eq!(norm, 0.0);
    assert!(
        (matrix - 0.95).abs() < 1e-6 && vector == 1.0,
        "{matrix} {vector}"
    );
    let (_, matrix, vector) = Two::step(&config.with_decay(DecayGroup::All), 0.0);
    assert!((matrix - 0.95).abs() < 1e-6 && (vector - 0.95).abs() < 1e-6);
}

#[test]
fn the_norm_is_over_all_parameters_and_clipping_keeps_the_direction() {
    // A large epsilon makes Adam's first step proportional to the gradient: lr · g / (|g| + ε).
    let config = OptimizerConfig::new()
        .with_weight_decay(0.0)
        .with_epsilon(1e3);
    let (norm, matrix, _) = Two::step(&config.clone().with_max_grad_norm(None), 2.0);
    assert!((norm - 2.0 * 7.0_f64.sqrt()).abs() < 1e-6);
    assert!((1.0 - matrix - 0.1 * 2.0 / 1002.0).abs() < 1e-7);
    let (norm, matrix, vector) = Two::step(&config.with_max_grad_norm(Some(7.0_f64.sqrt())), 2.0);
    assert!(
        (norm - 2.0 * 7.0_f64.sqrt()).abs() < 1e-6,
        "reported before clipping"
    );
    assert!((1.0 - matrix - 0.1 / 1001.0).abs() < 1e-7 && matrix == vector);
}

#[test]
fn the_norm_of_huge_gradients_does_not_overflow() {
    let config = OptimizerConfig::new().with_weight_decay(0.0);
    let (norm, matrix, _) = Two::step(&config, 1e25);
    assert!(
        (norm / (1e25 * 7.0_f64.sqrt()) - 1.0).abs() < 1e-5,
        "{norm:e}"
    );
    assert!(
        (matrix - 0.9).abs() < 1e-4,
        "Adam's first step is the learning rate, got {matrix}"
    );
}
