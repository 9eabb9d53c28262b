//! Reward models.

use super::{Fingerprint, Objective};
use crate::data::PreferenceBatch;
use crate::error::Error;
use crate::loss::{Pair, RewardLoss, RewardOutput};
use crate::model::{HiddenStates, RewardModel};
use crate::reference::ReferenceFree;

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
        self.run(rewards, batch.margins, batch.weights)
    }

    fn check(
        &self,
        model: &RewardModel<M>,
        _reference: &R,
        batch: &PreferenceBatch,
    ) -> Result<(), Error> {
        for sequences in [&batch.chosen, &batch.rejected] {
            model.backbone.check_hidden(sequences)?;
            if let Some(row) = sequences.rows().iter().position(Vec::is_empty) {
                let message = format!("row {row} has no token, so there is nothing to reward");
                return Err(Error::Usage { message });
            }
        }
        Ok(())
    }

    fn fingerprint(
        &self,
        model: &RewardModel<M>,
        _reference: &R,
        batch: &PreferenceBatch,
    ) -> Fingerprint {
        // The head begins at 0 and would tell nothing.
        Fingerprint::of(&model.backbone, None::<&ReferenceFree>, &batch.chosen)
    }

    fn weight(&self, batch: &PreferenceBatch) -> f64 {
        batch.pairs() as f64
    }

    fn tokens(&self, batch: &PreferenceBatch) -> usize {
        batch.num_tokens()
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }
}
