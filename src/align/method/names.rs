//! Names of what the losses' configurations choose from, as they stand in a file.

use crate::align::refusal::{spelled, unused};
use crate::error::Error;
use crate::loss::{BcoShift, FDivergence, KtoValue};
use serde::{Deserialize, Serialize};

/// The names of [`KtoValue`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "KtoValue", rename_all = "kebab-case")]
pub(super) enum Value {
    Kahneman,
    Concave,
    Linear,
}

/// The names of [`BcoShift`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "BcoShift", rename_all = "kebab-case")]
pub(super) enum Shift {
    ClassMeans,
    Pooled,
}

/// Which [`FDivergence`] from the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Divergence {
    /// [`FDivergence::ReverseKl`].
    #[default]
    ReverseKl,
    /// [`FDivergence::ForwardKl`].
    ForwardKl,
    /// [`FDivergence::JsDivergence`].
    Js,
    /// [`FDivergence::AlphaDivergence`], with `divergence_alpha`.
    Alpha,
}

impl Divergence {
    /// With its α, 0.5 where none is given.
    pub(super) fn with(self, alpha: Option<f64>) -> Result<FDivergence, Error> {
        let of = "divergence = \"alpha\"";
        if self != Self::Alpha {
            unused(alpha, "method.divergence_alpha", of, &spelled(&self))?;
        }
        Ok(match self {
            Self::ReverseKl => FDivergence::ReverseKl,
            Self::ForwardKl => FDivergence::ForwardKl,
            Self::Js => FDivergence::JsDivergence,
            Self::Alpha => FDivergence::AlphaDivergence {
                alpha: alpha.unwrap_or(0.5),
            },
        })
    }
}
