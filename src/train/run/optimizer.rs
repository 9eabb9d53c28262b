//! AdamW with decay groups and clipping by the global norm.

use crate::disk;
use crate::error::Error;
use crate::math::upcast;
use burn::config::Config;
use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use std::path::Path;

/// Which parameters decay.
#[derive(Config, Debug, PartialEq, Eq, Copy)]
pub enum DecayGroup {
    /// Matrices only: norms and biases are left alone, as is usual for transformers.
    Matrices,
    /// Every parameter.
    All,
}

/// Configuration of [`Optimizer`].
#[derive(Config, Debug)]
pub struct OptimizerConfig {
    /// Decay of the first moment, in \[0, 1).
    #[config(default = 0.9)]
    pub beta_1: f64,
    /// Decay of the second moment, in \[0, 1).
    #[config(default = 0.999)]
    pub beta_2: f64,
    /// Added to the root of the second moment. 1e-8 as in PyTorch; burn's own default is 1e-5.
    #[config(default = 1e-8)]
    pub epsilon: f64,
    /// Decoupled weight decay, times the learning rate.
    #[config(default = 0.01)]
    pub weight_decay: f64,
    /// Which parameters decay.
    #[config(default = "DecayGroup::Matrices")]
    pub decay: DecayGroup,
    /// Scale the gradient so that the norm over all parameters is at most this; `None` does not.
    #[config(default = "Some(1.0)")]
    pub max_grad_norm: Option<f64>,
}

impl OptimizerConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        for (field, beta) in [("beta_1", self.beta_1), ("beta_2", self.beta_2)] {
            Error::check((0.0..1.0).contains(&beta), field, "must be in [0, 1)", beta)?;
        }
        let ok = self.epsilon > 0.0 && self.epsilon.is_finite();
        Error::check(ok, "epsilon", "must be positive and finite", self.epsilon)?;
        let decay = self.weight_decay;
        let ok = decay >= 0.0 && decay.is_finite();
        Error::check(ok, "weight_decay", "must be finite and not negative", decay)?;
        let norm = self.max_grad_norm.unwrap_or(1.0);
        Error::check(norm > 0.0, "max_grad_norm", "must be positive", norm)
    }
}

/// AdamW over a whole module, with decay groups and clipping by the global norm; burn clips each
/// parameter by itself.
pub struct Optimizer {
    inner: ModuleOptimizer,
    max_grad_norm: Option<f64>,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimizer")
            .field("max_grad_norm", &self.max_grad_norm)
            .finish_non_exhaustive()
    }
}

impl Optimizer {
    /// An optimizer of the parameters of `module`.
    ///
    /// # Panics
    ///
    /// With the text of [`OptimizerConfig::validate`].
    pub fn new<M: Module>(config: &OptimizerConfig, module: &M) -> Self {
        config.validate().unwrap_or_else(|error| panic!("{error}"));
        let adamw = AdamWConfig::new()
            .with_beta_1(config.beta_1 as f32)
            .with_beta_2(config.beta_2 as f32)
            .with_epsilon(config.epsilon as f32)
            .with_weight_decay(config.weight_decay as f32);
        let mut inner = ModuleOptimizer::from(adamw.build());
        if config.decay == DecayGroup::Matrices {
            let spared = ParamGroup::from_ids(vectors(module));
            let without_decay = adamw.with_weight_decay(0.0).build();
            inner = inner.with_group(spared, without_decay, None);
        }
        Self {
            inner,
            max_grad_norm: config.max_grad_norm,
        }
    }

    /// One step. Returns the module and the norm of the gradient before clipping.
    ///
    /// Nothing is changed where that norm is not finite.
    pub fn step<M: Module>(
        &mut self,
        learning_rate: f64,
        module: M,
        mut grads: GradientsParams,
    ) -> (M, f64) {
        let norm = global_norm(&module, &grads);
        if !norm.is_finite() {
            return (module, norm);
        }
        if let Some(max) = self.max_grad_norm.filter(|&max| norm > max) {
            // The small term is PyTorch's, which guards the division.
            let factor = max / (norm + 1e-6);
            module.visit(&mut Scale {
                factor,
                grads: &mut grads,
            });
        }
        (self.inner.step(learning_rate, module, grads), norm)
    }

    pub(in crate::train) fn save(&self, path: &Path) -> Result<(), Error> {
        let saved = self.inner.save(path);
        saved.map_err(|error| checkpoint_error(path, error))
    }

    pub(in crate::train) fn load(self, path: &Path) -> Result<Self, Error> {
        let inner = self.inner.from_bytes(disk::bytes(path)?);
        Ok(Self {
            inner: inner.map_err(|error| checkpoint_error(path, error))?,
            ..self
        })
    }
}

fn checkpoint_error(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Checkpoint {
        path: path.into(),
        message: error.to_string(),
    }
}

/// Ids of the parameters that are not matrices.
fn vectors<M: Module>(module: &M) -> Vec<ParamId> {
    struct Vectors(Vec<ParamId>);
    impl ModuleVisitor for Vectors {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if D < 2 {
                self.0.push(param.id);
            }
        }
    }
    let mut visitor = Vectors(Vec::new());
    module.visit(&mut visitor);
    visitor.0
}

/// Norm over the gradients of all parameters, read from the device once.
fn global_norm<M: Module>(module: &M, grads: &GradientsParams) -> f64 {
    struct Squares<'a> {
        grads: &'a GradientsParams,
        /// Largest entry and the sum of squares in its units: squared as they are, entries beyond
        /// 1.8e19 overflow in f32.
        parts: Vec<Tensor<1>>,
    }
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.get::<D>(param.id) {
                let grad = upcast(grad);
                let largest = grad.clone().abs().max();
                let scale = largest.clone().clamp_min(f64::from(f32::MIN_POSITIVE));
                let scaled = grad * scale.clone().recip().reshape([1; D]);
                self.parts.extend([scale, scaled.square().sum()]);
            }
        }
    }
    let mut visitor = Squares {
        grads,
        parts: Vec::new(),
    };
    module.visit(&mut visitor);
    if visitor.parts.is_empty() {
        return 0.0;
    }
    let parts = Tensor::cat(visitor.parts, 0).into_data();
    let parts: Vec<f64> = parts.iter::<f64>().collect();
    let squares = parts.chunks(2).map(|part| part[0] * part[0] * part[1]);
    squares.sum::<f64>().sqrt()
}

struct Scale<'a> {
    factor: f64,
    grads: &'a mut GradientsParams,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, grad * self.factor);
        }
    }
}
