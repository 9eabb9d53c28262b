//! Which rows each step sees.

use crate::data::{Batcher, RowInfo, Sampler, SamplerConfig};
use crate::error::Error;
use crate::train::run::config::TrainerConfig;

/// The epochs of a run, laid out in steps.
pub(in crate::train) struct Plan {
    sampler: Sampler,
    rows: Vec<RowInfo>,
    batch_size: usize,
    total: usize,
    epochs: Epochs,
    /// An epoch and its order.
    current: Option<(usize, Vec<usize>)>,
}

/// How many steps each has.
enum Epochs {
    /// So many.
    Alike(usize),
    /// The first step of each, and behind them where the last one ends.
    From(Vec<usize>),
}

impl Epochs {
    /// The epoch of a step, its first step and its number of steps. Behind the last step its number
    /// is the number of epochs.
    fn of(&self, step: usize) -> (usize, usize, usize) {
        match self {
            Self::Alike(steps) => (step / steps, step / steps * steps, *steps),
            Self::From(starts) => {
                let epoch = starts.partition_point(|&start| start <= step) - 1;
                let start = starts[epoch];
                let end = starts.get(epoch + 1).unwrap_or(&usize::MAX);
                (epoch, start, end - start)
            }
        }
    }
}

impl Plan {
    /// # Errors
    ///
    /// Where the sampler cannot be used, on these examples or at all.
    pub(in crate::train) fn new<B: Batcher>(
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
            return Err(Error::Dataset {
                message: format!("the batcher describes {rows} rows for {examples} examples"),
            });
        }
        let (epochs, total) = if differ {
            let most = config.max_steps.unwrap_or(usize::MAX);
            let mut starts = vec![0];
            let mut end = 0;
            for epoch in 0..config.epochs {
                if end >= most {
                    break;
                }
                end += config.steps_per_epoch(sampler.epoch_len(&rows, epoch)?);
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
    pub(in crate::train) fn total(&self) -> usize {
        self.total
    }

    /// The indices of step `step`, counted from 0, below the total.
    pub(in crate::train) fn window(&mut self, step: usize) -> Result<&[usize], Error> {
        let (epoch, start, _) = self.epochs.of(step);
        let order = match self.current.take() {
            Some((current, order)) if current == epoch => order,
            _ => self.sampler.epoch(&self.rows, epoch)?,
        };
        let (_, order) = self.current.insert((epoch, order));
        let start = (step - start) * self.batch_size;
        let end = (start + self.batch_size).min(order.len());
        Ok(&order[start..end])
    }

    /// Passes over the data after so many steps.
    pub(in crate::train) fn epochs_after(&self, steps: usize) -> f64 {
        let (epoch, start, len) = self.epochs.of(steps);
        epoch as f64 + (steps - start) as f64 / len as f64
    }
}
