//! A model of this process chooses: the log-probability of each continuation.

use super::local::LocalModel;
use crate::error::Error;
use crate::eval::tasks::task::{Choice, LogProbs, Subject};
use crate::model::CausalLm;
use crate::sequence::Sequences;
use burn::module::Module;

/// Context and continuation ids of one choice.
struct Rows {
    context: usize,
    truncated: bool,
    rows: Vec<(Vec<u32>, Vec<u32>)>,
}

impl<M: CausalLm> Subject<Choice> for LocalModel<'_, M> {
    fn answer(&self, choices: &[Choice]) -> Result<Vec<LogProbs>, Error> {
        let all: Result<Vec<Rows>, Error> = choices.iter().map(|c| self.rows(c)).collect();
        let all = all?;
        let flat: Vec<&(Vec<u32>, Vec<u32>)> = all.iter().flat_map(|rows| &rows.rows).collect();
        let length = |row: usize| flat[row].0.len() + flat[row].1.len();
        // Rows of like length together: little padding.
        let mut order: Vec<usize> = (0..flat.len()).collect();
        order.sort_by_key(|&row| length(row));
        let mut log_probs = vec![0.0; flat.len()];
        let mut rest = &order[..];
        while !rest.is_empty() {
            let fits = |&n: &usize| n * length(rest[n - 1]) <= self.batch_tokens;
            let count = (1..=rest.len()).take_while(fits).last().unwrap_or(1);
            let (batch, later) = rest.split_at(count);
            let rows = batch
                .iter()
                .map(|&row| (&flat[row].0[..], &flat[row].1[..]));
            let sequences = Sequences::padded(rows, self.tokenizer.pad(), &self.device);
            let scores = self.model.log_probs(&sequences).into_data();
            for (&row, score) in batch.iter().zip(scores.iter::<f64>()) {
                if !score.is_finite() {
                    let message = format!("a log-probability is {score}: is the model broken?");
                    return Err(Error::Usage { message });
                }
                log_probs[row] = score;
            }
            rest = later;
        }
        let mut log_probs = log_probs.into_iter();
        Ok(all
            .iter()
            .map(|rows| LogProbs {
                log_probs: log_probs.by_ref().take(rows.rows.len()).collect(),
                context: rows.context,
                truncated: rows.truncated,
            })
            .collect())
    }
}

impl<M: Module> LocalModel<'_, M> {
    /// Rows of one choice: context and continuation ids.
    fn rows(&self, choice: &Choice) -> Result<Rows, Error> {
        let mut fallback = None;
        for (context, text) in choice.contexts.iter().enumerate() {
            let text = self.rendered(text)?;
            let rows: Result<Vec<_>, Error> = choice
                .continuations
                .iter()
                .map(|continuation| self.split(&text, continuation))
                .collect();
            let rows = Rows {
                context,
                truncated: false,
                rows: rows?,
            };
            let longest = rows.rows.iter().map(|(c, t)| c.len() + t.len()).max();
            if longest.is_some_and(|longest| longest <= self.max_length) {
                return Ok(rows);
            }
            fallback = Some(rows);
        }
        let Some(mut rows) = fallback.filter(|rows| !rows.rows.is_empty()) else {
            let message = "a choice needs a context and a continuation".into();
            return Err(Error::Usage { message });
        };
        rows.truncated = true;
        for (context, continuation) in &mut rows.rows {
            let room = self.max_length.saturating_sub(continuation.len());
            if room == 0 {
                let message = format!(
                    "a continuation has {} tokens, but the model reads at most {}",
                    continuation.len(),
                    self.max_length
                );
                return Err(Error::Dataset { message });
            }
            context.drain(..context.len().saturating_sub(room));
        }
        Ok(rows)
    }

    /// Tokens of both together, cut where those of the context alone end; spaces at the end of the
    /// context belong to what follows, because tokens begin with them.
    fn split(&self, context: &str, continuation: &str) -> Result<(Vec<u32>, Vec<u32>), Error> {
        let trimmed = context.trim_end();
        // A context of spaces only keeps them: something has to come first.
        let trimmed = if trimmed.is_empty() { context } else { trimmed };
        let whole = format!("{context}{continuation}");
        let mut before = self.encode(trimmed)?;
        let mut all = self.encode(&whole)?;
        if before.is_empty() || before.len() >= all.len() {
            let message = format!("nothing to predict in {continuation:?} after {context:?}");
            return Err(Error::Dataset { message });
        }
        let after = all.split_off(before.len());
        before = all;
        Ok((before, after))
    }
}
