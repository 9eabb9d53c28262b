//! Rotary position embeddings in the layout of Hugging Face checkpoints: halves are rotated, not
//! neighbours.

use super::config::LlamaConfig;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::ops::Range;

/// Cosines and sines of some positions, `[1, 1, positions, head_dim]`.
pub(super) struct Rope {
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Rope {
    pub(super) fn new(
        config: &LlamaConfig,
        positions: Range<usize>,
        dtype: DType,
        device: &Device,
    ) -> Self {
        let (frequencies, scale) = config.frequencies();
        let dim = 2 * frequencies.len();
        let shape = [1, 1, positions.len(), dim];
        let table = |f: fn(f64) -> f64| {
            // Angles in f64: position times frequency loses digits in f32 from a few thousand
            // positions on.
            let row = |position: usize| {
                let twice = frequencies.iter().chain(&frequencies);
                twice.map(move |frequency| scale * f(position as f64 * frequency))
            };
            let values: Vec<f64> = positions.clone().flat_map(row).collect();
            Tensor::from_data(TensorData::new(values, shape), (device, dtype))
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
        }
    }

    /// `[batch, heads, positions, head_dim]`.
    pub(super) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [.., dim] = input.dims();
        let first = input.clone().narrow(3, 0, dim / 2);
        let second = input.clone().narrow(3, dim / 2, dim / 2);
        let rotated = Tensor::cat(vec![second.neg(), first], 3);
        input * self.cos.clone() + rotated * self.sin.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_zero_is_left_alone_and_lengths_are_kept() {
        let device = Device::flex();
        let config = LlamaConfig::new(10, 4, 1, 1);
        let rope = Rope::new(&config, 0..2, DType::F32, &device);
        let input =
            Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]]]], &device);
        let output: Vec<f32> = rope.forward(input).into_data().iter().collect();
        assert_eq!(output[..4], [1.0, 2.0, 3.0, 4.0]);
        // By hand: pair (1, 3) turned by 1 radian.
        assert!((output[4] - (1.0_f32.cos() - 3.0 * 1.0_f32.sin())).abs() < 1e-6);
        assert!((output[6] - (3.0 * 1.0_f32.cos() + 1.0_f32.sin())).abs() < 1e-6);
    }
}
