//! New tokens after a prompt.

use crate::error::Error;
use burn::config::Config;

/// How the next token is chosen.
#[derive(Config, Debug, PartialEq)]
pub enum Sampling {
    /// The most likely token; the first of equals.
    Greedy,
    /// Drawn from the distribution at `temperature` > 0, cut to the `top_k` most likely tokens (0:
    /// all) and then to the smallest set whose probability reaches `top_p` (1: all).
    Random {
        /// Divides the logits; below 1 sharpens.
        temperature: f64,
        /// Keep so many tokens; 0 keeps all.
        top_k: usize,
        /// Keep the smallest set that reaches this probability; 1 keeps all.
        top_p: f64,
    },
}

/// How to generate.
#[derive(Config, Debug)]
pub struct GenerationConfig {
    /// At most so many tokens a prompt.
    #[config(default = 128)]
    pub max_new_tokens: usize,
    /// How the next token is chosen.
    #[config(default = "Sampling::Greedy")]
    pub sampling: Sampling,
    /// Seeds the draws: the same prompts, seed and device give the same text.
    #[config(default = 0)]
    pub seed: u64,
    /// Generation of a row ends with the first of these; it is part of the output.
    #[config(default = "Vec::new()")]
    pub stop_tokens: Vec<u32>,
}

impl GenerationConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        if let Sampling::Random {
            temperature, top_p, ..
        } = self.sampling
        {
            let ok = temperature > 0.0 && temperature.is_finite();
            Error::check(
                ok,
                "temperature",
                "must be positive and finite",
                temperature,
            )?;
            let ok = top_p > 0.0 && top_p <= 1.0;
            Error::check(ok, "top_p", "must be in (0, 1]", top_p)?;
        }
        Ok(())
    }
}

/// A model that writes.
pub trait Generate {
    /// Continues each prompt; returns the new tokens only, the stop token included where one came.
    fn generate(
        &self,
        prompts: &[Vec<u32>],
        config: &GenerationConfig,
    ) -> Result<Vec<Vec<u32>>, Error>;

    /// Does what [`generate`](Self::generate) does, but row i also ends after the first token for
    /// which `done(i, tokens so far)` says so: for stops that are texts rather than tokens.
    ///
    /// What is provided here writes every row to its end and cuts it then; a model that can stop
    /// earlier saves the time.
    fn generate_until(
        &self,
        prompts: &[Vec<u32>],
        config: &GenerationConfig,
        done: &dyn Fn(usize, &[u32]) -> bool,
    ) -> Result<Vec<Vec<u32>>, Error> {
        let mut rows = self.generate(prompts, config)?;
        for (i, row) in rows.iter_mut().enumerate() {
            let end = (1..=row.len()).find(|&end| done(i, &row[..end]));
            row.truncate(end.unwrap_or(row.len()));
        }
        Ok(rows)
    }
}
