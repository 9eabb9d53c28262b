//! Frequencies of the rotary position embeddings, and all ways of writing them down in a
//! `config.json`. A field that is not understood is refused: a wrong frequency goes unseen.

use crate::error::Error;
use serde_json::{Map, Value};
use std::f64::consts::TAU;

/// What a `config.json` says of them.
pub(super) struct Fields<'a> {
    pub(super) theta: Option<f64>,
    pub(super) scaling: Option<&'a Value>,
    pub(super) parameters: Option<&'a Value>,
    /// Fields without a place of their own.
    pub(super) other: &'a Map<String, Value>,
    /// `max_position_embeddings`: nothing longer is computed.
    pub(super) longest: usize,
}

/// How positions become angles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rotary {
    theta: f64,
    scaling: Scaling,
}

/// What becomes of the frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scaling {
    /// Nothing. So it is with `dynamic` up to the longest sequence.
    None,
    /// All are divided.
    Linear { factor: f64 },
    /// Slow ones are divided, those between partly.
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: f64,
    },
    /// The same by another rule; cosines and sines are multiplied with `attention`.
    Yarn {
        factor: f64,
        attention: f64,
        /// Turns within the original length that are fast, and slow.
        beta: [f64; 2],
        original: f64,
        truncate: bool,
    },
}

/// Names of what each kind reads besides its own name and `rope_theta`.
const KINDS: [(&str, &[&str]); 5] = [
    ("default", &[]),
    ("linear", &["factor"]),
    ("dynamic", &["factor", ORIGINAL]),
    (
        "llama3",
        &["factor", "low_freq_factor", "high_freq_factor", ORIGINAL],
    ),
    ("yarn", &YARN),
];
const YARN: [&str; 8] = [
    "factor",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "mscale",
    "mscale_all_dim",
    "truncate",
    ORIGINAL,
];
const ORIGINAL: &str = "original_max_position_embeddings";

impl Rotary {
    pub(super) fn of(fields: &Fields<'_>) -> Result<Self, Error> {
        check_others(fields.other)?;
        let given = |value: Option<&Value>, field| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object.clone())),
            Some(other) => Err(refused(field, "must be an object", other)),
        };
        let scaling = given(fields.scaling, "rope_scaling")?;
        let parameters = given(fields.parameters, "rope_parameters")?
            .map(flat)
            .transpose()?;
        if let (Some(one), Some(other)) = (&scaling, &parameters)
            && one != other
        {
            let reason = "must say what rope_parameters says, or be absent";
            return Err(refused("rope_scaling", reason, &one.clone().into()));
        }
        let rope = parameters.or(scaling).unwrap_or_default();
        let inside = match rope.get("rope_theta") {
            None | Some(Value::Null) => None,
            Some(value) => Some(number("rope_theta", value)?),
        };
        if let (Some(inside), Some(outside)) = (inside, fields.theta)
            && inside != outside
        {
            let reason = "must be what rope_parameters says, or be absent";
            return Err(refused("rope_theta", reason, &outside.into()));
        }
        let theta = inside.or(fields.theta).unwrap_or(10_000.0);
        let ok = theta > 1.0 && theta.is_finite();
        Error::check(ok, "rope_theta", "must be above 1 and finite", theta)?;
        Ok(Self {
            theta,
            scaling: Scaling::of(&rope, fields)?,
        })
    }

    /// Radians a position, one for each pair of a head's dimensions, and what cosines and sines are
    /// multiplied with.
    pub(super) fn frequencies(&self, dim: usize) -> (Vec<f64>, f64) {
        let plain = (0..dim / 2).map(|i| self.theta.powf(-2.0 * i as f64 / dim as f64));
        match self.scaling {
            Scaling::None => (plain.collect(), 1.0),
            Scaling::Linear { factor } => (plain.map(|plain| plain / factor).collect(), 1.0),
            Scaling::Llama3 {
                factor,
                low,
                high,
                original,
            } => {
                let scaled = |frequency: f64| {
                    let wavelength = TAU / frequency;
                    if wavelength < original / high {
                        return frequency;
                    }
                    if wavelength > original / low {
                        return frequency / factor;
                    }
                    let smooth = (original / wavelength - low) / (high - low);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                };
                (plain.map(scaled).collect(), 1.0)
            }
            Scaling::Yarn {
                factor,
                attention,
                beta,
                original,
                truncate,
            } => {
                // The pair that turns so often within the original length.
                let pair = |turns: f64| {
                    dim as f64 * (original / (turns * TAU)).ln() / (2.0 * self.theta.ln())
                };
                let [low, high] = match truncate {
                    true => [pair(beta[0]).floor(), pair(beta[1]).ceil()],
                    false => beta.map(pair),
                };
                let (low, mut high) = (low.max(0.0), high.min(dim as f64 - 1.0));
                if low == high {
                    high += 0.001;
                }
                let scaled = |(i, frequency): (usize, f64)| {
                    let slow = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    frequency / factor * slow + frequency * (1.0 - slow)
                };
                (plain.enumerate().map(scaled).collect(), attention)
            }
        }
    }
}

impl Scaling {
    fn of(rope: &Map<String, Value>, fields: &Fields<'_>) -> Result<Self, Error> {
        let said = |key: &str| rope.get(key).filter(|value| !value.is_null());
        let kinds = [said("rope_type"), said("type")];
        let kind = match kinds {
            [Some(one), Some(other)] if one != other => {
                return Err(refused(
                    "rope_type",
                    "must be what type says beside it",
                    one,
                ));
            }
            [one, other] => one.or(other),
        };
        let kind = kind
            .map_or(Some("default"), Value::as_str)
            .unwrap_or_default();
        let Some((_, known)) = KINDS.iter().find(|(name, _)| *name == kind) else {
            let value = kinds.into_iter().flatten().next().unwrap_or(&Value::Null);
            let reason = "must be default, linear, dynamic, llama3 or yarn";
            return Err(refused("rope_type", reason, value));
        };
        let always = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
        for (key, value) in rope.iter().filter(|(_, value)| !value.is_null()) {
            let whole = key != "partial_rotary_factor" || value.as_f64() == Some(1.0);
            if !(whole && (always.contains(&key.as_str()) || known.contains(&key.as_str()))) {
                let reason = "has a field that is not understood";
                let got = Value::from(format!("{key} {value}"));
                return Err(refused("rope_scaling", reason, &got));
            }
        }
        let optional = |key: &'static str| match said(key) {
            None => Ok(None),
            Some(value) => number(key, value).map(Some),
        };
        let required = |key: &'static str| number(key, said(key).unwrap_or(&Value::Null));
        let original = |required: f64| match fields.other.get(ORIGINAL) {
            None | Some(Value::Null) => Ok(required),
            Some(value) if value.as_f64() == Some(required) => Ok(required),
            Some(other) => Err(refused(ORIGINAL, "must be what rope_scaling says", other)),
        };
        match kind {
            "linear" => Ok(Self::Linear {
                factor: required("factor")?,
            }),
            "dynamic" => {
                required("factor")?;
                let longest = fields.longest as f64;
                match optional(ORIGINAL)? {
                    Some(original) if original != longest => {
                        let reason = "must be max_position_embeddings where rope_type is dynamic";
                        Err(refused(ORIGINAL, reason, &original.into()))
                    }
                    _ => Ok(Self::None),
                }
            }
            "llama3" => Ok(Self::Llama3 {
                factor: required("factor")?,
                low: required("low_freq_factor")?,
                high: required("high_freq_factor")?,
                original: original(required(ORIGINAL)?)?,
            }),
            "yarn" => {
                let factor = required("factor")?;
                let scale = |by: f64| match factor > 1.0 {
                    true => 0.1 * by * factor.ln() + 1.0,
                    false => 1.0,
                };
                let scales = (optional("mscale")?, optional("mscale_all_dim")?);
                let attention = match (optional("attention_factor")?, scales) {
                    (Some(attention), _) => attention,
                    (None, (Some(one), Some(all))) => scale(one) / scale(all),
                    (None, _) => scale(1.0),
                };
                let truncate = said("truncate").unwrap_or(&Value::Bool(true));
                let wrong = || refused("truncate", "must be true or false", truncate);
                Ok(Self::Yarn {
                    factor,
                    attention,
                    beta: [
                        optional("beta_fast")?.unwrap_or(32.0),
                        optional("beta_slow")?.unwrap_or(1.0),
                    ],
                    original: original(required(ORIGINAL)?)?,
                    truncate: truncate.as_bool().ok_or_else(wrong)?,
                })
            }
            _ => Ok(Self::None),
        }
    }
}

/// Parameters that stand under the kinds of layer, as those of one layer, where all are alike.
pub(super) fn flat(rope: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    if rope.is_empty() || !rope.values().all(Value::is_object) {
        return Ok(rope);
    }
    let mut layers = rope.values();
    let first = layers.next().and_then(Value::as_object).cloned();
    let first = first.unwrap_or_default();
    if layers.any(|layer| layer.as_object() != Some(&first)) {
        let reason = "must be alike for all kinds of layer";
        return Err(refused("rope_parameters", reason, &rope.into()));
    }
    Ok(first)
}

/// Refuses fields beside these that turn something else, or otherwise.
fn check_others(other: &Map<String, Value>) -> Result<(), Error> {
    for (key, value) in other {
        let about = key.contains("rope") || key.contains("rotary") || key.contains("ntk");
        let nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(object) => object.is_empty(),
            value => value.as_f64() == Some(1.0),
        };
        if about && !nothing {
            let got = Value::from(format!("{key} {value}"));
            let reason = "must all be rope_theta, rope_scaling or rope_parameters";
            return Err(refused("fields of rotary positions", reason, &got));
        }
    }
    Ok(())
}

fn number(field: &'static str, value: &Value) -> Result<f64, Error> {
    let number = value.as_f64().filter(|value| *value > 0.0);
    number.ok_or_else(|| refused(field, "must be a positive number in rope_scaling", value))
}

fn refused(field: &'static str, reason: &'static str, value: &Value) -> Error {
    Error::Config {
        field,
        reason,
        value: value
            .as_str()
            .map_or_else(|| value.to_string(), String::from),
    }
}

#[cfg(test)]
#[path = "rotary_tests.rs"]
mod tests;
