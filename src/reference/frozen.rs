//! A frozen copy of a model.

use super::{Reference, TokenReference};
use crate::error::Error;
use crate::model::CausalLm;
use crate::sequence::Sequences;
use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Tensor};

/// A copy of a model as it is now, that nothing can train.
///
/// A plain clone is a trap: it keeps the parameters' ids, so when clone and policy sit in one
/// module the optimizer hands the policy's gradient to whichever comes first, and trains the
/// *reference*, silently. `Frozen` is off the autodiff device, and as a module it shows no
/// parameter to visitors, optimizers or records, yet moves with its parent.
///
/// The weights are shared with the policy until an optimizer step gives the policy new ones.
#[derive(Clone, Debug)]
pub struct Frozen<M>(M);

impl<M: Module> Frozen<M> {
    /// Freezes a copy of `model`; the original stays trainable.
    pub fn new(model: &M) -> Self {
        Self(model.valid())
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.0
    }
}

impl<M: CausalLm> Reference<M> for Frozen<M> {
    fn check(&self, _policy: &M, sequences: &Sequences) -> Result<(), Error> {
        self.0.check(sequences)
    }

    fn log_probs(&self, _policy: &M, sequences: &Sequences) -> Tensor<1> {
        let log_probs = self.0.log_probs(&sequences.without_autodiff());
        log_probs.without_autodiff()
    }
}

impl<M: CausalLm> TokenReference<M> for Frozen<M> {
    fn token_log_probs(&self, _policy: &M, sequences: &Sequences) -> Tensor<2> {
        let log_probs = self.0.token_log_probs(&sequences.without_autodiff());
        log_probs.without_autodiff()
    }
}

impl<M: Module> Module for Frozen<M> {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.fork(&device.clone().inner()))
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.to_device(&device.clone().inner()))
    }

    fn visit<V: ModuleVisitor>(&self, _visitor: &mut V) {}

    fn map<T: ModuleMapper>(self, _mapper: &mut T) -> Self {
        self
    }

    fn valid(&self) -> Self {
        self.clone()
    }

    fn train(self) -> Self {
        self
    }

    fn materialize(self) -> Self {
        Self(self.0.materialize())
    }
}

impl<M: Module> ModuleDisplayDefault for Frozen<M> {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_single(&"frozen".to_string()).optional()
    }
}

impl<M: Module> ModuleDisplay for Frozen<M> {}
