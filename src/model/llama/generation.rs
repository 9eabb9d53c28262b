//! Text from a Llama, with a cache of keys and values.

use super::{Cache, Llama};
use crate::error::Error;
use crate::model::{Generate, GenerationConfig};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Rows continued at a time, and prompt tokens read at a time: they bound the memory of cache, logits and activations.
const ROWS: usize = 64;
const TOKENS: usize = 16_384;

impl Generate for Llama {
    /// Prompts of one length are read together, so what a row gets does not depend on the others: no padding, and draws seeded by the
    /// seed and the row's index. Ends at a stop token, after `max_new_tokens`, or at the model's longest sequence.
    ///
    /// # Errors
    ///
    /// For an empty prompt, one that leaves no room, an id beyond the vocabulary, and settings out of range.
    fn generate(
        &self,
        prompts: &[Vec<u32>],
        config: &GenerationConfig,
    ) -> Result<Vec<Vec<u32>>, Error> {
        config.validate()?;
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, prompt) in prompts.iter().enumerate() {
            self.check(row, prompt)?;
            by_length.entry(prompt.len()).or_default().push(row);
        }
        let model = self.valid();
        let mut outputs = vec![Vec::new(); prompts.len()];
        for (length, rows) in by_length {
            for rows in rows.chunks((TOKENS / length).clamp(1, ROWS)) {
                model.continue_rows(prompts, rows.to_vec(), config, &mut outputs);
            }
        }
        Ok(outputs)
    }
}

impl Llama {
    fn check(&self, row: usize, prompt: &[u32]) -> Result<(), Error> {
        let message = |message| Err(Error::Dataset { message });
        if prompt.is_empty() {
            return message(format!(
                "prompt {row} is empty: there is nothing to continue"
            ));
        }
        let (length, longest) = (prompt.len(), self.config.max_length());
        if length >= longest {
            return message(format!(
                "prompt {row} has {length} tokens, which leaves no room: the model reads at most {longest}"
            ));
        }
        let vocab = self.config.vocab_size;
        match prompt.iter().find(|&&token| token as usize >= vocab) {
            Some(token) => message(format!(
                "prompt {row} has token {token}, but the vocabulary ends at {}",
                vocab - 1
            )),
            None => Ok(()),
        }
    }

    /// Continues the prompts of `rows`, which all have one length.
    fn continue_rows(
        &self,
        prompts: &[Vec<u32>],
        mut rows: Vec<usize>,
        config: &GenerationConfig,
        outputs: &mut [Vec<u32>],
    ) {
        let device = self.device();
        let mut rngs: Vec<ChaCha8Rng> = rows
            .iter()
            .map(|&row| {
                let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
                rng.set_stream(row as u64);
                rng
            })
            .collect();
        let mut cache = Cache::new(self.config.num_hidden_layers);
        let mut next: Vec<Vec<u32>> = rows.iter().map(|&row| prompts[row].clone()).collect();
        for _ in 0..config.max_new_tokens {
            let logits = self.last_logits(&next, &mut cache, &device);
            let mut unfinished = Vec::new();
            next.clear();
            for (i, logits) in logits.chunks(self.config.vocab_size).enumerate() {
                let token = config.sampling.choose(logits, &mut rngs[i]) as u32;
                outputs[rows[i]].push(token);
                if !config.stop_tokens.contains(&token) {
                    unfinished.push(i);
                    next.push(vec![token]);
                }
            }
            if unfinished.is_empty() || cache.length >= self.config.max_length() {
                return;
            }
            if unfinished.len() < rows.len() {
                cache.select(&index(&unfinished, &device));
                rows = unfinished.iter().map(|&i| rows[i]).collect();
                rngs = unfinished.iter().map(|&i| rngs[i].clone()).collect();
            }
        }
    }

    /// Logits after each row, row by row.
    fn last_logits(&self, rows: &[Vec<u32>], cache: &mut Cache, device: &Device) -> Vec<f32> {
        let (batch, seq) = (rows.len(), rows[0].len());
        let tokens: Vec<i64> = rows
            .iter()
            .flatten()
            .map(|&token| i64::from(token))
            .collect();
        let tokens = TensorData::new(tokens, [batch, seq]);
        let hidden = self.run(Tensor::from_data(tokens, device), Some(cache));
        let logits = self.head(hidden.narrow(1, seq - 1, 1));
        logits.into_data().iter::<f32>().collect()
    }
}

fn index(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let length = rows.len();
    Tensor::from_data(TensorData::new(rows, [length]), device)
}
