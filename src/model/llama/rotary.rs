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
const KIND: &str = "rope_type";
const ORIGINAL: &str = "original_max_position_embeddings";
/// Where none is named.
const THETA: f64 = 10_000.0;

impl Rotary {
    pub(super) fn of(fields: &Fields<'_>) -> Result<Self, Error> {
        check_others(fields.other)?;
        let scaling = normal("rope_scaling", fields.scaling, fields)?;
        let parameters = normal("rope_parameters", fields.parameters, fields)?;
        if let (Some(one), Some(other)) = (&scaling, &parameters)
            && one != other
        {
            let reason = "must say what rope_parameters says: delete the one that is not so";
            return Err(refused("rope_scaling", reason, &one.clone().into()));
        }
        let rope = parameters.or(scaling).unwrap_or_default();
        let inside = rope.get("rope_theta");
        let inside = inside
            .map(|value| number("rope_theta", value))
            .transpose()?;
        if let (Some(inside), Some(outside)) = (inside, fields.theta)
            && inside != outside
        {
            let reason = "must be what rope_parameters says: delete the one that is not so";
            return Err(refused("rope_theta", reason, &outside.into()));
        }
        let theta = inside.or(fields.theta).unwrap_or(THETA);
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
        let default = Value::from("default");
        let named = rope.get(KIND).unwrap_or(&default);
        let kind = KINDS.iter().find(|(name, _)| named == name);
        let Some((kind, known)) = kind else {
            let reason = "must be default, linear, dynamic, llama3 or yarn";
            return Err(refused(KIND, reason, named));
        };
        let always = [KIND, "rope_theta", "partial_rotary_factor"];
        for (key, value) in rope {
            let whole = key != "partial_rotary_factor" || value.as_f64() == Some(1.0);
            if !(whole && (always.contains(&key.as_str()) || known.contains(&key.as_str()))) {
                let reason = "has a field that is not understood";
                let got = Value::from(format!("{key} {value}"));
                return Err(refused("rope_scaling", reason, &got));
            }
        }
        let optional =
            |key: &'static str| rope.get(key).map(|value| number(key, value)).transpose();
        let required = |key: &'static str| number(key, rope.get(key).unwrap_or(&Value::Null));
        let longest = fields.longest as f64;
        // Where no length is named, the model was trained with all of it.
        let original = || Ok(optional(ORIGINAL)?.unwrap_or(longest));
        match *kind {
            "linear" => Ok(Self::Linear {
                factor: required("factor")?,
            }),
            "dynamic" => {
                required("factor")?;
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
                original: original()?,
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
                let truncate = rope.get("truncate").unwrap_or(&Value::Bool(true));
                let wrong = || refused("truncate", "must be true or false", truncate);
                Ok(Self::Yarn {
                    factor,
                    attention,
                    beta: [
                        optional("beta_fast")?.unwrap_or(32.0),
                        optional("beta_slow")?.unwrap_or(1.0),
                    ],
                    original: original()?,
                    truncate: truncate.as_bool().ok_or_else(wrong)?,
                })
            }
            _ => Ok(Self::None),
        }
    }
}

/// Parameters that stand under the kinds of layer, one by one; else those that stand there. A kind
/// that has null has none.
pub(super) fn by_layer(rope: Map<String, Value>) -> Vec<Map<String, Value>> {
    let layered = |value: &Value| value.is_object() || value.is_null();
    if !rope.values().any(Value::is_object) || !rope.values().all(layered) {
        return vec![rope];
    }
    let layers = rope.into_iter().filter_map(|(_, value)| match value {
        Value::Object(layer) => Some(layer),
        _ => None,
    });
    layers.collect()
}

/// One of the two fields, written in one way, so that they can be compared: see [`plain`]. `None`
/// where it says nothing.
fn normal(
    field: &'static str,
    value: Option<&Value>,
    fields: &Fields<'_>,
) -> Result<Option<Map<String, Value>>, Error> {
    let rope = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(rope)) if rope.is_empty() => return Ok(None),
        Some(Value::Object(rope)) => rope.clone(),
        Some(other) => return Err(refused(field, "must be an object", other)),
    };
    let kinds = fields.other.get("layer_types").and_then(Value::as_array);
    let mut kinds = kinds.into_iter().flatten().filter_map(Value::as_str);
    if let Some(kind) = kinds.find(|kind| rope.get(*kind).is_some_and(Value::is_null)) {
        let reason = "must not be null for a kind of layer_types, which would have no positions";
        return Err(refused(field, reason, &kind.into()));
    }
    let said = Value::from(rope.clone());
    let mut layers = by_layer(rope).into_iter().map(|layer| plain(layer, fields));
    let Some(first) = layers.next().transpose()? else {
        return Ok(None);
    };
    for layer in layers {
        if layer? != first {
            return Err(refused(
                field,
                "must be alike for all kinds of layer",
                &said,
            ));
        }
    }
    Ok(Some(first))
}

/// The parameters in their newest form: `rope_type` and not `type`, `rope_theta` and the original
/// length with them wherever they stood, all numbers as f64, and nothing that is not looked at.
fn plain(mut rope: Map<String, Value>, fields: &Fields<'_>) -> Result<Map<String, Value>, Error> {
    rope.retain(|_, value| !value.is_null());
    for value in rope.values_mut() {
        if let Some(number) = value.as_f64() {
            *value = number.into();
        }
    }
    let older = rope.shift_remove("type");
    match (rope.get(KIND), older) {
        (Some(kind), Some(older)) if *kind != older => {
            let reason = "must be what type says beside it: delete the one that is not so";
            return Err(refused(KIND, reason, kind));
        }
        (None, older) => {
            let kind = older.unwrap_or_else(|| "default".into());
            rope.insert(KIND.into(), kind);
        }
        _ => (),
    }
    let theta = fields.theta.unwrap_or(THETA);
    rope.entry("rope_theta").or_insert_with(|| theta.into());
    let kind = rope.get(KIND).and_then(Value::as_str).unwrap_or_default();
    match kind {
        "default" | "linear" => {
            rope.shift_remove(ORIGINAL);
        }
        "llama3" | "yarn" => {
            let outside = fields.other.get(ORIGINAL).filter(|value| !value.is_null());
            if let Some(outside) = outside {
                let length = outside
                    .as_f64()
                    .map_or_else(|| outside.clone(), Value::from);
                if *rope.entry(ORIGINAL).or_insert_with(|| length.clone()) != length {
                    let reason = "must be what rope_scaling says: delete the one that is not so";
                    return Err(refused(ORIGINAL, reason, outside));
                }
            }
        }
        _ => (),
    }
    Ok(rope)
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
