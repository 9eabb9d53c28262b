//! The rows that each step sees.

use crate::data::{Batcher, RowInfo, Sampler, SamplerConfig};
use crate::error::Error;
use crate::train::run::config::TrainerConfig;

/// Epochs that are laid out one by one, where they differ.
const LONGEST: usize = 100_000;

/// The epochs of a run, laid out in steps.
pub(super) struct Plan {
    sampler: Sampler,
    rows: Vec<RowInfo>,
    batch_size: usize,
    total: usize,
    epochs: Epochs,
    current: Option<EpochOrder>,
}

/// The rows of an epoch, in order.
struct EpochOrder {
    epoch: usize,
    rows: Vec<usize>,
}

/// Steps of the epochs.
enum Epochs {
    /// The same number each.
    Alike(usize),
    /// The first step of each, and behind them the end of the last one.
    From(Vec<usize>),
}

/// An epoch in steps.
struct Epoch {
    number: usize,
    start: usize,
    len: usize,
}

impl Epochs {
    /// The epoch of a step. Behind the last step its number is the number of epochs.
    fn at(&self, step: usize) -> Epoch {
        match self {
            Self::Alike(steps) => Epoch {
                number: step / steps,
                start: step / steps * steps,
                len: *steps,
            },
            Self::From(starts) => {
                let number = starts.partition_point(|&start| start <= step) - 1;
                let start = starts[number];
                let end = starts.get(number + 1).unwrap_or(&usize::MAX);
                let len = end - start;
                Epoch { number, start, len }
            }
        }
    }
}

impl Plan {
    /// # Errors
    ///
    /// Without examples, and where the sampler cannot be used, on these examples or at all.
    pub(super) fn new<B: Batcher>(
        config: &TrainerConfig,
        sampler: &SamplerConfig,
        batcher: &B,
        train: &[B::Example],
    ) -> Result<Self, Error> {
        if train.is_empty() {
            return Err(Error::Dataset {
                message: "there is no example to train on".into(),
            });
        }
        // Only turns make epochs differ.
        let differ = sampler.one_per_prompt;
        let sampler = sampler.init(config.batch_size, config.seed)?;
        let rows = batcher.describe(train);
        if rows.len() != train.len() {
            let (rows, examples) = (rows.len(), train.len());
            return Err(Error::Training {
                step: 0,
                message: format!("the batcher describes {rows} rows for {examples} examples"),
            });
        }
        let (epochs, total) = if differ {
            let most = config.max_steps.unwrap_or(usize::MAX);
            let (epochs, bound) = (
                config.epochs.min(most),
                "must be at most 100000 with one_per_prompt",
            );
            Error::check(epochs <= LONGEST, "epochs", bound, config.epochs)?;
            let mut starts = vec![0];
            let mut end = 0;
            for epoch in 0..config.epochs {
                if end >= most {
                    break;
                }
                let steps = config.steps_per_epoch(sampler.epoch_len(&rows, epoch)?);
                end = end.saturating_add(steps);
                starts.push(end);
            }
            (Epochs::From(starts), end.min(most))
        } else {
            let len = sampler.epoch_len(&rows, 0)?;
            let steps = config.steps_per_epoch(len);
            (Epochs::Alike(steps), config.total_steps(len))
        };
        Ok(Self {
            sampler,
            rows,
            batch_size: config.batch_size,
            total,
            epochs,
            current: None,
        })
    }

    /// Steps of the run.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The indices of step `step`, counted from 0, below the total.
    pub(super) fn window(&mut self, step: usize) -> Result<&[usize], Error> {
        let Epoch { number, start, .. } = self.epochs.at(step);
        let current = match self.current.take() {
            Some(current) if current.epoch == number => current,
            _ => EpochOrder {
                epoch: number,
                rows: self.sampler.epoch(&self.rows, number)?,
            },
        };
        let order = &self.current.insert(current).rows;
        let start = (step - start) * self.batch_size;
        let end = (start + self.batch_size).min(order.len());
        Ok(&order[start..end])
    }

    /// Passes over the data after so many steps.
    pub(super) fn epochs_after(&self, steps: usize) -> f64 {
        let Epoch { number, start, len } = self.epochs.at(steps);
        number as f64 + (steps - start) as f64 / len as f64
    }
}
