//! `config.json` of a Hugging Face folder.

use super::quantised;
use super::rotary::{Fields, Rotary, by_layer};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The kinds of decoder that are understood.
///
/// | `model_type` | differs from Llama by |
/// |---|---|
/// | `llama` | (SmolLM2 too) |
/// | `mistral` | a sliding window: longer sequences are refused |
/// | `qwen2` | biases on query, key and value |
/// | `qwen3` | norms on each head's query and key |
pub(super) const SUPPORTED: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

/// Shape of a Llama-family decoder, as in Hugging Face's `config.json`.
///
/// Keys that are not needed here are kept, and written back when the model is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LlamaConfig {
    /// `llama`, `mistral`, `qwen2` or `qwen3`.
    pub model_type: String,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layers.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; as many as query heads if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_key_value_heads: Option<usize>,
    /// Width of a head; `hidden_size / num_attention_heads` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Longest sequence.
    #[serde(default = "default_positions")]
    pub max_position_embeddings: usize,
    /// Base of the rotary frequencies. Newer files have it in `rope_parameters`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    /// How the rotary frequencies are scaled: nothing, `default`, `linear`, `llama3`, `yarn`, or
    /// `dynamic`, which changes nothing within the longest sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<Value>,
    /// Both of the above in newer files; by kind of layer in some, all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_parameters: Option<Value>,
    /// Added to the mean square before its root.
    #[serde(default = "default_eps")]
    pub rms_norm_eps: f64,
    /// Whether the head shares the embedding's weight.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Biases on query, key, value and output; Qwen2 has the first three whatever this says.
    #[serde(default)]
    pub attention_bias: bool,
    /// Everything else in the file.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Numbers of a matrix, of 4 bytes each.
const LARGEST: usize = isize::MAX as usize / 4;

const MISTRAL: &str = "mistral";
const WINDOW: &str = "sliding_window";
/// Of Mistral and Qwen, where the key is absent.
const DEFAULT_WINDOW: usize = 4096;
/// A kind of layer that sees its window only.
const SLIDING: &str = "sliding_attention";

fn default_positions() -> usize {
    2048
}

fn default_eps() -> f64 {
    1e-6
}

impl LlamaConfig {
    /// A small Llama with a tied head, feed-forward layers of 8/3 of its width, and as many key as
    /// query heads.
    ///
    /// ```
    /// use burn_kto::model::llama::LlamaConfig;
    /// let config = LlamaConfig::new(100, 32, 2, 4);
    /// let model = config.init(7, &burn::tensor::Device::flex());
    /// assert_eq!(model.config().head_dim(), 8);
    /// ```
    pub fn new(vocab_size: usize, hidden_size: usize, layers: usize, heads: usize) -> Self {
        let other = [
            ("architectures", serde_json::json!(["LlamaForCausalLM"])),
            ("hidden_act", "silu".into()),
            ("mlp_bias", false.into()),
        ];
        Self {
            model_type: "llama".into(),
            vocab_size,
            hidden_size,
            intermediate_size: (hidden_size * 8).div_ceil(24) * 8,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_key_value_heads: None,
            head_dim: None,
            max_position_embeddings: 512,
            rope_theta: Some(10_000.0),
            rope_scaling: None,
            rope_parameters: None,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            attention_bias: false,
            other: other.map(|(k, v)| (k.to_string(), v)).into_iter().collect(),
        }
    }

    /// Another `model_type`: `llama`, `mistral`, `qwen2` or `qwen3`. A new Mistral has no sliding
    /// window, and says so: one without the key has a window.
    pub fn with_model_type(mut self, model_type: impl Into<String>) -> Self {
        self.model_type = model_type.into();
        if self.model_type == MISTRAL {
            self.other.entry(WINDOW).or_insert(Value::Null);
        }
        self
    }

    /// Another width of the feed-forward layers.
    pub fn with_intermediate_size(mut self, size: usize) -> Self {
        self.intermediate_size = size;
        self
    }

    /// Fewer key and value heads than query heads; must divide them.
    pub fn with_key_value_heads(mut self, heads: usize) -> Self {
        self.num_key_value_heads = Some(heads);
        self
    }

    /// Another longest sequence.
    pub fn with_max_position_embeddings(mut self, positions: usize) -> Self {
        self.max_position_embeddings = positions;
        self
    }

    /// Whether the head shares the embedding's weight.
    pub fn with_tied_head(mut self, tied: bool) -> Self {
        self.tie_word_embeddings = tied;
        self
    }

    /// Width of a head.
    pub fn head_dim(&self) -> usize {
        self.head_dim
            .unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }

    /// Key and value heads.
    pub fn key_value_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    /// The longest sequence that is computed as the model was trained: all positions, or the
    /// sliding window where one is in use. Mistral's always is, unless it is null; that of others
    /// where `use_sliding_window` or `layer_types` says so. Where a file names none it is of 4096.
    /// Within a window, attention to everything before is exact.
    pub fn max_length(&self) -> usize {
        let positions = self.max_position_embeddings;
        self.window()
            .map_or(positions, |window| positions.min(window))
    }

    fn window(&self) -> Option<usize> {
        let used = self.other.get("use_sliding_window") == Some(&Value::Bool(true));
        let layers = self.other.get("layer_types").and_then(Value::as_array);
        let slides = layers.is_some_and(|layers| layers.iter().any(|kind| kind == SLIDING));
        if !(used || slides || self.model_type == MISTRAL) {
            return None;
        }
        match self.other.get(WINDOW) {
            None => Some(DEFAULT_WINDOW),
            Some(window) => window.as_u64().map(|window| window as usize),
        }
    }

    /// Ids that end a generation: `eos_token_id`, a number or a list.
    pub fn stop_tokens(&self) -> Vec<u32> {
        let ids = match self.other.get("eos_token_id") {
            Some(Value::Array(ids)) => ids.as_slice(),
            Some(id) => std::slice::from_ref(id),
            None => &[],
        };
        let ids = ids.iter().filter_map(Value::as_u64);
        ids.filter_map(|id| u32::try_from(id).ok()).collect()
    }

    /// What is written beside f32 weights: nothing is left to defaults that differ between kinds of
    /// model, and nothing is said that is not so of the folder: quantised weights, files of code,
    /// where it once was.
    pub(super) fn to_save(&self) -> Self {
        let mut config = self.clone();
        config.num_key_value_heads = Some(self.key_value_heads());
        config.head_dim = Some(self.head_dim());
        let untrue = ["dtype", "auto_map", "custom_pipelines", "_name_or_path"];
        for key in untrue.into_iter().chain(quantised::KEYS) {
            config.other.remove(key);
        }
        config.other.insert("torch_dtype".into(), "float32".into());
        // Readers of today look for kinds of layer only where the configuration lists them.
        if let Some(Value::Object(rope)) = config.rope_parameters.take() {
            config.rope_parameters = by_layer(rope).into_iter().next().map(Value::Object);
        }
        config
    }

    pub(super) fn query_key_value_bias(&self) -> bool {
        self.attention_bias || self.model_type == "qwen2"
    }

    pub(super) fn output_bias(&self) -> bool {
        self.attention_bias && self.model_type != "qwen2"
    }

    pub(super) fn head_norms(&self) -> bool {
        self.model_type == "qwen3"
    }

    /// Checks that this is a decoder that can be built, and computed as it was trained.
    ///
    /// # Errors
    ///
    /// Where a size is 0, does not go with another or asks for a matrix that no machine holds,
    /// where something is named that is not computed, and where an id is beyond the vocabulary.
    pub fn validate(&self) -> Result<(), Error> {
        let kind = self.model_type.as_str();
        let reason = "must be one of llama, mistral, qwen2, qwen3";
        Error::check(SUPPORTED.contains(&kind), "model_type", reason, kind)?;
        self.check_kind()?;
        self.check_sizes()?;
        self.check_ids()?;
        let eps = self.rms_norm_eps;
        let ok = eps >= 0.0 && eps.is_finite();
        Error::check(ok, "rms_norm_eps", "must be finite and not negative", eps)?;
        self.rotary().map(|_| ())
    }

    fn rotary(&self) -> Result<Rotary, Error> {
        Rotary::of(&Fields {
            theta: self.rope_theta,
            scaling: self.rope_scaling.as_ref(),
            parameters: self.rope_parameters.as_ref(),
            other: &self.other,
            longest: self.max_position_embeddings,
        })
    }

    /// Radians a position, for each pair of a head's dimensions, and what cosines and sines are
    /// multiplied with.
    pub(super) fn frequencies(&self) -> (Vec<f64>, f64) {
        let rotary = self.rotary();
        let rotary = rotary.unwrap_or_else(|error| panic!("{error}")); // refused by `validate`
        rotary.frequencies(self.head_dim())
    }

    /// Refuses what changes the computation and is not computed.
    fn check_kind(&self) -> Result<(), Error> {
        let said = |key: &str| self.other.get(key).filter(|value| !value.is_null());
        if let Some(act) = said("hidden_act") {
            let silu = act == "silu" || act == "swish";
            Error::check(silu, "hidden_act", "must be silu", text(act))?;
        }
        for key in ["mlp_bias", "use_sliding_window"] {
            if let Some(value) = said(key) {
                let ok = *value == Value::Bool(false) || key != "mlp_bias" && value.is_boolean();
                let reason = if key == "mlp_bias" {
                    "must be false"
                } else {
                    "must be a bool"
                };
                Error::check(ok, key, reason, value)?;
            }
        }
        if let Some(window) = said("sliding_window") {
            let ok = window.as_u64().is_some_and(|window| window > 0);
            Error::check(
                ok,
                "sliding_window",
                "must be a whole number of at least 1",
                window,
            )?;
        }
        if let Some(layers) = said("layer_types") {
            let kinds = layers.as_array().map_or(&[][..], Vec::as_slice);
            let known = |kind: &Value| kind == SLIDING || kind == "full_attention";
            let odd = kinds.iter().find(|kind| !known(kind));
            let ok = odd.is_none() && layers.is_array();
            let reason = "must be full_attention or sliding_attention";
            Error::check(ok, "layer_types", reason, text(odd.unwrap_or(layers)))?;
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), Error> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.key_value_heads()),
            ("head_dim", self.head_dim()),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        for (field, size) in sizes {
            Error::check(size > 0, field, "must be at least 1", size)?;
        }
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        let ok = self.head_dim.is_some() || width.is_multiple_of(heads);
        let reason = "must be a multiple of num_attention_heads where head_dim is absent";
        Error::check(ok, "hidden_size", reason, width)?;
        let groups = self.key_value_heads();
        let reason = "must divide num_attention_heads";
        let ok = heads.is_multiple_of(groups);
        Error::check(ok, "num_key_value_heads", reason, groups)?;
        let dim = self.head_dim();
        Error::check(dim.is_multiple_of(2), "head_dim", "must be even", dim)?;
        for (field, size, by) in [
            ("vocab_size", self.vocab_size, 1),
            ("intermediate_size", self.intermediate_size, 1),
            ("num_attention_heads", heads, dim),
        ] {
            let matrix = size
                .checked_mul(by)
                .and_then(|rows| rows.checked_mul(width));
            let ok = matrix.is_some_and(|numbers| numbers < LARGEST);
            let reason = "makes a matrix larger than any memory with hidden_size and head_dim";
            Error::check(ok, field, reason, size)?;
        }
        Ok(())
    }

    /// An id of padding may be -1, which is none.
    fn check_ids(&self) -> Result<(), Error> {
        for field in ["bos_token_id", "eos_token_id", "pad_token_id"] {
            let value = self.other.get(field).unwrap_or(&Value::Null);
            let ids = match value {
                Value::Array(ids) => ids.as_slice(),
                Value::Null => &[],
                id => std::slice::from_ref(id),
            };
            for id in ids {
                let known = id.as_u64().is_some_and(|id| id < self.vocab_size as u64);
                let none = field == "pad_token_id" && id.as_i64() == Some(-1);
                let reason = "must be an id below vocab_size";
                Error::check(known || none, field, reason, id)?;
            }
        }
        Ok(())
    }
}

/// As it is written in a message: a text without its quotes.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), String::from)
}
