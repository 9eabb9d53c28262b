//! What a run works on.

use crate::data::Batcher;
use crate::error::Error;
use crate::reference::Reference;
use crate::train::objective::{Fingerprint, Objective, agree};
use crate::train::run::checkpoint::{Checkpoint, Position};
use crate::train::run::draws;
use crate::train::run::identity::Identity;
use crate::train::run::optimizer::Optimizer;
use crate::train::run::setup::Setup;
use burn::module::Module;
use burn::tensor::Device;

/// Rows by which models are told apart.
const PROBE: usize = 8;

/// What a run trains on and with.
pub(super) struct Work<'a, R, L, B: Batcher> {
    pub(super) reference: &'a R,
    pub(super) objective: &'a mut L,
    pub(super) batcher: &'a B,
    pub(super) train: &'a [B::Example],
    pub(super) held_out: &'a [B::Example],
}

impl<R, L, B: Batcher> Work<'_, R, L, B> {
    /// A few rows from all over the data by which models are told apart, whatever the sampler
    /// chooses. None where nobody asks for them, and where they cannot be evaluated by themselves:
    /// a step says why, if it is wrong.
    pub(super) fn probe<M>(&self, setup: &Setup, policy: &M, device: &Device) -> Vec<B::Batch>
    where
        R: Reference<M>,
        L: Objective<M, R, Batch = B::Batch>,
    {
        let is_relative = !R::FREE && self.objective.relative_rewards();
        if setup.output.is_none() && !is_relative {
            return Vec::new();
        }
        let (all, some) = (self.train.len(), self.train.len().min(PROBE));
        let indices: Vec<usize> = (0..some).map(|i| i * all / some).collect();
        let (size, seed) = (setup.config.micro_batch_size, setup.config.seed);
        let mut rng = draws::of_step(seed, 0);
        let batcher = self.batcher;
        let window = batcher.window(self.train, &indices, size, &mut rng, device);
        let window = window.unwrap_or_default();
        let fits = |batch| {
            let checked = self.objective.check(policy, self.reference, batch);
            checked.is_ok()
        };
        match window.iter().all(fits) {
            true => window,
            false => Vec::new(),
        }
    }

    /// What the models say of these rows.
    pub(super) fn fingerprint<M>(&self, policy: &M, probe: &[B::Batch]) -> Fingerprint
    where
        L: Objective<M, R, Batch = B::Batch>,
    {
        let mut all = Fingerprint::default();
        for batch in probe {
            let one = self.objective.fingerprint(policy, self.reference, batch);
            all.policy.extend(one.policy);
            all.reference.extend(one.reference);
        }
        all
    }

    /// Refuses batches that cannot be evaluated.
    pub(super) fn check<M>(&self, step: usize, policy: &M, window: &[B::Batch]) -> Result<(), Error>
    where
        L: Objective<M, R, Batch = B::Batch>,
    {
        let failed = |message| Error::Training { step, message };
        if window.is_empty() {
            return Err(failed("the batcher made no batch of its examples".into()));
        }
        window.iter().try_for_each(|batch| {
            let checked = self.objective.check(policy, self.reference, batch);
            checked.map_err(|error| failed(error.to_string()))
        })
    }

    /// The place to start from: the checkpoint if there is one, which objective and reference then
    /// go on from too.
    pub(super) fn position<M>(
        &mut self,
        setup: &Setup,
        checkpoint: Option<&Checkpoint>,
        identity: &mut Identity,
        probe: &[B::Batch],
        policy: M,
    ) -> Result<Position<M>, Error>
    where
        M: Module,
        R: Reference<M>,
        L: Objective<M, R, Batch = B::Batch>,
    {
        if let Some(checkpoint) = checkpoint
            && let Some(resumed) = checkpoint.load(identity, policy.clone(), &setup.config)?
        {
            // The policy that was given is the one that the run began with, or that it left.
            let given = &identity.start.models.policy;
            let left = || self.fingerprint(&resumed.position.policy, probe).policy;
            if !agree(given, &resumed.start.models.policy) && !agree(given, &left()) {
                return Err(Error::Checkpoint {
                    path: resumed.folder.clone(),
                    message: "belongs to another run: it began with other weights of the policy"
                        .into(),
                });
            }
            // The run began when it began, whatever it goes on with.
            if !resumed.start.models.policy.is_empty() {
                identity.start = resumed.start;
            }
            // Only now: what is refused leaves objective and reference as they were.
            let restored = self.objective.restore(&resumed.objective);
            restored.map_err(|error| Error::Checkpoint {
                path: resumed.folder.clone(),
                message: error.to_string(),
            })?;
            self.reference.load(&resumed.folder)?;
            return Ok(resumed.position);
        }
        Ok(Position {
            optimizer: Optimizer::new(&setup.config.optimizer, &policy),
            policy,
            step: 0,
            evaluation_due: true,
            from: None,
            warning: checkpoint.map(|checkpoint| {
                let folder = checkpoint.folder().display();
                format!("{folder} is not there: the run begins at its first step")
            }),
        })
    }
}
