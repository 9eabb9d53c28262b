//! Keys and values of the tokens read so far.

use burn::tensor::{Int, Tensor};

/// Keys and values of one layer, `[batch, groups, length, head_dim]` each.
#[derive(Clone, Default)]
pub(super) struct LayerCache {
    stored: Option<(Tensor<4>, Tensor<4>)>,
}

impl LayerCache {
    /// Appends, and returns all there is.
    pub(super) fn extend(&mut self, key: Tensor<4>, value: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let all = match self.stored.take() {
            None => (key, value),
            Some((keys, values)) => (
                Tensor::cat(vec![keys, key], 2),
                Tensor::cat(vec![values, value], 2),
            ),
        };
        self.stored = Some(all.clone());
        all
    }
}

/// Keys and values of all layers.
#[derive(Clone)]
pub(super) struct Cache {
    pub(super) layers: Vec<LayerCache>,
    pub(super) length: usize,
}

impl Cache {
    pub(super) fn new(layers: usize) -> Self {
        Self {
            layers: (0..layers).map(|_| LayerCache::default()).collect(),
            length: 0,
        }
    }

    /// Keeps these rows only.
    pub(super) fn select(&mut self, rows: &Tensor<1, Int>) {
        for layer in &mut self.layers {
            layer.stored = layer.stored.take().map(|(keys, values)| {
                (keys.select(0, rows.clone()), values.select(0, rows.clone()))
            });
        }
    }
}
