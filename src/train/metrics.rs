//! What a run reports, under the names that the field uses.

use crate::kl::KlSums;
use crate::loss::{BinaryOutput, PreferenceOutput, RewardOutput, SftOutput};
use crate::math::indicator;
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// What follows from sums under other names.
const DERIVED: [&str; 4] = ["rewards/margins", "kl/count", "kl/clamped", "kl/std_err"];

/// What a loss returns to the trainer.
pub trait LossOutput {
    /// `[1]`, with the graph.
    fn loss(&self) -> Tensor<1>;

    /// Sums and counts, `[1]` each and off the graph, of what else is worth reporting. All of one dtype.
    fn sums(&self) -> Vec<(&'static str, Tensor<1>, Tensor<1>)>;
}

impl LossOutput for BinaryOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    fn sums(&self) -> Vec<(&'static str, Tensor<1>, Tensor<1>)> {
        let up = indicator(self.desirable.clone(), &self.rewards);
        let down = up.clone().neg() + 1.0;
        // +1 where the margin has the label's sign, −1 where it has the other, 0 on the fence.
        let agreement = self.margins.clone().sign() * (up.clone() * 2.0 - 1.0);
        let of = |values: &Tensor<1>, class: &Tensor<1>| {
            ((values.clone() * class.clone()).sum(), class.clone().sum())
        };
        let all = up.ones_like();
        let named = |name, (sum, count)| (name, sum, count);
        let mut sums = vec![
            named("rewards/chosen", of(&self.rewards, &up)),
            named("rewards/rejected", of(&self.rewards, &down)),
            named("rewards/accuracies", of(&((agreement + 1.0) * 0.5), &all)),
            named("logps/chosen", of(&self.log_probs, &up)),
            named("logps/rejected", of(&self.log_probs, &down)),
            named("kl", of(&self.kl.clone().expand(all.dims()), &all)),
        ];
        if let Some(ratios) = &self.mismatched {
            let count = ratios.ones_like().sum().cast(all.dtype());
            let squares = (ratios.clone() * ratios.clone()).sum();
            let sum = ratios.clone().sum().cast(all.dtype());
            sums.push(("kl/raw", sum, count.clone()));
            sums.push(("kl/squares", squares.cast(all.dtype()), count));
        }
        sums
    }
}

impl LossOutput for PreferenceOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    fn sums(&self) -> Vec<(&'static str, Tensor<1>, Tensor<1>)> {
        let mut sums = of_pairs(&self.chosen_rewards, &self.rejected_rewards);
        sums.push(mean_of("logps/chosen", &self.chosen_log_probs));
        sums.push(mean_of("logps/rejected", &self.rejected_log_probs));
        sums
    }
}

impl LossOutput for RewardOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    fn sums(&self) -> Vec<(&'static str, Tensor<1>, Tensor<1>)> {
        of_pairs(&self.chosen_rewards, &self.rejected_rewards)
    }
}

fn mean_of(name: &'static str, values: &Tensor<1>) -> (&'static str, Tensor<1>, Tensor<1>) {
    (name, values.clone().sum(), values.ones_like().sum())
}

fn of_pairs(chosen: &Tensor<1>, rejected: &Tensor<1>) -> Vec<(&'static str, Tensor<1>, Tensor<1>)> {
    let margins = chosen.clone() - rejected.clone();
    let agreement = (margins.clone().sign() + 1.0) * 0.5;
    vec![
        mean_of("rewards/chosen", chosen),
        mean_of("rewards/rejected", rejected),
        mean_of("rewards/accuracies", &agreement),
        mean_of("rewards/margins_squares", &(margins.clone() * margins)),
    ]
}

impl LossOutput for SftOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    fn sums(&self) -> Vec<(&'static str, Tensor<1>, Tensor<1>)> {
        Vec::new()
    }
}

/// Means, each pooled as Σ over everything divided by the count of everything: averaging the means of batches is wrong as soon as
/// their counts differ.
///
/// | name | meaning |
/// |---|---|
/// | `loss` | mean over examples, or tokens for SFT |
/// | `kl` | the reference point z0 |
/// | `kl/raw`, `kl/std_err`, `kl/count` | mean log-ratio of the mismatched pairs before the clamp, its standard error, and how many they are |
/// | `kl/clamped` | 1 where the clamp at 0 acts on that mean, else 0 |
/// | `rewards/chosen`, `rewards/rejected` | mean reward of desirable (chosen) and undesirable (rejected) completions |
/// | `rewards/margins` | their difference, where both classes are there |
/// | `rewards/accuracies` | share of examples on the right side of z0, or of pairs in the right order; ties count half |
/// | `logps/chosen`, `logps/rejected` | mean log π of the completions |
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    sums: BTreeMap<&'static str, (f64, f64)>,
}

impl Metrics {
    /// Adds a sum and the count it is over.
    pub fn add(&mut self, name: &'static str, sum: f64, count: f64) {
        let (total, counts) = self.sums.entry(name).or_default();
        *total += sum;
        *counts += count;
    }

    /// Adds everything that a loss reports, in one read from the device; `weight` is what its batch counts in the mean loss.
    pub fn add_output(&mut self, output: &impl LossOutput, weight: f64) {
        let loss = output.loss().without_autodiff();
        let sums = output.sums();
        let mut parts = vec![loss];
        for (_, sum, count) in &sums {
            parts.extend([sum.clone(), count.clone()]);
        }
        let values: Vec<f64> = Tensor::cat(parts, 0).into_data().iter::<f64>().collect();
        self.add("loss", values[0] * weight, weight);
        for ((name, ..), pair) in sums.iter().zip(values[1..].chunks(2)) {
            self.add(name, pair[0], pair[1]);
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Metrics) {
        for (name, (sum, count)) in &other.sums {
            self.add(name, *sum, *count);
        }
    }

    /// The mean, if anything was counted.
    pub fn get(&self, name: &str) -> Option<f64> {
        if name == "rewards/margins" {
            return Some(self.get("rewards/chosen")? - self.get("rewards/rejected")?);
        }
        match name {
            "kl/count" => return Some(self.sum("kl/raw")?.1),
            "kl/clamped" => return Some(f64::from(u8::from(self.get("kl/raw")? < 0.0))),
            "kl/std_err" => return self.pairs()?.estimate(false)?.standard_error,
            _ => {}
        }
        let (sum, count) = self.sum(name)?;
        (count > 0.0).then(|| sum / count)
    }

    /// Sum and count of what a mean is made of.
    pub fn sum(&self, name: &str) -> Option<(f64, f64)> {
        self.sums.get(name).copied()
    }

    /// The mismatched pairs.
    fn pairs(&self) -> Option<KlSums> {
        let ((sum, count), (squares, _)) = (self.sum("kl/raw")?, self.sum("kl/squares")?);
        Some(KlSums {
            sum,
            squares,
            count,
        })
    }

    /// All means by name, those that follow from others included.
    pub fn means(&self) -> BTreeMap<&'static str, f64> {
        let names = self.sums.keys().copied().chain(DERIVED);
        names
            .filter(|name| !name.ends_with("squares"))
            .filter_map(|name| Some((name, self.get(name)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_pooled_not_averaged() {
        let mut metrics = Metrics::default();
        metrics.add("rewards/chosen", 4.0, 4.0);
        metrics.add("rewards/chosen", 10.0, 1.0);
        assert_eq!(metrics.get("rewards/chosen"), Some(14.0 / 5.0));
        assert_eq!(metrics.get("rewards/margins"), None, "one class is missing");
        metrics.add("rewards/rejected", 0.0, 0.0);
        assert_eq!(metrics.get("rewards/rejected"), None, "nothing was counted");
        metrics.add("rewards/rejected", 1.0, 2.0);
        assert_eq!(metrics.get("rewards/margins"), Some(2.8 - 0.5));
        assert_eq!(metrics.means().len(), 3);
    }
}
