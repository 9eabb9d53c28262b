//! Several answers to one prompt, some better than others.

use crate::data::example::{BinaryExample, PreferenceExample, Prompt, ScoredExample, SftExample};
use crate::data::tally::median;

/// Which pairs are made of an order of answers. Equals make none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RankedPairs {
    /// Each with the next worse one.
    #[default]
    Adjacent,
    /// Each with all that are worse.
    All,
    /// The best with the worst.
    Extremes,
}

impl RankedPairs {
    /// How many pairs so many answers make at most.
    fn most(self, answers: usize) -> usize {
        match self {
            Self::Adjacent => answers.saturating_sub(1),
            Self::All => answers.saturating_mul(answers.saturating_sub(1)) / 2,
            Self::Extremes => 1,
        }
    }
}

/// A prompt and its answers with scores, higher being better; or without, where nobody ranked them.
#[derive(Debug)]
pub struct Ranked {
    pub(in crate::data) prompt: Prompt,
    pub(in crate::data) answers: Vec<(String, Option<f64>)>,
}

impl Ranked {
    /// Best first; what has no score is left out.
    fn order(&self) -> Vec<(&str, f64)> {
        let scored = self.answers.iter();
        let mut order: Vec<(&str, f64)> = scored
            .filter_map(|(text, score)| Some((text.as_str(), (*score)?)))
            .collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        order
    }

    /// Bytes of the pairs, roughly: each has the prompt and two answers.
    pub(in crate::data) fn bytes_of_pairs(&self, which: RankedPairs) -> usize {
        let n = self.ranked();
        self.bytes_of(which.most(n), 2)
    }

    /// Bytes of an example of each answer, roughly.
    pub(in crate::data) fn bytes_of_each(&self) -> usize {
        self.bytes_of(self.ranked(), 1)
    }

    /// Bytes of so many examples with so many answers each, of the mean length.
    fn bytes_of(&self, examples: usize, answers: usize) -> usize {
        let all: usize = self.answers.iter().map(|(text, _)| text.len()).sum();
        let mean = all / self.answers.len().max(1);
        let one = size_of::<PreferenceExample>() + self.prompt.bytes() + answers * mean;
        examples.saturating_mul(one)
    }

    pub(in crate::data) fn pairs(&self, which: RankedPairs) -> Vec<PreferenceExample> {
        let order = self.order();
        let pair = |better: usize, worse: usize| {
            let ((chosen, high), (rejected, low)) = (order[better], order[worse]);
            (high > low).then(|| PreferenceExample::new(self.prompt.clone(), chosen, rejected))
        };
        let n = order.len();
        match which {
            _ if n < 2 => Vec::new(),
            RankedPairs::Adjacent => (1..n).filter_map(|i| pair(i - 1, i)).collect(),
            RankedPairs::All => (0..n)
                .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
                .filter_map(|(i, j)| pair(i, j))
                .collect(),
            RankedPairs::Extremes => pair(0, n - 1).into_iter().collect(),
        }
    }

    /// Above the prompt's median up, below down; and how many are at it.
    pub(in crate::data) fn thumbs(&self) -> (Vec<BinaryExample>, usize) {
        let order = self.order();
        let scores: Vec<f64> = order.iter().map(|(_, score)| *score).collect();
        let middle = median(&scores);
        let apart = order.iter().filter(|(_, score)| *score != middle);
        let thumbs: Vec<_> = apart
            .map(|(text, score)| BinaryExample::new(self.prompt.clone(), *text, *score > middle))
            .collect();
        let at = order.len() - thumbs.len();
        (thumbs, at)
    }

    pub(in crate::data) fn scored(&self) -> Vec<ScoredExample> {
        let order = self.order().into_iter();
        order
            .map(|(text, score)| ScoredExample::new(self.prompt.clone(), text, score))
            .collect()
    }

    /// The best; without scores the only one.
    pub(in crate::data) fn best(&self) -> Option<SftExample> {
        let best = match (self.order().first(), &self.answers[..]) {
            (Some((text, _)), _) => text,
            (None, [(only, _)]) => only.as_str(),
            _ => return None,
        };
        Some(SftExample::new(self.prompt.clone(), best))
    }

    /// How many answers have a score.
    pub(in crate::data) fn ranked(&self) -> usize {
        self.answers
            .iter()
            .filter(|(_, score)| score.is_some())
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(scores: &[Option<f64>]) -> Ranked {
        let answers = scores.iter().enumerate();
        Ranked {
            prompt: Prompt::from("?"),
            answers: answers.map(|(i, score)| (i.to_string(), *score)).collect(),
        }
    }

    fn pairs(scores: &[f64], which: RankedPairs) -> Vec<String> {
        let scores: Vec<_> = scores.iter().copied().map(Some).collect();
        let pairs = group(&scores).pairs(which).into_iter();
        pairs
            .map(|p| format!("{}>{}", p.chosen, p.rejected))
            .collect()
    }

    #[test]
    fn pairs_are_of_unequals() {
        let scores = [1.0, 3.0, 2.0, 3.0];
        assert_eq!(pairs(&scores, RankedPairs::Adjacent), ["3>2", "2>0"]);
        let all = pairs(&scores, RankedPairs::All);
        assert_eq!(all, ["1>2", "1>0", "3>2", "3>0", "2>0"]);
        assert_eq!(pairs(&scores, RankedPairs::Extremes), ["1>0"]);
        assert!(pairs(&[1.0], RankedPairs::All).is_empty());
        assert!(pairs(&[1.0, 1.0], RankedPairs::Extremes).is_empty());
    }

    #[test]
    fn thumbs_are_on_both_sides_of_the_middle() {
        let up = |scores: &[Option<f64>]| -> (Vec<(String, bool)>, usize) {
            let (thumbs, at) = group(scores).thumbs();
            let thumbs = thumbs.into_iter();
            (thumbs.map(|e| (e.completion, e.desirable)).collect(), at)
        };
        let (thumbs, at) = up(&[Some(0.0), Some(-1.0), Some(-2.0), None]);
        assert_eq!(thumbs, [("0".to_string(), true), ("2".to_string(), false)]);
        assert_eq!(at, 1);
        assert_eq!(up(&[Some(2.0), Some(2.0)]), (vec![], 2));
        assert_eq!(up(&[None]), (vec![], 0));
    }

    #[test]
    fn the_best_is_the_best_ranked_or_the_only_one() {
        let best = |scores: &[Option<f64>]| group(scores).best().map(|e| e.completion);
        assert_eq!(best(&[Some(-1.0), Some(0.0), None]).unwrap(), "1");
        assert_eq!(best(&[None]).unwrap(), "0");
        assert_eq!(best(&[None, None]), None);
    }
}
