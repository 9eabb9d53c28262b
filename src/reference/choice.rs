//! A reference from a setting.

use super::{Cached, Frozen, Moving, MovingConfig, Reference, ReferenceFree, TokenReference};
use crate::error::Error;
use crate::model::CausalLm;
use crate::sequence::Sequences;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which reference a run has, as a setting: `{ name = "moving", mix = 0.6, every = 512 }`.
///
/// ```
/// use burn_kto::reference::ReferenceChoice;
/// let json = r#"{"name": "moving", "every": 64}"#;
/// let choice: ReferenceChoice = serde_json::from_str(json).unwrap();
/// let ReferenceChoice::Moving(config) = &choice else { panic!("{choice:?}") };
/// assert_eq!((config.mix, config.every), (0.6, 64));
/// let wrong = serde_json::from_str::<ReferenceChoice>(r#"{"name": "frozen", "every": 64}"#);
/// assert_eq!(wrong.unwrap_err().to_string(), "every is for moving, not for frozen");
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Named", into = "Named")]
pub enum ReferenceChoice {
    /// [`Frozen`]: the policy as it came.
    #[default]
    Frozen,
    /// [`Cached`]: the same, remembering every sequence.
    Cached,
    /// [`ReferenceFree`]: none.
    Free,
    /// [`Moving`]: TR-DPO.
    Moving(MovingConfig),
}

/// Its form in a file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: Name,
    mix: Option<f64>,
    every: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    #[default]
    Frozen,
    Cached,
    Free,
    Moving,
}

impl TryFrom<Named> for ReferenceChoice {
    type Error = String;

    fn try_from(Named { name, mix, every }: Named) -> Result<Self, String> {
        let plain = |choice: Self| match (mix, every) {
            (None, None) => Ok(choice),
            (Some(_), _) => Err(format!("mix is for moving, not for {}", choice.name())),
            _ => Err(format!("every is for moving, not for {}", choice.name())),
        };
        match name {
            Name::Frozen => plain(Self::Frozen),
            Name::Cached => plain(Self::Cached),
            Name::Free => plain(Self::Free),
            Name::Moving => {
                let mut config = MovingConfig::new();
                config.mix = mix.unwrap_or(config.mix);
                config.every = every.unwrap_or(config.every);
                Ok(Self::Moving(config))
            }
        }
    }
}

impl From<ReferenceChoice> for Named {
    fn from(choice: ReferenceChoice) -> Self {
        let plain = |name| Self {
            name,
            ..Self::default()
        };
        match choice {
            ReferenceChoice::Frozen => plain(Name::Frozen),
            ReferenceChoice::Cached => plain(Name::Cached),
            ReferenceChoice::Free => plain(Name::Free),
            ReferenceChoice::Moving(MovingConfig { mix, every }) => Self {
                name: Name::Moving,
                mix: Some(mix),
                every: Some(every),
            },
        }
    }
}

impl ReferenceChoice {
    /// Its name in a file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Cached => "cached",
            Self::Free => "free",
            Self::Moving(_) => "moving",
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// The errors of [`MovingConfig::validate`].
    pub fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Moving(config) => config.validate(),
            _ => Ok(()),
        }
    }

    /// The reference, of the policy as it is now. Whether there is one is a matter of type, since
    /// z0 has another meaning where there is none.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn build<M: CausalLm>(&self, policy: &M) -> ChosenReference<M> {
        match self {
            Self::Frozen => ChosenReference::Model(ReferenceModel::Frozen(Frozen::new(policy))),
            Self::Cached => ChosenReference::Model(ReferenceModel::Cached(Cached::new(policy))),
            Self::Moving(config) => {
                ChosenReference::Model(ReferenceModel::Moving(config.init(policy)))
            }
            Self::Free => ChosenReference::Free(ReferenceFree),
        }
    }
}

/// What a choice builds.
#[derive(Clone, Debug)]
pub enum ChosenReference<M> {
    /// A reference with a model behind it.
    Model(ReferenceModel<M>),
    /// None.
    Free(ReferenceFree),
}

/// Any reference with a model of its own.
#[derive(Clone, Debug)]
pub enum ReferenceModel<M> {
    /// See [`Frozen`].
    Frozen(Frozen<M>),
    /// See [`Cached`].
    Cached(Cached<M>),
    /// See [`Moving`].
    Moving(Moving<M>),
}

impl<M: CausalLm> Reference<M> for ReferenceModel<M> {
    fn log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<1> {
        match self {
            Self::Frozen(reference) => reference.log_probs(policy, sequences),
            Self::Cached(reference) => reference.log_probs(policy, sequences),
            Self::Moving(reference) => reference.log_probs(policy, sequences),
        }
    }

    fn check(&self, policy: &M, sequences: &Sequences) -> Result<(), Error> {
        match self {
            Self::Frozen(reference) => reference.check(policy, sequences),
            Self::Cached(reference) => reference.check(policy, sequences),
            Self::Moving(reference) => reference.check(policy, sequences),
        }
    }

    fn follow(&self, policy: &M, step: usize) {
        match self {
            Self::Frozen(reference) => reference.follow(policy, step),
            Self::Cached(reference) => reference.follow(policy, step),
            Self::Moving(reference) => reference.follow(policy, step),
        }
    }

    fn identity(&self) -> String {
        match self {
            Self::Frozen(reference) => reference.identity(),
            Self::Cached(reference) => reference.identity(),
            Self::Moving(reference) => reference.identity(),
        }
    }

    fn save(&self, folder: &Path) -> Result<(), Error> {
        match self {
            Self::Frozen(reference) => reference.save(folder),
            Self::Cached(reference) => reference.save(folder),
            Self::Moving(reference) => reference.save(folder),
        }
    }

    fn load(&self, folder: &Path) -> Result<(), Error> {
        match self {
            Self::Frozen(reference) => reference.load(folder),
            Self::Cached(reference) => reference.load(folder),
            Self::Moving(reference) => reference.load(folder),
        }
    }
}

impl<M: CausalLm> TokenReference<M> for ReferenceModel<M> {
    fn token_log_probs(&self, policy: &M, sequences: &Sequences) -> Tensor<2> {
        match self {
            Self::Frozen(reference) => reference.token_log_probs(policy, sequences),
            Self::Cached(reference) => reference.token_log_probs(policy, sequences),
            Self::Moving(reference) => reference.token_log_probs(policy, sequences),
        }
    }
}
