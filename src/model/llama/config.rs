//! `config.json` of a Hugging Face folder.

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
const SUPPORTED: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

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
    /// How the rotary frequencies are scaled: nothing, `default` or `llama3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<Value>,
    /// Both of the above in newer files.
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

fn default_positions() -> usize {
    2048
}

fn default_eps() -> f64 {
    1e-6
}

/// Scaling of the rotary frequencies that Llama 3.1 introduced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Llama3Scaling {
    pub(super) factor: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) original: f64,
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

    /// Another `model_type`: `llama`, `mistral`, `qwen2` or `qwen3`.
    pub fn with_model_type(mut self, model_type: impl Into<String>) -> Self {
        self.model_type = model_type.into();
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
    /// sliding window where one is in use (Mistral's always is, Qwen's if `use_sliding_window` says
    /// so). Within a window, attention to everything before is exact.
    pub fn max_length(&self) -> usize {
        let used = self.other.get("use_sliding_window");
        let used = used.and_then(Value::as_bool);
        let used = used.unwrap_or(self.model_type == "mistral");
        let window = self.other.get("sliding_window").and_then(Value::as_u64);
        match window {
            Some(window) if used => self.max_position_embeddings.min(window as usize),
            _ => self.max_position_embeddings,
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
    /// model.
    pub(super) fn to_save(&self) -> Self {
        let mut config = self.clone();
        config.num_key_value_heads = Some(self.key_value_heads());
        config.head_dim = Some(self.head_dim());
        config.other.remove("dtype");
        config.other.insert("torch_dtype".into(), "float32".into());
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

    pub(super) fn theta(&self) -> f64 {
        let newer = self.rope_parameters.as_ref();
        let newer = newer.and_then(|rope| rope["rope_theta"].as_f64());
        newer.or(self.rope_theta).unwrap_or(10_000.0)
    }

    pub(super) fn llama3_scaling(&self) -> Result<Option<Llama3Scaling>, Error> {
        let rope = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let Some(rope) = rope.filter(|rope| !rope.is_null()) else {
            return Ok(None);
        };
        let kind = rope.get("rope_type").or_else(|| rope.get("type"));
        let number = |key: &'static str| {
            let value = rope[key].as_f64().filter(|value| *value > 0.0);
            value.ok_or_else(|| Error::Config {
                field: key,
                reason: "must be a positive number in rope_scaling",
                value: rope[key].to_string(),
            })
        };
        match kind.and_then(Value::as_str) {
            None | Some("default") => Ok(None),
            Some("llama3") => Ok(Some(Llama3Scaling {
                factor: number("factor")?,
                low: number("low_freq_factor")?,
                high: number("high_freq_factor")?,
                original: number("original_max_position_embeddings")?,
            })),
            Some(other) => Err(Error::Config {
                field: "rope_type",
                reason: "must be default or llama3",
                value: other.to_string(),
            }),
        }
    }

    /// Checks that this is a decoder that can be built, and computed as it was trained.
    pub fn validate(&self) -> Result<(), Error> {
        let kind = self.model_type.as_str();
        let reason = "must be one of llama, mistral, qwen2, qwen3";
        Error::check(SUPPORTED.contains(&kind), "model_type", reason, kind)?;
        let act = self.other.get("hidden_act").and_then(Value::as_str);
        let act = act.unwrap_or("silu");
        Error::check(act == "silu", "hidden_act", "must be silu", act)?;
        let bias = self.other.get("mlp_bias") == Some(&Value::Bool(true));
        Error::check(!bias, "mlp_bias", "must be false", bias)?;
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
        let eps = self.rms_norm_eps;
        let ok = eps >= 0.0 && eps.is_finite();
        Error::check(ok, "rms_norm_eps", "must be finite and not negative", eps)?;
        let theta = self.theta();
        let ok = theta > 0.0 && theta.is_finite();
        Error::check(ok, "rope_theta", "must be positive and finite", theta)?;
        self.llama3_scaling().map(|_| ())
    }
}
