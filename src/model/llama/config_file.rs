//! Reading `config.json`: what is wrong in it has a name.

use super::config::{LlamaConfig, SUPPORTED};
use super::kinds;
use crate::error::Error;
use crate::model::files::{failed, open, read_json};
use serde_json::{Map, Value};
use std::path::Path;

/// What a field must be.
#[derive(Clone, Copy)]
enum Kind {
    /// A whole number of at least 1.
    Size,
    Number,
    Bool,
}

/// Fields that are read, and whether null stands for none.
const FIELDS: [(&str, Kind, bool); 12] = [
    ("vocab_size", Kind::Size, false),
    ("hidden_size", Kind::Size, false),
    ("intermediate_size", Kind::Size, false),
    ("num_hidden_layers", Kind::Size, false),
    ("num_attention_heads", Kind::Size, false),
    ("num_key_value_heads", Kind::Size, true),
    ("head_dim", Kind::Size, true),
    ("max_position_embeddings", Kind::Size, false),
    ("rope_theta", Kind::Number, true),
    ("rms_norm_eps", Kind::Number, false),
    ("tie_word_embeddings", Kind::Bool, false),
    ("attention_bias", Kind::Bool, false),
];

impl LlamaConfig {
    /// Reads `config.json` of a folder, without the weights.
    ///
    /// # Errors
    ///
    /// Where it is missing, damaged, or of another kind of model.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        kinds::check(folder)?;
        let path = folder.join("config.json");
        open(&path)?;
        let failed = |message: String| failed(&path, message);
        let Some(Value::Object(fields)) = read_json(&path)? else {
            return Err(failed("is not a JSON object".into()));
        };
        if let Some(message) = another_kind(&fields) {
            return Err(failed(message));
        }
        for (name, kind, nullable) in FIELDS {
            let Some(value) = fields
                .get(name)
                .filter(|value| !(nullable && value.is_null()))
            else {
                continue; // what must be there is missed below
            };
            let (ok, what) = match kind {
                Kind::Size => (
                    value.as_u64().is_some_and(|size| size > 0),
                    "a whole number of at least 1",
                ),
                Kind::Number => (value.is_number(), "a number"),
                Kind::Bool => (value.is_boolean(), "true or false"),
            };
            if !ok {
                return Err(failed(format!("{name} must be {what}, got {value}")));
            }
        }
        let config: Self =
            serde_json::from_value(fields.into()).map_err(|error| failed(error.to_string()))?;
        let checked = config.validate();
        checked.map_err(|error| failed(error.to_string()))?;
        Ok(config)
    }
}

/// Says what kind of model this is, if it is none that can be read. It is asked before anything
/// else, since the fields of other kinds have other names.
fn another_kind(fields: &Map<String, Value>) -> Option<String> {
    let supported = SUPPORTED.join(", ");
    let model_type = match fields.get("model_type") {
        None | Some(Value::Null) => {
            return Some(format!("has no model_type; supported: {supported}"));
        }
        Some(Value::String(model_type)) => model_type,
        Some(other) => return Some(format!("model_type must be a text, got {other}")),
    };
    if !SUPPORTED.contains(&model_type.as_str()) {
        let parts = [
            "text_config",
            "llm_config",
            "language_config",
            "decoder",
            "thinker_config",
        ];
        let part = parts
            .iter()
            .find(|part| fields.get(**part).is_some_and(Value::is_object));
        let part = part.map_or_else(String::new, |part| {
            let inner = fields[*part]["model_type"]
                .as_str()
                .unwrap_or("no model_type");
            format!(" (its text part, {part}, is {inner}: write that as a folder of its own)")
        });
        return Some(format!(
            "model_type {model_type} is not supported{part}; supported: {supported}"
        ));
    }
    let architectures = fields.get("architectures").filter(|list| !list.is_null())?;
    let Some(list) = architectures.as_array() else {
        return Some(format!("architectures must be a list, got {architectures}"));
    };
    let writes = |name: &Value| {
        name.as_str()
            .is_some_and(|name| name.ends_with("ForCausalLM"))
    };
    let odd = list.iter().find(|name| !writes(name))?;
    let odd = odd.as_str().map_or_else(|| odd.to_string(), String::from);
    Some(format!(
        "architectures has {odd}, which writes no text: must be a ..ForCausalLM"
    ))
}
