//! β-DPO: a β for each batch.

use super::Objective;
use super::forward::forward_objective;
use super::preference::input;
use super::state::{restored, saved};
use crate::data::PreferenceBatch;
use crate::error::Error;
use crate::loss::{DpoLoss, PreferenceInput, PreferenceLoss, PreferenceOutput};
use crate::model::CausalLm;
use crate::reference::Reference;
use crate::train::metrics::Metrics;
use burn::config::Config;
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Configuration of [`BetaDpo`].
#[derive(Config, Debug)]
pub struct BetaDpoConfig {
    /// Strength with which β follows the margins. Not negative; 0 is off.
    #[config(default = 0.6)]
    pub alpha: f64,
    /// Share that the running mean and deviation of the margins keep at each step. In \[0, 1).
    #[config(default = 0.9)]
    pub momentum: f64,
    /// Share of the pairs of a batch that count, the others being taken for outliers. In (0, 1\].
    #[config(default = 0.8)]
    pub keep: f64,
    /// β never falls below this. Positive.
    #[config(default = 1e-3)]
    pub min_beta: f64,
    /// Seed of the choice of pairs.
    #[config(default = 42)]
    pub seed: u64,
}

impl BetaDpoConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        let ok = self.alpha >= 0.0 && self.alpha.is_finite();
        Error::check(ok, "alpha", "must be finite and not negative", self.alpha)?;
        let ok = (0.0..1.0).contains(&self.momentum);
        Error::check(ok, "momentum", "must be in [0, 1)", self.momentum)?;
        let ok = self.keep > 0.0 && self.keep <= 1.0;
        Error::check(ok, "keep", "must be in (0, 1]", self.keep)?;
        let ok = self.min_beta > 0.0 && self.min_beta.is_finite();
        Error::check(ok, "min_beta", "must be positive and finite", self.min_beta)
    }

    /// Puts it around a loss of the DPO family, whose β is β0.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate); or if the loss sorts a batch (`Aot`,
    /// `AotUnpaired`), so that no pair can be left out.
    pub fn init(&self, loss: DpoLoss) -> BetaDpo {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        assert!(
            !loss.config().variant.sorts(),
            "Aot and AotUnpaired sort a batch: β-DPO cannot leave pairs out of it"
        );
        BetaDpo {
            config: self.clone(),
            loss,
            state: RunningMargin::default(),
        }
    }
}

/// What it carries from step to step: the running margin, and the number of steps.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct RunningMargin {
    margin: Option<Margin>,
    step: u64,
}

/// Mean and deviation of the margins of pairs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Margin {
    mean: f64,
    deviation: f64,
}

/// β-DPO: β grows with the margin of a batch, and pairs of unusual margin are left out.
///
/// ```text
/// M_i = c − d of pair i                        the difference of its log-ratios
/// M0, σ ← m·(M0, σ) + (1 − m)·(mean, deviation of the batch's M_i)
/// keep a share of the pairs, drawn without replacement in proportion to exp(−(M_i − M0)²/(2σ²))
/// β = max(β_min, β0·(1 + α·(mean M of the kept − M0)))
/// ```
///
/// as in the authors' code; there M0 and σ begin at 0, here with the first batch. The loss is the
/// mean over the kept pairs. Rewards are reported with β0, so that they can be compared across
/// steps. Statistics are those of a micro-batch.
///
/// # References
///
/// Wu et al., *β-DPO: Direct Preference Optimization with Dynamic β*, arXiv:2407.08639.
#[derive(Clone, Debug)]
pub struct BetaDpo {
    config: BetaDpoConfig,
    loss: DpoLoss,
    state: RunningMargin,
}

impl BetaDpo {
    /// The loss of some pairs. Reads their margins back from the device.
    ///
    /// # Panics
    ///
    /// If the shapes do not agree, or there is no pair.
    pub fn compute(&self, input: PreferenceInput) -> PreferenceOutput {
        let input = input.checked();
        let margins = margins(&input);
        if margins.iter().any(|margin| !margin.is_finite()) {
            // No statistics of these; the loss shows what is wrong.
            return self.loss.compute(input);
        }
        let running = self.moved(&margins);
        let kept = self.choose(&margins, running);
        let of_kept = kept.iter().map(|&i| margins[i]).sum::<f64>() / kept.len() as f64;
        let beta = self.loss.config().beta;
        let moving =
            (beta * (1.0 + self.config.alpha * (of_kept - running.mean))).max(self.config.min_beta);
        let mut weights = vec![0.0; margins.len()];
        for &i in &kept {
            weights[i] = margins.len() as f64 / kept.len() as f64;
        }
        let shape = [weights.len()];
        let like = input.policy.chosen.clone().without_autodiff();
        let weights = TensorData::new(weights, shape);
        let weights = Tensor::<1>::from_data(weights, (&like.device(), like.dtype()));
        let weights = match &input.weights {
            Some(given) => given.clone() * weights,
            None => weights,
        };
        let mut output = self
            .loss
            .with_beta(moving)
            .compute(input.with_weights(Some(weights)));
        output.chosen_rewards = output.chosen_rewards * (beta / moving);
        output.rejected_rewards = output.rejected_rewards * (beta / moving);
        output
    }

    /// The running margin, moved by these.
    fn moved(&self, margins: &[f64]) -> Margin {
        let n = margins.len() as f64;
        let mean = margins.iter().sum::<f64>() / n;
        let squares: f64 = margins.iter().map(|m| (m - mean).powi(2)).sum();
        let deviation = (squares / (n - 1.0).max(1.0)).sqrt();
        self.mix(Margin { mean, deviation })
    }

    fn mix(&self, batch: Margin) -> Margin {
        let m = self.config.momentum;
        let before = self.state.margin.unwrap_or(batch);
        Margin {
            mean: m * before.mean + (1.0 - m) * batch.mean,
            deviation: m * before.deviation + (1.0 - m) * batch.deviation,
        }
    }

    /// Indices of the pairs that count, in order; at least one.
    fn choose(&self, margins: &[f64], running: Margin) -> Vec<usize> {
        // As the authors round: down; the tiny addition keeps 0.8 · 5 from being 3.
        let number = (margins.len() as f64 * self.config.keep + 1e-9)
            .floor()
            .max(1.0) as usize;
        // Of the margins as well, so that the micro-batches of a step do not all draw the same
        // rows.
        let bits = margins.iter().fold(self.config.seed, |seed, margin| {
            seed.rotate_left(7) ^ margin.to_bits()
        });
        let mut rng = ChaCha8Rng::seed_from_u64(bits);
        rng.set_stream(self.state.step);
        // The smallest of exponential times at these rates are a draw without replacement; as
        // logarithms, since rates underflow.
        let mut times: Vec<(f64, usize)> = margins
            .iter()
            .enumerate()
            .map(|(i, margin)| {
                let z = (margin - running.mean) / running.deviation.max(1e-12);
                let uniform: f64 = rng.random();
                ((-(1.0 - uniform).ln()).ln() + 0.5 * z * z, i)
            })
            .collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut kept: Vec<usize> = times.into_iter().take(number).map(|(_, i)| i).collect();
        kept.sort_unstable();
        kept
    }
}

/// c − d of each pair.
fn margins(input: &PreferenceInput) -> Vec<f64> {
    let values = |tensor: &Tensor<1>| -> Vec<f64> {
        let tensor = tensor.clone().without_autodiff();
        tensor.into_data().iter::<f64>().collect()
    };
    let (policy, reference) = (&input.policy, &input.reference);
    let [a, b, c, d] = [
        &policy.chosen,
        &reference.chosen,
        &policy.rejected,
        &reference.rejected,
    ]
    .map(values);
    (0..a.len())
        .map(|i| (a[i] - b[i]) - (c[i] - d[i]))
        .collect()
}

impl<M: CausalLm, R: Reference<M>> Objective<M, R> for BetaDpo {
    type Batch = PreferenceBatch;
    type Output = PreferenceOutput;

    fn evaluate(&self, policy: &M, reference: &R, batch: PreferenceBatch) -> PreferenceOutput {
        self.compute(input(true, policy, reference, batch))
    }

    fn observe(&mut self, metrics: &Metrics) {
        self.state.step += 1;
        let beta = self.loss.config().beta;
        let margins = metrics.spread("rewards/margins");
        if let Some((margins, mean)) = margins.and_then(|m| Some((m, m.estimate(false)?))) {
            let deviation = mean.standard_error.unwrap_or(0.0) * margins.count.sqrt();
            self.state.margin = Some(self.mix(Margin {
                mean: mean.raw / beta,
                deviation: deviation / beta,
            }));
        }
    }

    fn settings(&self) -> Vec<(&'static str, f64)> {
        let Margin { mean, deviation } = self.state.margin.unwrap_or_default();
        vec![("beta_dpo/margin", mean), ("beta_dpo/deviation", deviation)]
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }

    fn state(&self) -> Value {
        saved(self.state)
    }

    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        self.state = restored(state)?;
        Ok(())
    }

    forward_objective! {
        this => (&this.loss, &mut this.loss),
        except evaluate observe settings identity state restore
    }
}
