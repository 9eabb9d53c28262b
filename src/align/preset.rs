//! Settings that papers report.

use crate::data::nearest;
use crate::error::Error;
use std::fmt;
use std::str::FromStr;
use toml::Table;

/// Settings that papers report, to begin with; learning rates are for models of billions of
/// parameters, small ones take more.
///
/// Each sets all that training depends on, and its file says of each value whether it is the
/// paper's, the default of the paper's code (HALOs), or ours.
///
/// | preset | values | where they come from |
/// |---|---|---|
/// | `sft` | learning rate 2e-5, cosine after 10 % warm-up | Zephyr, arXiv:2310.16944 §4; batch, epochs and decay are ours |
/// | `kto` | β 0.1, λ 1, learning rate 5e-6, batch 32, clipping at 10 | KTO, arXiv:2402.01306 v5, Table 1; warm-up, schedule, epochs and decay are not |
/// | `kto-after-sft` | the same with β 0.05: the reference was tuned on the same data | v5, Table 1 (Llama-3-8B, SFT+KTO) |
/// | `kto-reference-free` | no reference, λ_D 1.75 | v5, §4.3; the rest is ours |
/// | `dpo` | β 0.1, learning rate 5e-7, linear after 10 % warm-up, batch 32 | Zephyr, arXiv:2310.16944 §4; one epoch and no decay are ours |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// `sft`.
    Sft,
    /// `kto`.
    Kto,
    /// `kto-after-sft`.
    KtoAfterSft,
    /// `kto-reference-free`.
    KtoReferenceFree,
    /// `dpo`.
    Dpo,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sft,
        Self::Kto,
        Self::KtoAfterSft,
        Self::KtoReferenceFree,
        Self::Dpo,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Kto => "kto",
            Self::KtoAfterSft => "kto-after-sft",
            Self::KtoReferenceFree => "kto-reference-free",
            Self::Dpo => "dpo",
        }
    }

    /// Its settings as the text of a file, with where they come from.
    pub fn toml(self) -> &'static str {
        match self {
            Self::Sft => include_str!("presets/sft.toml"),
            Self::Kto => include_str!("presets/kto.toml"),
            Self::KtoAfterSft => include_str!("presets/kto-after-sft.toml"),
            Self::KtoReferenceFree => include_str!("presets/kto-reference-free.toml"),
            Self::Dpo => include_str!("presets/dpo.toml"),
        }
    }

    /// Its settings as a table. The file is compiled in, so that it can only be wrong in a build
    /// whose tests, which read each preset, fail.
    pub(super) fn table(self) -> Table {
        let table = self.toml().parse::<Table>();
        table.unwrap_or_else(|error| panic!("preset {self} is TOML: {error}"))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all = Preset::ALL.map(Preset::name);
        let found = Preset::ALL.into_iter().find(|preset| preset.name() == text);
        found.ok_or_else(|| Error::Setting {
            place: "preset".into(),
            message: format!(
                "must be one of {}, got {text}{}",
                all.join(", "),
                nearest(text, all)
            ),
        })
    }
}
