//! The policy without its adapters.

use super::{Reference, TokenReference};
use crate::error::Error;
use crate::model::CausalLm;
use crate::sequence::Sequences;
use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// The policy with its LoRA adapters switched off: the model that they were attached to, without a
/// second copy.
///
/// For policies made with burn's `Module::apply_lora`, of which nothing but the adapter was
/// trained, from its beginning: what the adapter was attached to is then what the policy was before
/// alignment.
///
/// Not after SFT of the same adapter: the model without it is the one before SFT, and the policy
/// would be pulled back to that. Use [`Frozen::new`](super::Frozen::new) of the adapted policy
/// there; it shares the tensors of the base, which are not trained, and holds no more than the
/// adapter as it was. On a policy without adapters it would be the policy itself, a reference that
/// follows it, and panics: use [`Frozen`](super::Frozen) there too.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdapterOff;

impl<M: CausalLm> Reference<M> for AdapterOff {
    fn check(&self, policy: &M, _sequences: &Sequences) -> Result<(), Error> {
        let mut adapters = Adapters::default();
        policy.visit(&mut adapters);
        match adapters.found {
            true => Ok(()),
            false => Err(Error::Usage {
                message: NO_ADAPTER.into(),
            }),
        }
    }

    /// # Panics
    ///
    /// If the policy has no adapter.
    fn log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<1> {
        let log_probs = base(policy).log_probs(&sequences.without_autodiff());
        log_probs.without_autodiff()
    }
}

impl<M: CausalLm> TokenReference<M> for AdapterOff {
    /// # Panics
    ///
    /// If the policy has no adapter.
    fn token_log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<2> {
        let log_probs = base(policy).token_log_probs(&sequences.without_autodiff());
        log_probs.without_autodiff()
    }
}

const NO_ADAPTER: &str =
    "AdapterOff needs a policy with LoRA adapters, got none; use Frozen::new(&policy)";

/// The container that burn enters around the state of an adapted parameter.
const ADAPTED: &str = "Reparameterization";

/// The policy without its adapters.
fn base<M: CausalLm>(policy: &M) -> M {
    let mut off = SwitchOff::default();
    let base = policy.valid().map(&mut off);
    assert!(off.switched > 0, "{NO_ADAPTER}");
    base
}

/// Zeroes the factors of adapters, so that their product vanishes.
#[derive(Default)]
struct SwitchOff {
    depth: usize,
    switched: usize,
}

impl ModuleMapper for SwitchOff {
    fn enter_module(&mut self, _name: &str, container: &str) {
        if container == ADAPTED || self.depth > 0 {
            self.depth += 1;
        }
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.depth == 0 {
            return param;
        }
        self.switched += 1;
        param.map(|tensor| tensor.zeros_like())
    }
}

/// Whether there are adapters.
#[derive(Default)]
struct Adapters {
    found: bool,
}

impl ModuleVisitor for Adapters {
    fn enter_module(&mut self, _name: &str, container: &str) {
        self.found |= container == ADAPTED;
    }
}
