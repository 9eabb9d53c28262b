//! Text from a Llama, with a cache of keys and values.

use super::{Cache, Llama};
use crate::error::Error;
use crate::model::{Generate, GenerationConfig};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Rows continued at a time, and prompt tokens read at a time: they bound the memory of cache,
/// logits and activations.
const ROWS: usize = 64;
const TOKENS: usize = 16_384;
/// A beginning that all prompts share, such as worked examples, is read once from so many tokens
/// on.
const SHARED: usize = 64;

impl Generate for Llama {
    /// Prompts of one length are read together, without padding, and draws are seeded by the seed
    /// and the row's index, so what a row gets does not depend on the others; only a beginning of
    /// 64 tokens and more that all prompts share is read once, which may change the last digit of a
    /// logit. Ends at a stop token, after `max_new_tokens`, or at the model's longest sequence.
    ///
    /// # Errors
    ///
    /// For an empty prompt, one that leaves no room, an id beyond the vocabulary, and settings out
    /// of range.
    fn generate(
        &self,
        prompts: &[Vec<u32>],
        config: &GenerationConfig,
    ) -> Result<Vec<Vec<u32>>, Error> {
        self.generate_until(prompts, config, &|_, _| false)
    }

    fn generate_until(
        &self,
        prompts: &[Vec<u32>],
        config: &GenerationConfig,
        done: &dyn Fn(usize, &[u32]) -> bool,
    ) -> Result<Vec<Vec<u32>>, Error> {
        config.validate()?;
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, prompt) in prompts.iter().enumerate() {
            self.check_prompt(row, prompt)?;
            by_length.entry(prompt.len()).or_default().push(row);
        }
        // Adapters are composed with what they adapt once, not at every token.
        let model = self.valid().materialize();
        let job = Job {
            start: model.read(shared(prompts)),
            prompts,
            config,
            done,
        };
        let mut outputs = vec![Vec::new(); prompts.len()];
        for (length, rows) in by_length {
            for rows in rows.chunks((TOKENS / length).clamp(1, ROWS)) {
                model.continue_rows(&job, rows.to_vec(), &mut outputs);
            }
        }
        Ok(outputs)
    }
}

/// What all rows of a call have in common.
struct Job<'a> {
    prompts: &'a [Vec<u32>],
    /// The beginning of every prompt, read already.
    start: Cache,
    config: &'a GenerationConfig,
    done: &'a dyn Fn(usize, &[u32]) -> bool,
}

/// Tokens at the beginning of all prompts that are worth reading once; at least one token of each
/// prompt is left.
fn shared(prompts: &[Vec<u32>]) -> &[u32] {
    let [first, others @ ..] = prompts else {
        return &[];
    };
    let common = |prompt: &Vec<u32>| {
        let equal = first.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        equal.min(prompt.len() - 1)
    };
    let length = others.iter().map(common).min().unwrap_or(0);
    if length >= SHARED && length < first.len() {
        &first[..length]
    } else {
        &[]
    }
}

impl Llama {
    fn check_prompt(&self, row: usize, prompt: &[u32]) -> Result<(), Error> {
        let message = |message| Err(Error::Usage { message });
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

    /// A cache of these tokens, empty for none.
    fn read(&self, tokens: &[u32]) -> Cache {
        let mut cache = Cache::new(self.config.num_hidden_layers);
        if !tokens.is_empty() {
            let device = self.device();
            self.run(rows_of(&[tokens], &device), Some(&mut cache));
        }
        cache
    }

    /// Continues the prompts of `rows`, which all have one length.
    fn continue_rows(&self, job: &Job<'_>, mut rows: Vec<usize>, outputs: &mut [Vec<u32>]) {
        let (device, config) = (self.device(), job.config);
        let mut rngs: Vec<ChaCha8Rng> = rows
            .iter()
            .map(|&row| {
                let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
                rng.set_stream(row as u64);
                rng
            })
            .collect();
        let mut cache = job.start.clone();
        cache.select(&index(&vec![0; rows.len()], &device));
        let left = |&row: &usize| job.prompts[row][cache.length..].to_vec();
        let mut next: Vec<Vec<u32>> = rows.iter().map(left).collect();
        for _ in 0..config.max_new_tokens {
            let logits = self.last_logits(&next, &mut cache, &device);
            let mut unfinished = Vec::new();
            next.clear();
            for (i, logits) in logits.chunks(self.config.vocab_size).enumerate() {
                let token = config.sampling.choose(logits, &mut rngs[i]) as u32;
                let row = rows[i];
                outputs[row].push(token);
                if !config.stop_tokens.contains(&token) && !(job.done)(row, &outputs[row]) {
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
        let seq = rows[0].len();
        let hidden = self.run(rows_of(rows, device), Some(cache));
        let logits = self.head(hidden.narrow(1, seq - 1, 1));
        logits.into_data().iter::<f32>().collect()
    }
}

/// Rows of one length, `[batch, seq]`.
fn rows_of(rows: &[impl AsRef<[u32]>], device: &Device) -> Tensor<2, Int> {
    let shape = [rows.len(), rows[0].as_ref().len()];
    let tokens = rows.iter().flat_map(|row| row.as_ref());
    let tokens: Vec<i64> = tokens.map(|&token| i64::from(token)).collect();
    Tensor::from_data(TensorData::new(tokens, shape), device)
}

fn index(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let length = rows.len();
    Tensor::from_data(TensorData::new(rows, [length]), device)
}
