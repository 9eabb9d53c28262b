//! From scores to thumbs.

use crate::data::example::{BinaryExample, Prompt, ScoredExample};
use crate::data::tally::{mean, median};
use crate::error::Error;
use burn::config::Config;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::fmt;

/// What a score has to be above to be a thumb up (KTO paper, §4.1). Below it is a thumb down; at
/// it, it is neither, and dropped.
#[derive(Config, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // fields are said in their variant
pub enum ScoreThreshold {
    /// A number, such as 3 on a scale from 1 to 5.
    Fixed { threshold: f64 },
    /// The mean over all.
    Mean,
    /// The median over all.
    Median,
    /// The mean over the prompt's completions; a prompt with one completion is dropped.
    PromptMean,
    /// The median over the prompt's completions.
    PromptMedian,
    /// None: a thumb up is drawn with probability (score − low)/(high − low), cut to \[0, 1\].
    Bernoulli { low: f64, high: f64 },
}

/// What an example counts.
#[derive(Config, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // fields are said in their variant
pub enum ScoreWeight {
    /// 1.
    Equal,
    /// In proportion to the distance from the threshold, cut at `cap` times the mean distance, then
    /// scaled to a mean of 1. With [`ScoreThreshold::Bernoulli`] the distance is that of the
    /// probability from ½.
    Magnitude { cap: f64 },
}

/// How scores become thumbs and weights.
///
/// ```
/// use burn_kto::prelude::*;
/// let scored = [("a", 1.0), ("b", 3.0), ("c", 4.0)];
/// let scored = scored.map(|(text, score)| ScoredExample::new("?", text, score));
/// let labels = ScoreLabels::new(ScoreThreshold::Fixed { threshold: 3.0 });
/// let labels = labels.with_weight(ScoreWeight::Magnitude { cap: 3.0 });
/// let labelled = labels.apply(&scored).unwrap();
/// let [a, c] = &labelled.examples[..] else { panic!("b is at the threshold") };
/// assert!(!a.desirable && c.desirable);
/// assert_eq!((a.weight, c.weight), (4.0 / 3.0, 2.0 / 3.0)); // distances 2 and 1, mean one
/// ```
#[derive(Config, Debug)]
pub struct ScoreLabels {
    /// What a score has to be above.
    pub threshold: ScoreThreshold,
    /// What an example counts.
    #[config(default = "ScoreWeight::Equal")]
    pub weight: ScoreWeight,
    /// The seed of the draws.
    #[config(default = 42)]
    pub seed: u64,
}

/// Thumbs that were made of scores.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// In the order of the scores.
    pub examples: Vec<BinaryExample>,
    /// Scores at the threshold, which say neither.
    pub undecided: usize,
    /// Lowest and highest score; `None` without any.
    pub range: Option<(f64, f64)>,
}

impl fmt::Display for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let up = self.examples.iter().filter(|e| e.desirable).count();
        if let Some((low, high)) = self.range {
            write!(f, "scores from {low} to {high}: ")?;
        }
        write!(
            f,
            "{up} desirable, {} undesirable, {} undecided",
            self.examples.len() - up,
            self.undecided
        )
    }
}

impl ScoreLabels {
    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// Where one is out of its range, naming it.
    pub fn validate(&self) -> Result<(), Error> {
        match self.threshold {
            ScoreThreshold::Fixed { threshold: t } => {
                Error::check(t.is_finite(), "threshold", "must be finite", t)?;
            }
            ScoreThreshold::Bernoulli { low, high } => {
                let ok = low < high && low.is_finite() && high.is_finite();
                let got = format!("{low} and {high}");
                Error::check(ok, "low", "must be below high, both finite", got)?;
            }
            _ => {}
        }
        match self.weight {
            ScoreWeight::Equal => Ok(()),
            ScoreWeight::Magnitude { cap } => {
                Error::check(cap >= 1.0, "cap", "must be at least 1", cap)
            }
        }
    }

    /// Makes thumbs and weights of scores.
    ///
    /// # Errors
    ///
    /// Where a setting is out of its range, and for a score that is not finite, naming its place.
    pub fn apply(&self, scored: &[ScoredExample]) -> Result<Labelled, Error> {
        self.validate()?;
        if let Some(i) = scored.iter().position(|e| !e.score.is_finite()) {
            let score = scored[i].score;
            return Err(Error::Dataset {
                message: format!("example {i}: its score must be finite, got {score}"),
            });
        }
        let scores: Vec<f64> = scored.iter().map(|e| e.score).collect();
        // A mean of equal numbers may be off by their last bit: what is that close to its threshold
        // is at it.
        let rounding = |(distance, score): (f64, &f64)| {
            let size = score.abs().max((score - distance).abs());
            if distance.abs() <= 1e-12 * size {
                0.0
            } else {
                distance
            }
        };
        let distances = self.distances(scored, &scores).into_iter();
        let distances: Vec<f64> = distances.zip(&scores).map(rounding).collect();
        let cut = self.cut(&distances);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut examples = Vec::with_capacity(scored.len());
        for ((example, distance), weight) in scored.iter().zip(distances).zip(cut) {
            let desirable = match self.threshold {
                // p = distance + ½
                ScoreThreshold::Bernoulli { .. } => rng.random::<f64>() < distance + 0.5,
                _ if distance == 0.0 => continue,
                _ => distance > 0.0,
            };
            let (prompt, completion) = (example.prompt.clone(), example.completion.clone());
            examples.push(BinaryExample::new(prompt, completion, desirable).with_weight(weight));
        }
        let mean = examples.iter().map(|e| e.weight).sum::<f64>() / examples.len().max(1) as f64;
        if mean > 0.0 {
            examples.iter_mut().for_each(|e| e.weight /= mean);
        }
        Ok(Labelled {
            undecided: scored.len() - examples.len(),
            range: scores
                .iter()
                .copied()
                .reduce(f64::min)
                .zip(scores.iter().copied().reduce(f64::max)),
            examples,
        })
    }

    /// The distance of each score from its threshold.
    fn distances(&self, scored: &[ScoredExample], scores: &[f64]) -> Vec<f64> {
        let from = |threshold: f64| scores.iter().map(|s| s - threshold).collect();
        match self.threshold {
            ScoreThreshold::Fixed { threshold } => from(threshold),
            ScoreThreshold::Mean => from(mean(scores)),
            ScoreThreshold::Median => from(median(scores)),
            ScoreThreshold::PromptMean => of_prompts(scored, mean),
            ScoreThreshold::PromptMedian => of_prompts(scored, median),
            ScoreThreshold::Bernoulli { low, high } => {
                let p = scores
                    .iter()
                    .map(|s| ((s - low) / (high - low)).clamp(0.0, 1.0));
                p.map(|p| p - 0.5).collect()
            }
        }
    }

    /// Weights up to a common factor.
    fn cut(&self, distances: &[f64]) -> Vec<f64> {
        match self.weight {
            ScoreWeight::Equal => vec![1.0; distances.len()],
            ScoreWeight::Magnitude { cap } => {
                let sizes: Vec<f64> = distances.iter().map(|d| d.abs()).collect();
                let most = cap * mean(&sizes);
                sizes.into_iter().map(|size| size.min(most)).collect()
            }
        }
    }
}

fn of_prompts(scored: &[ScoredExample], centre: fn(&[f64]) -> f64) -> Vec<f64> {
    let mut groups: HashMap<&Prompt, Vec<f64>> = HashMap::new();
    for example in scored {
        groups
            .entry(&example.prompt)
            .or_default()
            .push(example.score);
    }
    let centres: HashMap<&Prompt, f64> = groups.into_iter().map(|(p, s)| (p, centre(&s))).collect();
    scored
        .iter()
        .map(|e| e.score - centres[&e.prompt])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(rows: &[(&str, f64)]) -> Vec<ScoredExample> {
        let rows = rows.iter().enumerate();
        rows.map(|(i, (prompt, score))| ScoredExample::new(*prompt, format!("{i}"), *score))
            .collect()
    }

    fn thumbs(threshold: ScoreThreshold, rows: &[(&str, f64)]) -> Vec<(String, bool)> {
        let labelled = ScoreLabels::new(threshold).apply(&scored(rows)).unwrap();
        let examples = labelled.examples.into_iter();
        examples.map(|e| (e.completion, e.desirable)).collect()
    }

    fn named(rows: &[(&str, bool)]) -> Vec<(String, bool)> {
        rows.iter()
            .map(|(name, up)| (name.to_string(), *up))
            .collect()
    }

    #[test]
    fn thresholds_are_what_they_say() {
        let rows = [("a", 1.0), ("a", 2.0), ("a", 9.0), ("b", 5.0), ("b", 7.0)];
        let of = |threshold| thumbs(threshold, &rows);
        let mean = [
            ("0", false),
            ("1", false),
            ("2", true),
            ("3", true),
            ("4", true),
        ];
        assert_eq!(of(ScoreThreshold::Mean), named(&mean), "4.8");
        let median = [("0", false), ("1", false), ("2", true), ("4", true)];
        assert_eq!(
            of(ScoreThreshold::Median),
            named(&median),
            "5, which is dropped"
        );
        let of_prompts = [
            ("0", false),
            ("1", false),
            ("2", true),
            ("3", false),
            ("4", true),
        ];
        assert_eq!(
            of(ScoreThreshold::PromptMean),
            named(&of_prompts),
            "4 and 6"
        );
        let of_prompts = [("0", false), ("2", true), ("3", false), ("4", true)];
        assert_eq!(
            of(ScoreThreshold::PromptMedian),
            named(&of_prompts),
            "2 and 6"
        );
        assert!(thumbs(ScoreThreshold::PromptMean, &[("a", 1.0)]).is_empty());
    }

    #[test]
    fn equal_scores_are_ties_whatever_their_last_bit() {
        for score in [0.1, 0.2, 0.7, 1.1, -0.3, 1e9 + 0.1] {
            for n in [2, 3, 6, 7] {
                let rows = vec![("a", score); n];
                for threshold in [
                    ScoreThreshold::Mean,
                    ScoreThreshold::PromptMean,
                    ScoreThreshold::Median,
                ] {
                    assert!(thumbs(threshold, &rows).is_empty(), "{n} times {score}");
                }
            }
        }
        let nothing = ScoreLabels::new(ScoreThreshold::Mean).apply(&[]).unwrap();
        assert_eq!(
            nothing.to_string(),
            "0 desirable, 0 undesirable, 0 undecided"
        );
    }

    #[test]
    fn draws_have_their_probability_and_their_seed() {
        let rows = vec![("a", 7.5); 4000];
        let bernoulli = ScoreThreshold::Bernoulli {
            low: 5.0,
            high: 10.0,
        };
        let first = thumbs(bernoulli, &rows);
        let up = first.iter().filter(|(_, up)| *up).count();
        assert!((1900..2100).contains(&up), "half of 4000, got {up}");
        assert_eq!(first, thumbs(bernoulli, &rows));
        let certain = thumbs(bernoulli, &[("a", 12.0), ("a", 1.0)]);
        assert_eq!(certain, named(&[("0", true), ("1", false)]));
    }

    #[test]
    fn weights_have_mean_one_and_a_cap() {
        let rows = [("a", 1.0), ("a", -1.0), ("a", 1.0), ("a", 100.0)];
        let labels = ScoreLabels::new(ScoreThreshold::Fixed { threshold: 0.0 })
            .with_weight(ScoreWeight::Magnitude { cap: 2.0 });
        let weights: Vec<f64> = labels
            .apply(&scored(&rows))
            .unwrap()
            .examples
            .iter()
            .map(|e| e.weight)
            .collect();
        // Distances 1, 1, 1, 100 of mean 25.75: the last is cut to 51.5.
        assert!((weights.iter().sum::<f64>() / 4.0 - 1.0).abs() < 1e-12);
        assert!((weights[3] / weights[0] - 51.5).abs() < 1e-9);
    }

    #[test]
    fn bad_scores_and_settings_are_refused_by_name() {
        let labels = ScoreLabels::new(ScoreThreshold::Mean);
        let error = labels
            .apply(&scored(&[("a", 1.0), ("a", f64::NAN)]))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "example 1: its score must be finite, got NaN"
        );
        let labels = ScoreLabels::new(ScoreThreshold::Bernoulli {
            low: 1.0,
            high: 1.0,
        });
        assert!(labels.apply(&[]).is_err());
        assert!(
            ScoreLabels::new(ScoreThreshold::Mean)
                .apply(&[])
                .unwrap()
                .examples
                .is_empty()
        );
    }
}
