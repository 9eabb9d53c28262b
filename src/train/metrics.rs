//! What a run reports, under the names that the field uses.

use crate::kl::KlSums;
use crate::loss::{BinaryOutput, PreferenceOutput, RewardOutput, SftOutput};
use crate::math::indicator;
use burn::tensor::Tensor;
use std::collections::BTreeMap;
use std::fmt;

/// What follows from sums under other names.
const DERIVED: [&str; 4] = ["rewards/margins", "kl/raw", "kl/count", "kl/std_err"];

/// What a loss returns to the trainer.
pub trait LossOutput {
    /// `[1]`, with the graph.
    fn loss(&self) -> Tensor<1>;

    /// Sums and counts, `[1]` each and off the graph, of what else is worth reporting. All of one
    /// dtype.
    fn sums(&self) -> Vec<(&'static str, Tensor<1>, Tensor<1>)>;

    /// Values `[n]` of which the spread is wanted besides the mean; of the dtype of the sums. None
    /// by default.
    fn spreads(&self) -> Vec<(&'static str, Tensor<1>)> {
        Vec::new()
    }

    /// The same where sums over all ranks are known already.
    fn pooled(&self) -> Option<(&'static str, KlSums)> {
        None
    }
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
        if let Some(from) = &self.mismatched {
            let clamped = from.clamped.clone().cast(all.dtype());
            sums.push(("kl/clamped", clamped.clone(), clamped.ones_like()));
        }
        sums
    }

    fn spreads(&self) -> Vec<(&'static str, Tensor<1>)> {
        let own = self.mismatched.iter().filter(|from| from.pooled.is_none());
        let own = own.map(|from| from.log_ratios.clone().cast(self.rewards.dtype()));
        own.map(|ratios| ("kl/raw", ratios)).collect()
    }

    fn pooled(&self) -> Option<(&'static str, KlSums)> {
        Some(("kl/raw", self.mismatched.as_ref()?.pooled?))
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

    fn spreads(&self) -> Vec<(&'static str, Tensor<1>)> {
        let margins = self.chosen_rewards.clone() - self.rejected_rewards.clone();
        vec![("rewards/margins", margins)]
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
    let agreement = (margins.sign() + 1.0) * 0.5;
    vec![
        mean_of("rewards/chosen", chosen),
        mean_of("rewards/rejected", rejected),
        mean_of("rewards/accuracies", &agreement),
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

/// Means, each pooled as Σ over everything divided by the count of everything: averaging the means
/// of batches is wrong as soon as their counts differ.
///
/// All that objectives report, of held-out data too:
///
/// | name | what it is | in | mean over | reported by |
/// |---|---|---|---|---|
/// | `loss` | what is minimized | as the loss; SFT: nats a token | examples, pairs; SFT: scored tokens | all |
/// | `kl` | the z0 that was used; BCO: δ/β | nats, summed over a completion | examples | objectives on thumbs |
/// | `kl/raw` | log π − log π_ref of the mismatched pairs, before the clamp | nats, summed over a completion | mismatched pairs | KTO that estimates z0 |
/// | `kl/std_err` | standard error of `kl/raw` | nats | | KTO that estimates z0, from two pairs on |
/// | `kl/count` | how many mismatched pairs `kl/raw` is the mean of | pairs, summed over the step | | KTO that estimates z0 |
/// | `kl/clamped` | how often the clamp at 0 acted | share | estimates of z0 | KTO that estimates z0 |
/// | `kl/matched_fraction` | mismatched pairs with a completion of their own prompt; 0, or z0 is wrong | share | mismatched pairs | KTO, from batches that a batcher made |
/// | `rewards/chosen` | reward of desirable or chosen completions, see below | β · nats | those completions | objectives on thumbs, on pairs, and reward models |
/// | `rewards/rejected` | reward of undesirable or rejected completions | β · nats | those completions | the same |
/// | `rewards/margins` | `rewards/chosen` − `rewards/rejected`, where both are there | β · nats | | the same |
/// | `rewards/accuracies` | thumbs: reward above β·z0 for up, below for down; pairs: chosen above rejected; ties count half | share | examples, pairs | the same |
/// | `logps/chosen` | log π of desirable or chosen completions | nats, summed over a completion | those completions | objectives on thumbs and on pairs |
/// | `logps/rejected` | log π of undesirable or rejected completions | nats, summed over a completion | those completions | the same |
///
/// A reward is
///
/// | objective | reward |
/// |---|---|
/// | KTO, BCO, DPO, β-DPO, mixtures (β of their first part) | β·(log π − log π_ref), summed over the completion |
/// | SimPO, ORPO | β·log π, averaged over its tokens |
/// | CPO | β·log π as the variant compares it: summed, averaged for IPO, averaged and bent for AlphaPO |
/// | SLiC | log π, summed; there is no β |
/// | `RewardLoss` | the model's score, which has no unit |
/// | `TokenLevel` and `Wpo` | that of the loss inside, of tokens as `TokenLevel` weighs and bounds them |
///
/// Under `TokenLevel<KtoLoss>` `kl/raw` and `logps/*` are of bounded tokens too. Without a
/// reference ([`ReferenceFree`](crate::reference::ReferenceFree)) log π_ref is 0, `kl` is the mean
/// log π of the mismatched pairs, and nothing is clamped.
///
/// What an objective works with at the moment stands beside the metrics of a step, not among them
/// ([`Objective::settings`](super::Objective::settings)):
///
/// | name | what it is | reported by |
/// |---|---|---|
/// | `beta`, `desirable_weight`, `undesirable_weight` | β, λ_D, λ_U of this step | [`Controlled`](super::Controlled) |
/// | `beta_dpo/margin`, `beta_dpo/deviation` | running mean and standard deviation of the log-ratio of the chosen less that of the rejected, in nats, without β | [`BetaDpo`](super::BetaDpo) |
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    sums: BTreeMap<&'static str, (f64, f64)>,
    spreads: BTreeMap<&'static str, KlSums>,
}

impl Metrics {
    /// Adds a sum and the count it is over.
    pub fn add(&mut self, name: &'static str, sum: f64, count: f64) {
        let (total, counts) = self.sums.entry(name).or_default();
        *total += sum;
        *counts += count;
    }

    /// Adds everything that a loss reports, in one read from the device; `weight` is what its batch
    /// counts in the mean loss.
    pub fn add_output(&mut self, output: &impl LossOutput, weight: f64) {
        let loss = output.loss().without_autodiff();
        let sums = output.sums();
        let mut parts = vec![loss];
        for (_, sum, count) in &sums {
            parts.extend([sum.clone(), count.clone()]);
        }
        let spreads = output.spreads();
        parts.extend(spreads.iter().map(|(_, values)| values.clone()));
        let values: Vec<f64> = Tensor::cat(parts, 0).into_data().iter::<f64>().collect();
        self.add("loss", values[0] * weight, weight);
        let (pairs, mut rest) = values[1..].split_at(2 * sums.len());
        for ((name, ..), pair) in sums.iter().zip(pairs.chunks(2)) {
            self.add(name, pair[0], pair[1]);
        }
        for (name, values) in &spreads {
            let (these, others) = rest.split_at(values.dims()[0]);
            self.add_spread(name, KlSums::of(these));
            rest = others;
        }
        if let Some((name, sums)) = output.pooled() {
            self.add_spread(name, sums);
        }
    }

    /// Adds sums with squares, of which the mean is reported under this name unless it is known
    /// otherwise.
    pub fn add_spread(&mut self, name: &'static str, sums: KlSums) {
        let spread = self.spreads.entry(name).or_default();
        *spread = *spread + sums;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Metrics) {
        for (name, (sum, count)) in &other.sums {
            self.add(name, *sum, *count);
        }
        for (name, sums) in &other.spreads {
            self.add_spread(name, *sums);
        }
    }

    /// The mean, if anything was counted.
    pub fn get(&self, name: &str) -> Option<f64> {
        if name == "rewards/margins" {
            return Some(self.get("rewards/chosen")? - self.get("rewards/rejected")?);
        }
        match name {
            "kl/raw" => return Some(self.spread("kl/raw")?.estimate(false)?.raw),
            "kl/count" => return Some(self.spread("kl/raw")?.count),
            "kl/std_err" => return self.spread("kl/raw")?.estimate(false)?.standard_error,
            _ => {}
        }
        let (sum, count) = self.sum(name)?;
        (count > 0.0).then(|| sum / count)
    }

    /// Sum and count of what a mean is made of.
    pub fn sum(&self, name: &str) -> Option<(f64, f64)> {
        self.sums.get(name).copied()
    }

    /// Sum, squares and count, of `kl/raw` and of the `rewards/margins` of pairs.
    pub fn spread(&self, name: &str) -> Option<KlSums> {
        self.spreads.get(name).copied()
    }

    /// What people look at first, on one line: the loss, z0, the margin of the rewards and how
    /// often they are right, as far as they are reported.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// let mut metrics = Metrics::default();
    /// metrics.add("loss", 1.0, 2.0);
    /// metrics.add("rewards/accuracies", 3.0, 4.0);
    /// assert_eq!(metrics.summary(), "loss 0.5000  accuracy 0.7500");
    /// ```
    pub fn summary(&self) -> String {
        let part = |name, label| Some(format!("{label} {:.4}", self.get(name)?));
        let parts = [
            part("loss", "loss"),
            match self.get("kl/raw") {
                Some(_) => self.z0().map(|z0| z0.to_string()),
                // A z0 that is fixed, or BCO's shift of the rewards.
                None => part("kl", "kl"),
            },
            part("rewards/margins", "margin"),
            part("rewards/accuracies", "accuracy"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }

    /// The reference point as a person wants to read it; `None` where there is none.
    pub fn z0(&self) -> Option<Z0> {
        Some(Z0 {
            value: self.get("kl")?,
            mean: self.get("kl/raw"),
            clamped: self.get("kl/clamped").unwrap_or(0.0),
        })
    }

    /// All means by name, those that follow from others included.
    pub fn means(&self) -> BTreeMap<&'static str, f64> {
        let names = self.sums.keys().copied().chain(DERIVED);
        names
            .filter_map(|name| Some((name, self.get(name)?)))
            .collect()
    }
}

/// The reference point z0 of [`Metrics`], and what the clamp at 0 did to it.
///
/// ```
/// use burn_kto::prelude::*;
/// let z0 = |value, mean, clamped| Z0 { value, mean, clamped }.to_string();
/// assert_eq!(z0(1.234, Some(1.234), 0.0), "z0 1.23");
/// assert_eq!(z0(0.0, Some(-1.3), 1.0), "z0 0 (mean -1.3, clamped)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Z0 {
    /// z0, `kl`.
    pub value: f64,
    /// The mean log-ratio before the clamp, `kl/raw`; `None` where z0 has no mismatched pairs.
    pub mean: Option<f64>,
    /// How often the clamp acted, `kl/clamped`, in \[0, 1\].
    pub clamped: f64,
}

impl fmt::Display for Z0 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A policy that still is its reference has a mean of ±0, or of something in the last bits.
        match self.mean {
            Some(mean) if self.clamped > 0.0 && mean.abs() >= 0.005 => {
                let digits = if mean.abs() < 1.0 { 2 } else { 1 };
                if self.value == 0.0 {
                    write!(f, "z0 0 (mean {mean:.digits$}, clamped)")
                } else {
                    let value = self.value;
                    write!(f, "z0 {value:.2} (mean {mean:.digits$}, clamped in part)")
                }
            }
            // + 0.0 takes the sign off a −0.
            _ => write!(f, "z0 {:.2}", (self.value * 100.0).round() / 100.0 + 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z0_says_where_it_is_clamped() {
        let of = |steps: &[(f64, f64)]| {
            let mut metrics = Metrics::default();
            for &(value, raw) in steps {
                metrics.add("kl", value * 4.0, 4.0);
                metrics.add("kl/clamped", f64::from(value > raw), 1.0);
                metrics.add_spread("kl/raw", KlSums::of(&[raw - 1.0, raw + 1.0]));
            }
            metrics.z0().map(|z0| z0.to_string())
        };
        assert_eq!(of(&[]), None, "SFT has no z0");
        assert_eq!(of(&[(1.234, 1.234)]).unwrap(), "z0 1.23");
        let clamped = of(&[(0.0, -1.3)]).unwrap();
        assert_eq!(clamped, "z0 0 (mean -1.3, clamped)");
        let near = of(&[(0.0, -0.04)]).unwrap();
        assert_eq!(near, "z0 0 (mean -0.04, clamped)");
        assert_eq!(of(&[(0.0, -1e-9)]).unwrap(), "z0 0.00", "before training");
        let part = of(&[(1.0, 1.0), (0.0, -2.6)]).unwrap();
        assert_eq!(part, "z0 0.50 (mean -0.80, clamped in part)");
        let free = of(&[(-31.5, -31.5)]).unwrap();
        assert_eq!(free, "z0 -31.50", "the mean of log π is not clamped");
        let mut fixed = Metrics::default();
        fixed.add("kl", 2.0, 4.0);
        assert_eq!(fixed.z0().unwrap().to_string(), "z0 0.50", "no pairs");
    }

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
