//! Log-probabilities that were computed before.

use super::{Frozen, Reference, TokenReference};
use crate::error::Error;
use crate::model::CausalLm;
use crate::sequence::Sequences;
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Remembers the log-probability of each sequence it has seen, so that each costs one forward pass
/// in all.
///
/// Sequences are known by their tokens and scored positions, not by their padding. They are read
/// back from the device to be looked up. Values are those of the batch that computed them: padding
/// may change the last bits of a float.
///
/// With KTO keep the model: mismatched pairs are drawn anew at every step, so they can never all be
/// known before. What repeats costs nothing; with a fixed z0
/// ([`KlScope::Fixed`](crate::kl::KlScope::Fixed)) no pair is asked for, and the model can go.
///
/// ```
/// # use burn::tensor::Device;
/// # use burn_kto::prelude::*;
/// # fn example<M: CausalLm>(policy: &M, batches: Vec<Sequences>) {
/// let reference = Cached::new(policy);      // computes what it meets, then remembers it
/// reference.fill(&batches);                 // or computes everything first …
/// let reference = reference.without_model(); // … and gives the model's memory back
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Cached<M> {
    model: Option<Frozen<M>>,
    table: Arc<Mutex<HashMap<u128, f64>>>,
}

impl<M: CausalLm> Cached<M> {
    /// Freezes a copy of `model` and remembers nothing yet.
    pub fn new(model: &M) -> Self {
        Self {
            model: Some(Frozen::new(model)),
            table: Arc::default(),
        }
    }

    /// Computes what is not known yet.
    ///
    /// # Panics
    ///
    /// If something is not known and the model was dropped.
    pub fn fill<'a>(&self, batches: impl IntoIterator<Item = &'a Sequences>) {
        for sequences in batches {
            self.compute(sequences, &fingerprints(sequences));
        }
    }

    /// Drops the model: from now on only what is known can be looked up.
    pub fn without_model(mut self) -> Self {
        self.model = None;
        self
    }

    /// Number of sequences known.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no sequence is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every row of `sequences` is known.
    pub fn covers(&self, sequences: &Sequences) -> bool {
        let table = self.lock();
        let keys = fingerprints(sequences);
        keys.iter().all(|key| table.contains_key(key))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u128, f64>> {
        // A panic elsewhere cannot leave a map half-written: an insert either happened or not.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compute(&self, sequences: &Sequences, keys: &[u128]) {
        let missing: Vec<usize> = {
            let table = self.lock();
            let rows = 0..keys.len();
            rows.filter(|&row| !table.contains_key(&keys[row]))
                .collect()
        };
        if missing.is_empty() {
            return;
        }
        let Some(model) = &self.model else {
            panic!("{}", unknown(missing.len(), keys.len()));
        };
        let rows = sequences.select(&missing);
        let values = model.log_probs(model.model(), &rows).into_data();
        let mut table = self.lock();
        for (row, value) in missing.into_iter().zip(values.iter::<f64>()) {
            table.insert(keys[row], value);
        }
    }
}

impl<M: CausalLm> Reference<M> for Cached<M> {
    fn check(&self, policy: &M, sequences: &Sequences) -> Result<(), Error> {
        if let Some(model) = &self.model {
            return model.check(policy, sequences);
        }
        let (keys, table) = (fingerprints(sequences), self.lock());
        match keys.iter().filter(|key| !table.contains_key(key)).count() {
            0 => Ok(()),
            missing => Err(Error::Usage {
                message: unknown(missing, keys.len()),
            }),
        }
    }

    /// f32, whatever the model's dtype.
    ///
    /// # Panics
    ///
    /// If a sequence is not known and the model was dropped.
    fn log_probs(&self, _policy: &M, sequences: &Sequences) -> Tensor<1> {
        let keys = fingerprints(sequences);
        self.compute(sequences, &keys);
        let table = self.lock();
        let values: Vec<f32> = keys.iter().map(|key| table[key] as f32).collect();
        let length = values.len();
        let device = plain_device(sequences);
        Tensor::from_data(TensorData::new(values, [length]), &device)
    }
}

impl<M: CausalLm> TokenReference<M> for Cached<M> {
    /// Computed every time: sums are remembered, single tokens are not.
    ///
    /// # Panics
    ///
    /// If the model was dropped.
    fn token_log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<2> {
        let Some(model) = &self.model else {
            panic!("single tokens are not in the cache and its model was dropped");
        };
        model.token_log_probs(policy, sequences)
    }
}

fn unknown(missing: usize, of: usize) -> String {
    format!(
        "{missing} of {of} sequences are not in the cache and its model was dropped; fill the \
         cache with every sequence first"
    )
}

fn plain_device(sequences: &Sequences) -> Device {
    sequences.tokens.device().inner()
}

/// 128 bits a row, of its real tokens and which of them are scored.
fn fingerprints(sequences: &Sequences) -> Vec<u128> {
    let [_, width] = sequences.dims();
    let tokens: Vec<i64> = sequences.tokens.to_data().iter::<i64>().collect();
    let attention: Vec<bool> = sequences.attention_mask.to_data().iter::<bool>().collect();
    let scored: Vec<bool> = sequences.completion_mask.to_data().iter::<bool>().collect();
    let row = |start: usize| {
        let real = (start..start + width).filter(|&i| attention[i]);
        let content: Vec<(i64, bool)> = real.map(|i| (tokens[i], scored[i])).collect();
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &content).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        half(0) << 64 | half(1)
    };
    (0..tokens.len()).step_by(width).map(row).collect()
}
