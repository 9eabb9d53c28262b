//! Reward models.

use super::Objective;
use crate::data::PreferenceBatch;
use crate::loss::{Pair, RewardLoss, RewardOutput};
use crate::model::{HiddenStates, RewardModel};

impl<M: HiddenStates, R> Objective<RewardModel<M>, R> for RewardLoss {
    type Batch = PreferenceBatch;
    type Output = RewardOutput;

    /// The reference is not looked at; the pairs' margins are.
    fn evaluate(
        &self,
        model: &RewardModel<M>,
        _reference: &R,
        batch: PreferenceBatch,
    ) -> RewardOutput {
        let rewards = Pair::new(model.rewards(&batch.chosen), model.rewards(&batch.rejected));
        match batch.margins {
            Some(margins) => self.forward_with_margins(rewards, margins),
            None => self.forward(rewards),
        }
    }

    fn weight(&self, batch: &PreferenceBatch) -> f64 {
        batch.chosen.dims()[0] as f64
    }

    fn tokens(&self, batch: &PreferenceBatch) -> usize {
        batch.chosen.num_tokens() + batch.rejected.num_tokens()
    }
}
