//! A reference that follows the policy.

use super::{Frozen, Reference, TokenReference};
use crate::error::Error;
use crate::model::CausalLm;
use crate::sequence::Sequences;
use burn::config::Config;
use burn::module::{ModuleMapper, ModuleVisitor, Param, ParamId, list_param_ids};
use burn::tensor::Tensor;
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Configuration of [`Moving`].
#[derive(Config, Debug)]
pub struct MovingConfig {
    /// α: what the policy counts in the new reference. In (0, 1\]; 1 replaces it.
    #[config(default = 0.6)]
    pub mix: f64,
    /// Every how many optimizer steps. Positive.
    #[config(default = 512)]
    pub every: usize,
}

const NOT_ITS_OWN: &str = "Moving has to be made of the policy that it follows: no parameter of \
                           the reference is one of the policy's";

impl MovingConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        let ok = self.mix > 0.0 && self.mix <= 1.0;
        Error::check(ok, "mix", "must be in (0, 1]", self.mix)?;
        Error::check(self.every > 0, "every", "must be positive", self.every)
    }

    /// Freezes a copy of `model`, which then follows.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init<M: CausalLm>(&self, model: &M) -> Moving<M> {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        Moving {
            config: self.clone(),
            model: Arc::new(Mutex::new(Frozen::new(model))),
        }
    }
}

/// TR-DPO: after every so many optimizer steps, π_ref ← α·π + (1 − α)·π_ref.
///
/// | α | every | name |
/// |---|---|---|
/// | 0.6 | 512 | soft update (TR-DPO, and TRL's default) |
/// | 1 | 512 | hard update |
/// | 1 | 1 | what HALOs does with [`Humanline`](crate::loss::Humanline), there one step late |
///
/// Make it of the policy itself, before training: the two are matched by their parameters' ids.
///
/// The trainer calls [`follow`](Reference::follow) after each step and keeps the reference in
/// checkpoints; in a loop of your own, call it yourself. Clones share the model.
///
/// # References
///
/// Gorbatovski et al., *Learn Your Reference Model for Real Good Alignment*, arXiv:2404.09656, Eq.
/// 3 and 4.
#[derive(Clone, Debug)]
pub struct Moving<M> {
    config: MovingConfig,
    model: Arc<Mutex<Frozen<M>>>,
}

impl<M: CausalLm> Moving<M> {
    /// The reference as it is now.
    pub fn frozen(&self) -> Frozen<M> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Frozen<M>> {
        // The model is replaced as a whole, so it is never half-written.
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: CausalLm> Reference<M> for Moving<M> {
    fn log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<1> {
        self.frozen().log_probs(policy, sequences)
    }

    fn check(&self, policy: &M, sequences: &Sequences) -> Result<(), Error> {
        self.frozen().check(policy, sequences)?;
        let ids = |model: &M| list_param_ids(model).into_iter().collect::<HashSet<_>>();
        match ids(policy).is_disjoint(&ids(self.lock().model())) {
            true => Err(Error::Usage {
                message: NOT_ITS_OWN.into(),
            }),
            false => Ok(()),
        }
    }

    /// # Panics
    ///
    /// If the policy is another model than the one this was made of.
    fn follow(&self, policy: &M, step: usize) {
        if !step.is_multiple_of(self.config.every) {
            return;
        }
        let mut weights = Collect::default();
        policy.valid().visit(&mut weights);
        let mut model = self.lock();
        let mut mix = Mix {
            weights: weights.0,
            mix: self.config.mix,
            met: 0,
        };
        let mixed = model.model().clone().map(&mut mix);
        assert!(mix.met > 0, "{NOT_ITS_OWN}");
        *model = Frozen::new(&mixed);
    }

    fn identity(&self) -> String {
        format!("{:?}", self.config)
    }

    #[cfg(feature = "train")]
    fn save(&self, folder: &std::path::Path) -> Result<(), Error> {
        let path = folder.join("reference.bpk");
        let record = self.lock().model().clone().into_record();
        record.save(&path).map_err(|error| Error::Checkpoint {
            path,
            message: error.to_string(),
        })
    }

    #[cfg(feature = "train")]
    fn load(&self, folder: &std::path::Path) -> Result<(), Error> {
        let path = folder.join("reference.bpk");
        let failed = |message: String| Error::Checkpoint {
            path: path.clone(),
            message,
        };
        let bytes = crate::disk::bytes(&path)?;
        let record = burn::store::ModuleRecord::from_bytes(bytes);
        let record = record.map_err(|error| failed(error.to_string()))?;
        let mut model = self.lock();
        let loaded = model.model().clone().try_load_record(record);
        *model = Frozen::new(&loaded.map_err(|error| failed(error.to_string()))?);
        Ok(())
    }
}

impl<M: CausalLm> TokenReference<M> for Moving<M> {
    fn token_log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<2> {
        self.frozen().token_log_probs(policy, sequences)
    }
}

/// The floats of a model by id: a frozen copy has the same ids.
#[derive(Default)]
struct Collect(HashMap<ParamId, Box<dyn Any>>);

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id, Box::new(param.val()));
    }
}

struct Mix {
    weights: HashMap<ParamId, Box<dyn Any>>,
    mix: f64,
    /// Parameters found in both.
    met: usize,
}

impl ModuleMapper for Mix {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let weight = self.weights.get(&param.id);
        let Some(new) = weight.and_then(|w| w.downcast_ref::<Tensor<D>>()) else {
            return param;
        };
        self.met += 1;
        let (new, mix) = (new.clone(), self.mix);
        param.map(|old| {
            let new = new.without_autodiff().cast(old.dtype());
            if mix == 1.0 {
                return new;
            }
            new * mix + old * (1.0 - mix)
        })
    }
}
