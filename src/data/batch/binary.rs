//! Batches of completions with thumbs, and mismatched pairs for z0.

use super::batcher::{Batcher, fingerprint_of, ids, row};
use super::batches::BinaryBatch;
use super::mismatch::mismatch;
use crate::data::sampler::RowInfo;
use crate::data::tokens::examples::TokenizedBinary;
use crate::error::Error;
use crate::sequence::Sequences;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;

/// Pads completions with thumbs, and pairs each prompt with the completion of another one for the
/// reference point z0.
///
/// Pairs are made over the whole optimizer step: their completions are those of the step, each
/// behind a prompt that is guaranteed to be another, drawn anew every time. So micro-batches of one
/// work. Where one prompt has more than half of the step, the rows left over get completions from
/// elsewhere in the data set. A pair may be longer than any example; then its completion is cut,
/// and still ends with the end of the sequence.
///
/// ```
/// use burn_kto::prelude::*;
/// let rows = [
///     TokenizedBinary::new(vec![1], vec![5, 0], true),
///     TokenizedBinary::new(vec![2], vec![6, 0], false),
/// ];
/// let batch = BinaryBatcher::new(0, 512).batch(&rows, 42, &burn::tensor::Device::flex()).unwrap();
/// let pairs: Vec<i64> = batch.mismatched.tokens.into_data().iter().collect();
/// assert_eq!(pairs, [1, 6, 0, 2, 5, 0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BinaryBatcher {
    pad: u32,
    max_length: usize,
    pairs: bool,
}

impl BinaryBatcher {
    /// Padding with this id, for a model that reads at most so many tokens: the length that the
    /// examples were encoded for.
    pub fn new(pad: u32, max_length: usize) -> Self {
        Self {
            pad,
            max_length,
            pairs: true,
        }
    }

    /// Without mismatched pairs, for losses that do not look at them: BCO, and KTO with a fixed z0.
    /// Then one prompt is enough.
    pub fn without_pairs(mut self) -> Self {
        self.pairs = false;
        self
    }

    /// One batch of all examples, for a loop of one's own. Give each step another `seed`, so that
    /// pairs are drawn anew.
    ///
    /// # Errors
    ///
    /// If all examples have one prompt.
    ///
    /// # Panics
    ///
    /// Without an example.
    pub fn batch(
        &self,
        examples: &[TokenizedBinary],
        seed: u64,
        device: &Device,
    ) -> Result<BinaryBatch, Error> {
        let rows: Vec<usize> = (0..examples.len()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let partners = self.partners(examples, &rows, &mut rng)?;
        Ok(self.rows(examples, &rows, &partners, device))
    }

    fn rows(
        &self,
        dataset: &[TokenizedBinary],
        rows: &[usize],
        partners: &[usize],
        device: &Device,
    ) -> BinaryBatch {
        let own = rows.iter().map(|&i| &dataset[i]);
        let completions = own.map(|e| (&e.prompt[..], &e.completion[..]));
        let mismatched: Vec<(&[u32], Cow<'_, [u32]>)> = rows
            .iter()
            .zip(partners)
            .map(|(&i, &j)| {
                let prompt = &dataset[i].prompt[..];
                (prompt, self.cut(prompt.len(), &dataset[j].completion))
            })
            .collect();
        let mismatched: Vec<(&[u32], &[u32])> =
            mismatched.iter().map(|(p, c)| (*p, &c[..])).collect();
        // Counted rather than taken for granted, and reported.
        let matched = rows.iter().zip(partners);
        let matched = matched.filter(|(i, j)| dataset[**i].prompt == dataset[**j].prompt);
        let matched = matched.count();
        let desirable: Vec<bool> = rows.iter().map(|&i| dataset[i].desirable).collect();
        let desirable = TensorData::new(desirable, [rows.len()]);
        let mut batch = BinaryBatch::new(
            Sequences::padded(completions, self.pad, device),
            if mismatched.is_empty() {
                Sequences::none(device)
            } else {
                Sequences::padded(mismatched, self.pad, device)
            },
            Tensor::from_data(desirable, &device.clone().inner()),
        );
        batch.matched_pairs = self.pairs.then_some(matched);
        let weights: Vec<f64> = rows.iter().map(|&i| dataset[i].weight).collect();
        if weights.iter().all(|&weight| weight == 1.0) {
            return batch;
        }
        let weights = TensorData::new(weights, [rows.len()]);
        batch.with_weights(Tensor::from_data(weights, &device.clone().inner()))
    }
}

impl BinaryBatcher {
    /// For each row the example whose completion stands behind its prompt; none without pairs.
    fn partners(
        &self,
        dataset: &[TokenizedBinary],
        rows: &[usize],
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<usize>, Error> {
        if !self.pairs {
            return Ok(Vec::new());
        }
        mismatch(dataset.len(), |i| &dataset[i].prompt[..], rows, rng)
    }

    /// The completion, as much as there is room for behind a prompt of this length; its last token
    /// always.
    fn cut<'a>(&self, prompt: usize, completion: &'a [u32]) -> Cow<'a, [u32]> {
        let room = self.max_length.saturating_sub(prompt).max(1);
        match completion.split_last() {
            Some((last, rest)) if completion.len() > room => {
                Cow::Owned(rest[..room - 1].iter().chain([last]).copied().collect())
            }
            _ => Cow::Borrowed(completion),
        }
    }
}

impl Batcher for BinaryBatcher {
    type Example = TokenizedBinary;
    type Batch = BinaryBatch;

    fn fingerprint(&self, dataset: &[TokenizedBinary]) -> u64 {
        let rows = dataset.iter();
        fingerprint_of(rows.flat_map(|e| {
            let rest = [u64::from(e.desirable), e.weight.to_bits()];
            ids(&e.prompt).chain(ids(&e.completion)).chain(rest)
        }))
    }

    fn describe(&self, dataset: &[TokenizedBinary]) -> Vec<RowInfo> {
        let row = |e: &TokenizedBinary| row(&e.prompt, e.completion.len()).with_class(e.desirable);
        dataset.iter().map(row).collect()
    }

    fn window(
        &self,
        dataset: &[TokenizedBinary],
        indices: &[usize],
        micro_batch_size: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Vec<BinaryBatch>, Error> {
        let partners = self.partners(dataset, indices, rng)?;
        let rows = indices.chunks(micro_batch_size);
        // Without pairs there is nothing to chunk, and every part is empty.
        let partners = partners
            .chunks(micro_batch_size)
            .chain(std::iter::repeat(&[][..]));
        let parts = rows.zip(partners);
        Ok(parts
            .map(|(rows, partners)| self.rows(dataset, rows, partners, device))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_are_none_are_counted() {
        let example = |prompt| TokenizedBinary::new([prompt], [5, 0], true);
        let dataset = [example(1), example(2), example(1)];
        let batcher = BinaryBatcher::new(0, 8);
        let matched = |partners: [usize; 3]| {
            let batch = batcher.rows(&dataset, &[0, 1, 2], &partners, &Device::flex());
            batch.matched_pairs
        };
        // By their prompts: that all completions are alike does not matter.
        assert_eq!(matched([1, 0, 1]), Some(0));
        assert_eq!(matched([2, 0, 1]), Some(1));
        assert_eq!(matched([0, 1, 2]), Some(3));
        let without = batcher.without_pairs();
        let batch = without.batch(&dataset, 7, &Device::flex()).unwrap();
        assert_eq!(batch.matched_pairs, None);
    }
}
