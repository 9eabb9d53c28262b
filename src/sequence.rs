//! Right-padded token sequences and what is scored in them.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData, assert_shape};
use std::iter::repeat_n;

/// One sequence of ids.
pub(crate) struct SequenceIds<'a> {
    pub(crate) prompt: &'a [u32],
    pub(crate) completion: &'a [u32],
    /// Lengths of the parts of the completion that are scored and not, by turns; empty if all is.
    pub(crate) runs: &'a [u32],
}

impl SequenceIds<'_> {
    fn len(&self) -> usize {
        self.prompt.len() + self.completion.len()
    }
}

/// Right-padded sequences and what is scored in them.
///
/// | field | shape | meaning |
/// |---|---|---|
/// | `tokens` | `[batch, seq]` | ids; what stands in padding does not matter |
/// | `attention_mask` | `[batch, seq]` | true on real tokens, false on padding |
/// | `completion_mask` | `[batch, seq]` | true on tokens whose log-probability counts |
///
/// Masks go by position, never by `token == pad`: many models pad with their end-of-sequence token.
/// The token at position 0 has no prediction, so a `true` there is ignored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sequences {
    /// Token ids `[batch, seq]`.
    pub tokens: Tensor<2, Int>,
    /// True on real tokens `[batch, seq]`.
    pub attention_mask: Tensor<2, Bool>,
    /// True on scored tokens `[batch, seq]`.
    pub completion_mask: Tensor<2, Bool>,
}

impl Sequences {
    /// From tensors of one shape `[batch, seq]`.
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn new(
        tokens: Tensor<2, Int>,
        attention_mask: Tensor<2, Bool>,
        completion_mask: Tensor<2, Bool>,
    ) -> Self {
        let [batch, seq] = tokens.dims();
        assert_shape!(attention_mask, [batch, seq]);
        assert_shape!(completion_mask, [batch, seq]);
        Self {
            tokens,
            attention_mask,
            completion_mask,
        }
    }

    /// Prompts with their completions, padded on the right with `pad` to the longest row; every
    /// completion token is scored.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// # let device = burn::tensor::Device::flex();
    /// let rows: [(&[u32], &[u32]); 2] = [(&[5, 6], &[7, 2]), (&[5], &[2])];
    /// let sequences = Sequences::padded(rows, 0, &device);
    /// assert_eq!(sequences.tokens.dims(), [2, 4]);
    /// assert_eq!(sequences.num_scored(), 3);
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no row, or no token at all.
    pub fn padded<'a>(
        rows: impl IntoIterator<Item = (&'a [u32], &'a [u32])>,
        pad: u32,
        device: &Device,
    ) -> Self {
        let rows = rows.into_iter().map(|(prompt, completion)| SequenceIds {
            prompt,
            completion,
            runs: &[],
        });
        Self::padded_rows(rows, pad, device)
    }

    /// Does what [`padded`](Self::padded) does, scoring what the runs of each row say.
    pub(crate) fn padded_rows<'a>(
        rows: impl IntoIterator<Item = SequenceIds<'a>>,
        pad: u32,
        device: &Device,
    ) -> Self {
        let rows: Vec<_> = rows.into_iter().collect();
        let width = rows.iter().map(SequenceIds::len).max();
        let width = width.expect("a batch needs at least one sequence");
        assert!(width > 0, "a batch needs at least one token");
        let shape = [rows.len(), width];
        let mut tokens = Vec::with_capacity(rows.len() * width);
        let mut attention = Vec::with_capacity(rows.len() * width);
        let mut completion = Vec::with_capacity(rows.len() * width);
        for (i, row) in rows.iter().enumerate() {
            let end = row.len();
            let ids = row.prompt.iter().chain(row.completion);
            tokens.extend(ids.map(|&t| i64::from(t)));
            tokens.extend(repeat_n(i64::from(pad), width - end));
            attention.extend((0..width).map(|t| t < end));
            completion.extend(repeat_n(false, row.prompt.len()));
            if row.runs.is_empty() {
                completion.extend(repeat_n(true, row.completion.len()));
            }
            for (turn, &run) in row.runs.iter().enumerate() {
                completion.extend(repeat_n(turn % 2 == 0, run as usize));
            }
            completion.resize((i + 1) * width, false);
        }
        let device = &device.clone().inner();
        Self {
            tokens: Tensor::from_data(TensorData::new(tokens, shape), device),
            attention_mask: Tensor::from_data(TensorData::new(attention, shape), device),
            completion_mask: Tensor::from_data(TensorData::new(completion, shape), device),
        }
    }

    /// No row at all.
    pub(crate) fn none(device: &Device) -> Self {
        let device = &device.clone().inner();
        let flags = || Tensor::from_data(TensorData::new(Vec::<bool>::new(), [0, 2]), device);
        Self {
            tokens: Tensor::from_data(TensorData::new(Vec::<i64>::new(), [0, 2]), device),
            attention_mask: flags(),
            completion_mask: flags(),
        }
    }

    /// `[batch, seq]`.
    pub fn dims(&self) -> [usize; 2] {
        self.tokens.dims()
    }

    /// What is to be predicted, `[batch, seq - 1]`: `targets[:, t]` is the token at `t + 1`.
    pub fn targets(&self) -> Tensor<2, Int> {
        let [_, seq] = self.dims();
        self.tokens.clone().narrow(1, 1, seq - 1)
    }

    /// Which targets are scored, `[batch, seq - 1]`.
    pub fn target_mask(&self) -> Tensor<2, Bool> {
        let [_, seq] = self.dims();
        self.completion_mask.clone().narrow(1, 1, seq - 1)
    }

    /// Flat indices into `[batch, seq - 1]` of the scored targets, ascending. Reads the mask back
    /// from the device.
    pub fn scored_positions(&self) -> Vec<usize> {
        let mask = self.target_mask().into_data();
        let scored = mask.iter::<bool>().enumerate();
        scored
            .filter_map(|(i, scored)| scored.then_some(i))
            .collect()
    }

    /// Number of scored tokens. Reads the mask back from the device.
    pub fn num_scored(&self) -> usize {
        self.scored_positions().len()
    }

    /// The first row without a scored token. Reads the mask back from the device.
    pub(crate) fn unscored(&self) -> Option<usize> {
        let mask = self.target_mask();
        let [rows, width] = mask.dims();
        let mask: Vec<bool> = mask.into_data().iter().collect();
        (0..rows).find(|row| !mask[row * width..][..width].contains(&true))
    }

    /// Each row's tokens without its padding. Reads them back from the device.
    pub fn rows(&self) -> Vec<Vec<i64>> {
        let [_, width] = self.dims();
        let tokens: Vec<i64> = self.tokens.to_data().iter().collect();
        let real: Vec<bool> = self.attention_mask.to_data().iter().collect();
        let width = width.max(1);
        let rows = tokens.chunks(width).zip(real.chunks(width));
        let row = |(tokens, real): (&[i64], &[bool])| {
            let tokens = tokens.iter().zip(real);
            tokens.filter(|(_, real)| **real).map(|(t, _)| *t).collect()
        };
        rows.map(row).collect()
    }

    /// Number of real tokens. Reads the mask back from the device.
    pub fn num_tokens(&self) -> usize {
        let mask = self.attention_mask.to_data();
        mask.iter::<bool>().filter(|&real| real).count()
    }

    /// Some of the rows, in the order asked for, without autodiff.
    ///
    /// Masks are selected as numbers: burn-flex 0.22.1 selects booleans into a tensor of another
    /// dtype, on which `bool_not` panics in the dev profile.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let sequences = self.without_autodiff();
        let device = sequences.tokens.device();
        let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let index = TensorData::new(index, [rows.len()]);
        let index = Tensor::<1, Int>::from_data(index, &device);
        let mask = |mask: Tensor<2, Bool>| mask.int().select(0, index.clone()).equal_elem(1);
        Self::new(
            sequences.tokens.select(0, index.clone()),
            mask(sequences.attention_mask),
            mask(sequences.completion_mask),
        )
    }

    /// The same sequences on another device.
    pub fn to_device(self, device: &Device) -> Self {
        Self {
            tokens: self.tokens.to_device(device),
            attention_mask: self.attention_mask.to_device(device),
            completion_mask: self.completion_mask.to_device(device),
        }
    }

    /// The same sequences on the plain device, for a forward pass that needs no gradient.
    pub fn without_autodiff(&self) -> Self {
        Self {
            tokens: self.tokens.clone().without_autodiff(),
            attention_mask: self.attention_mask.clone().without_autodiff(),
            completion_mask: self.completion_mask.clone().without_autodiff(),
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn selected_rows_have_masks_that_can_be_turned_round() {
        let rows: [(&[u32], &[u32]); 3] = [(&[1], &[2]), (&[3, 4], &[5]), (&[6], &[7, 8])];
        let all = Sequences::padded(rows, 0, &Device::flex());
        let some = all.select(&[2, 0]);
        assert_eq!(some.rows(), [vec![6, 7, 8], vec![1, 2]]);
        let padding = some.attention_mask.clone().bool_not().into_data();
        let padding: Vec<bool> = padding.iter().collect();
        assert_eq!(padding, [false, false, false, false, false, true]);
        assert_eq!(some.target_mask().dims(), [2, 2]);
    }
}
