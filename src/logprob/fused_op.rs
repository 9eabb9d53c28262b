//! The operation behind [`FusedLinearLogProbs`](super::FusedLinearLogProbs): one trait over
//! backends, one backward for all.
//!
//! This file is the crate's only contact with burn's backends. Forward, for each tile of rows, over
//! the tiles of the vocabulary:
//!
//! ```text
//! L = H·Wᵀ + b        m' = max(m, max L)        s' = s·exp(m − m') + Σ exp(L − m')
//! log p = (h·w[target] + b[target] − m) − ln s
//! ```
//!
//! Kept for the backward: `m` and `s`, `[tokens, 1]` each; the inputs are shared. With
//! `E = exp(L − m)` and the gradient `g` of each log-probability:
//!
//! ```text
//! dH = g·(w[target] − (E·W) / s)
//! dW = −Eᵀ·(g·H / s), then += g·h at target
//! db = −Eᵀ·(g / s), then += g at target
//! ```

#[cfg(feature = "flex")]
use burn::backend::Flex;
use burn::backend::autodiff::{
    Autodiff,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::{FloatTensor, IndexingUpdateOp, IntTensor};
use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{DType, FloatDType, Int, Shape, Slice, Tensor};
use std::ops::Range;

/// What the operation needs to know besides its tensors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) row_tile: usize,
    pub(super) vocab_tile: usize,
    /// Whether the third input is a bias; if not it is never read.
    pub(super) bias: bool,
}

/// hidden `[tokens, width]`, weight `[vocab, width]`, bias `[vocab]` if `options.bias`, targets
/// `[tokens]` in range, to `[tokens]`.
pub(super) fn linear_log_probs(
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    targets: Tensor<1, Int>,
    options: Options,
) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as LinearLogProbs>::linear_log_probs(
        hidden.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        targets.into_dispatch(),
        options,
    ))
}

#[backend_extension(
    Flex: cfg(feature = "flex"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cubecl"),
    Autodiff,
    Fusion: cfg(feature = "cubecl")
)]
pub(super) trait LinearLogProbs: Backend {
    #[fusion(default)]
    fn linear_log_probs(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: Options,
    ) -> FloatTensor<Self> {
        forward::<Self>(&Inputs {
            hidden,
            weight,
            bias,
            targets,
            options,
        })
        .0
    }
}

#[cfg(feature = "flex")]
impl LinearLogProbs for Flex {}
#[cfg(feature = "tch")]
#[allow(deprecated)] // by burn 0.22; the feature goes when burn's does
impl LinearLogProbs for burn::backend::LibTorch {}
#[cfg(feature = "cubecl")]
impl LinearLogProbs for burn::backend::Cube {}

#[derive(Clone, Debug)]
struct Inputs<B: Backend> {
    hidden: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    targets: IntTensor<B>,
    options: Options,
}

impl<B: Backend> Inputs<B> {
    fn tokens(&self) -> usize {
        self.hidden.shape()[0]
    }

    fn vocab(&self) -> usize {
        self.weight.shape()[0]
    }

    fn row_tiles(&self) -> impl Iterator<Item = Range<usize>> {
        tiles(self.tokens(), self.options.row_tile)
    }

    fn vocab_tiles(&self) -> impl Iterator<Item = Range<usize>> {
        tiles(self.vocab(), self.options.vocab_tile)
    }

    fn hidden_tile(&self, rows: &Range<usize>) -> FloatTensor<B> {
        upcast::<B>(B::float_slice(self.hidden.clone(), &rows_of(rows)))
    }

    fn weight_tile(&self, entries: &Range<usize>) -> FloatTensor<B> {
        upcast::<B>(B::float_slice(self.weight.clone(), &rows_of(entries)))
    }

    /// The weight row of each target, `[tokens, width]`.
    fn target_weight(&self) -> FloatTensor<B> {
        upcast::<B>(B::float_select(
            self.weight.clone(),
            0,
            self.targets.clone(),
        ))
    }

    /// `[rows, entries]`.
    fn logits(
        &self,
        hidden: FloatTensor<B>,
        weight: FloatTensor<B>,
        entries: &Range<usize>,
    ) -> FloatTensor<B> {
        let logits = B::float_matmul(hidden, B::float_transpose(weight));
        if !self.options.bias {
            return logits;
        }
        let range = [Slice::from(entries.start as isize..entries.end as isize)];
        let bias = upcast::<B>(B::float_slice(self.bias.clone(), &range));
        let bias = B::float_reshape(bias, Shape::new([1, entries.len()]));
        B::float_add(logits, bias)
    }
}

/// Log-probabilities `[tokens]`, and the maximum and sum of each row, `[tokens, 1]`.
fn forward<B: Backend>(inputs: &Inputs<B>) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let (mut maxima, mut sums) = (Vec::new(), Vec::new());
    for rows in inputs.row_tiles() {
        let hidden = inputs.hidden_tile(&rows);
        let mut running: Option<(FloatTensor<B>, FloatTensor<B>)> = None;
        for entries in inputs.vocab_tiles() {
            let weight = inputs.weight_tile(&entries);
            let logits = inputs.logits(hidden.clone(), weight, &entries);
            let tile_max = B::float_max_dim(logits.clone(), 1);
            let max = match &running {
                None => tile_max,
                Some((max, _)) => B::float_max_dim(B::float_cat(vec![max.clone(), tile_max], 1), 1),
            };
            let sum = B::float_sum_dim(B::float_exp(B::float_sub(logits, max.clone())), 1);
            running = Some(match running {
                None => (max, sum),
                Some((old, total)) => {
                    let shrink = B::float_exp(B::float_sub(old, max.clone()));
                    (max, B::float_add(B::float_mul(total, shrink), sum))
                }
            });
        }
        let (max, sum) = running.expect("the vocabulary is not empty");
        maxima.push(max);
        sums.push(sum);
    }
    let (max, sum) = (concat::<B>(maxima), concat::<B>(sums));
    let hidden = upcast::<B>(inputs.hidden.clone());
    let mut target = B::float_sum_dim(B::float_mul(hidden, inputs.target_weight()), 1);
    if inputs.options.bias {
        let bias = B::float_select(inputs.bias.clone(), 0, inputs.targets.clone());
        let bias = B::float_reshape(upcast::<B>(bias), Shape::new([inputs.tokens(), 1]));
        target = B::float_add(target, bias);
    }
    // The maximum and the sum stay apart: in f32 their logsumexp loses up to 5e-4 at logits of 1e4.
    let log_probs = B::float_sub(B::float_sub(target, max.clone()), B::float_log(sum.clone()));
    let log_probs = B::float_reshape(log_probs, Shape::new([inputs.tokens()]));
    (log_probs, max, sum)
}

#[derive(Debug)]
struct LinearLogProbsBackward;

impl<B: Backend> Backward<B, 3> for LinearLogProbsBackward {
    type State = (Inputs<B>, FloatTensor<B>, FloatTensor<B>);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [hidden_node, weight_node, bias_node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (inputs, max, sum) = ops.state;
        let (tokens, vocab) = (inputs.tokens(), inputs.vocab());
        let bias_node = bias_node.filter(|_| inputs.options.bias);
        let grad = B::float_reshape(grad, Shape::new([tokens, 1]));
        let scaled_grad = B::float_div(grad.clone(), sum.clone()); // g / s
        let hidden = upcast::<B>(inputs.hidden.clone());
        let scaled_hidden = B::float_mul(hidden.clone(), scaled_grad.clone()); // g·H / s
        let zeros = |shape: Shape| B::float_zeros(shape, &hidden.device(), hidden.dtype().into());
        let width = hidden.shape()[1];
        let mut expected = hidden_node
            .as_ref()
            .map(|_| zeros(Shape::new([tokens, width])));
        let mut weight_grad = weight_node
            .as_ref()
            .map(|_| zeros(Shape::new([vocab, width])));
        let mut bias_grad = bias_node.as_ref().map(|_| zeros(Shape::new([vocab, 1])));

        // Vocabulary outside, rows inside: a tile of dW is finished before the next one starts.
        for entries in inputs.vocab_tiles() {
            let weight = inputs.weight_tile(&entries);
            let (mut weight_tile, mut bias_tile) = (None, None);
            for rows in inputs.row_tiles() {
                let rows_slice = rows_of(&rows);
                let logits = inputs.logits(inputs.hidden_tile(&rows), weight.clone(), &entries);
                let max = B::float_slice(max.clone(), &rows_slice);
                let exp = B::float_exp(B::float_sub(logits, max));
                let transposed = B::float_transpose(exp.clone());
                if weight_grad.is_some() {
                    let hidden = B::float_slice(scaled_hidden.clone(), &rows_slice);
                    let part = B::float_matmul(transposed.clone(), hidden);
                    weight_tile = Some(add_to::<B>(weight_tile, part));
                }
                if bias_grad.is_some() {
                    let grad = B::float_slice(scaled_grad.clone(), &rows_slice);
                    let part = B::float_matmul(transposed, grad);
                    bias_tile = Some(add_to::<B>(bias_tile, part));
                }
                if let Some(total) = expected.take() {
                    let part = B::float_matmul(exp, weight.clone());
                    let old = B::float_slice(total.clone(), &rows_slice);
                    let new = B::float_add(old, part);
                    expected = Some(B::float_slice_assign(total, &rows_slice, new));
                }
            }
            write_negated::<B>(&mut weight_grad, weight_tile, &entries);
            write_negated::<B>(&mut bias_grad, bias_tile, &entries);
        }

        if let (Some(node), Some(expected)) = (hidden_node, expected) {
            let expected = B::float_div(expected, sum);
            let difference = B::float_sub(inputs.target_weight(), expected);
            let hidden_grad = B::float_mul(difference, grad.clone());
            grads.register::<B>(node.id, cast_like::<B>(hidden_grad, &inputs.hidden));
        }
        if let (Some(node), Some(total)) = (weight_node, weight_grad) {
            let targets = inputs.targets.clone();
            let at_target = B::float_mul(hidden, grad.clone());
            let total = B::float_select_assign(total, 0, targets, at_target, IndexingUpdateOp::Add);
            grads.register::<B>(node.id, cast_like::<B>(total, &inputs.weight));
        }
        if let (Some(node), Some(total)) = (bias_node, bias_grad) {
            let targets = inputs.targets.clone();
            let total = B::float_select_assign(total, 0, targets, grad, IndexingUpdateOp::Add);
            let total = B::float_reshape(total, Shape::new([vocab]));
            grads.register::<B>(node.id, cast_like::<B>(total, &inputs.bias));
        }
    }
}

impl<B: LinearLogProbs, C: CheckpointStrategy> LinearLogProbs for Autodiff<B, C> {
    fn linear_log_probs(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: Options,
    ) -> FloatTensor<Self> {
        let nodes = [hidden.node(), weight.node(), bias.node()];
        let prepared = LinearLogProbsBackward.prepare::<C>(nodes);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let inputs = Inputs::<B> {
                    hidden: hidden.primitive().clone(),
                    weight: weight.primitive().clone(),
                    bias: bias.primitive().clone(),
                    targets,
                    options,
                };
                let (log_probs, max, sum) = forward::<B>(&inputs);
                prepared.finish((inputs, max, sum), log_probs)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::linear_log_probs(
                hidden.into_primitive(),
                weight.into_primitive(),
                bias.into_primitive(),
                targets,
                options,
            )),
        }
    }
}

fn tiles(length: usize, tile: usize) -> impl Iterator<Item = Range<usize>> {
    (0..length)
        .step_by(tile)
        .map(move |start| start..(start + tile).min(length))
}

fn rows_of(rows: &Range<usize>) -> [Slice; 2] {
    let rows = rows.start as isize..rows.end as isize;
    [Slice::from(rows), Slice::from(..)]
}

fn upcast<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    match tensor.dtype() {
        DType::F16 | DType::BF16 => B::float_cast(tensor, FloatDType::F32),
        _ => tensor,
    }
}

fn cast_like<B: Backend>(tensor: FloatTensor<B>, like: &FloatTensor<B>) -> FloatTensor<B> {
    if tensor.dtype() == like.dtype() {
        return tensor;
    }
    B::float_cast(tensor, like.dtype().into())
}

fn concat<B: Backend>(mut tensors: Vec<FloatTensor<B>>) -> FloatTensor<B> {
    match tensors.len() {
        1 => tensors.remove(0),
        _ => B::float_cat(tensors, 0),
    }
}

fn add_to<B: Backend>(total: Option<FloatTensor<B>>, part: FloatTensor<B>) -> FloatTensor<B> {
    match total {
        None => part,
        Some(total) => B::float_add(total, part),
    }
}

fn write_negated<B: Backend>(
    total: &mut Option<FloatTensor<B>>,
    tile: Option<FloatTensor<B>>,
    entries: &Range<usize>,
) {
    if let (Some(old), Some(tile)) = (total.take(), tile) {
        let new = B::float_neg(tile);
        *total = Some(B::float_slice_assign(old, &rows_of(entries), new));
    }
}
