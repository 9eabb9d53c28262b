//! The parts of a decoder. Field names are Hugging Face's tensor names, weights have its
//! `[out, in]` layout: nothing is converted when a folder is read or written.

use super::cache::LayerCache;
use super::config::LlamaConfig;
use super::rope::Rope;
use burn::module::{Module, Param};
use burn::tensor::activation::silu;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{DType, FloatDType, Int, Tensor};

/// Makes the parameters of a model: random ones, or placeholders for those of a file.
pub(super) trait Maker {
    /// `[out, in]`.
    fn matrix(&mut self, out: usize, input: usize) -> Param<Tensor<2>>;
    /// `[size]`, all `value`.
    fn vector(&mut self, size: usize, value: f64) -> Param<Tensor<1>>;
}

#[derive(Module, Debug)]
pub(super) struct Linear {
    pub(super) weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    pub(super) fn new(maker: &mut impl Maker, input: usize, out: usize, bias: bool) -> Self {
        Self {
            weight: maker.matrix(out, input),
            bias: bias.then(|| maker.vector(out, 0.0)),
        }
    }

    /// `[batch, seq, in]` to `[batch, seq, out]`.
    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [batch, seq, width] = input.dims();
        // One matrix product over all rows; batched products would repeat the weight.
        let rows = input.reshape([batch * seq, width]);
        let mut output = rows.matmul(self.weight.val().transpose());
        if let Some(bias) = &self.bias {
            output = output + bias.val().unsqueeze();
        }
        let [_, out] = output.dims();
        output.reshape([batch, seq, out])
    }
}

#[derive(Module, Debug)]
pub(super) struct RmsNorm {
    pub(super) weight: Param<Tensor<1>>,
    epsilon: f64,
}

impl RmsNorm {
    pub(super) fn new(maker: &mut impl Maker, size: usize, epsilon: f64) -> Self {
        Self {
            weight: maker.vector(size, 1.0),
            epsilon,
        }
    }

    /// Over the last dimension, in f32 at least.
    pub(super) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let dtype = input.dtype();
        let half = matches!(dtype, DType::F16 | DType::BF16);
        let input = if half {
            input.cast(FloatDType::F32)
        } else {
            input
        };
        let mean = input.clone().square().mean_dim(D - 1);
        let normed = input * (mean + self.epsilon).sqrt().recip();
        let normed = if half { normed.cast(dtype) } else { normed };
        normed * self.weight.val().unsqueeze()
    }
}

#[derive(Module, Debug)]
pub(super) struct Embedding {
    pub(super) weight: Param<Tensor<2>>,
}

impl Embedding {
    pub(super) fn new(maker: &mut impl Maker, vocab: usize, width: usize) -> Self {
        Self {
            weight: maker.matrix(vocab, width),
        }
    }

    pub(super) fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        burn::tensor::module::embedding(self.weight.val(), tokens)
    }
}

#[derive(Module, Debug)]
pub(super) struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    q_norm: Option<RmsNorm>,
    k_norm: Option<RmsNorm>,
    head_dim: usize,
}

impl Attention {
    fn new(maker: &mut impl Maker, config: &LlamaConfig) -> Self {
        let (width, dim) = (config.hidden_size, config.head_dim());
        let (heads, groups) = (config.num_attention_heads, config.key_value_heads());
        let bias = config.query_key_value_bias();
        let eps = config.rms_norm_eps;
        let norms = config.head_norms();
        Self {
            q_proj: Linear::new(maker, width, heads * dim, bias),
            k_proj: Linear::new(maker, width, groups * dim, bias),
            v_proj: Linear::new(maker, width, groups * dim, bias),
            o_proj: Linear::new(maker, heads * dim, width, config.output_bias()),
            q_norm: norms.then(|| RmsNorm::new(maker, dim, eps)),
            k_norm: norms.then(|| RmsNorm::new(maker, dim, eps)),
            head_dim: dim,
        }
    }

    fn forward(&self, input: Tensor<3>, rope: &Rope, cache: Option<&mut LayerCache>) -> Tensor<3> {
        let [batch, seq, _] = input.dims();
        let heads = |projected: Tensor<3>| {
            let [_, _, width] = projected.dims();
            let (count, dim) = (width / self.head_dim, self.head_dim);
            projected.reshape([batch, seq, count, dim])
        };
        let mut query = heads(self.q_proj.forward(input.clone()));
        let mut key = heads(self.k_proj.forward(input.clone()));
        let mut value = heads(self.v_proj.forward(input)).swap_dims(1, 2);
        if let (Some(q_norm), Some(k_norm)) = (&self.q_norm, &self.k_norm) {
            query = q_norm.forward(query);
            key = k_norm.forward(key);
        }
        let query = rope.forward(query.swap_dims(1, 2));
        let mut key = rope.forward(key.swap_dims(1, 2));
        if let Some(cache) = cache {
            (key, value) = cache.extend(key, value);
        }
        let [_, count, ..] = query.dims();
        let output = grouped_attention(query, key, value)
            .swap_dims(1, 2)
            .reshape([batch, seq, count * self.head_dim]);
        self.o_proj.forward(output)
    }
}

/// Causal attention of `[batch, heads, new, dim]` to `[batch, groups, seq, dim]`, where the queries
/// are the last positions.
///
/// Rows are padded on the right, so the causal mask alone keeps every real token from seeing
/// padding.
fn grouped_attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    let [batch, heads, new, dim] = query.dims();
    let [_, groups, ..] = key.dims();
    // A single new position sees everything, so the queries that share a key can stand side by
    // side: the cache is not copied.
    let single = new == 1;
    let options = AttentionModuleOptions {
        is_causal: !single,
        ..Default::default()
    };
    let (query, key, value) = if single {
        (
            query.reshape([batch, groups, heads / groups, dim]),
            key,
            value,
        )
    } else {
        (query, repeat_heads(key, heads), repeat_heads(value, heads))
    };
    attention(query, key, value, None, None, options).reshape([batch, heads, new, dim])
}

/// `[batch, groups, seq, dim]` to `[batch, heads, seq, dim]`: head h reads group h / (heads /
/// groups).
fn repeat_heads(tensor: Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, groups, seq, dim] = tensor.dims();
    if groups == heads {
        return tensor;
    }
    let repeated = tensor.unsqueeze_dim::<5>(2).repeat_dim(2, heads / groups);
    repeated.reshape([batch, heads, seq, dim])
}

#[derive(Module, Debug)]
pub(super) struct Mlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Mlp {
    fn new(maker: &mut impl Maker, config: &LlamaConfig) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            gate_proj: Linear::new(maker, width, inner, false),
            up_proj: Linear::new(maker, width, inner, false),
            down_proj: Linear::new(maker, inner, width, false),
        }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let gate = silu(self.gate_proj.forward(input.clone()));
        self.down_proj.forward(gate * self.up_proj.forward(input))
    }
}

#[derive(Module, Debug)]
pub(super) struct Layer {
    input_layernorm: RmsNorm,
    self_attn: Attention,
    post_attention_layernorm: RmsNorm,
    mlp: Mlp,
}

impl Layer {
    pub(super) fn new(maker: &mut impl Maker, config: &LlamaConfig) -> Self {
        let (width, eps) = (config.hidden_size, config.rms_norm_eps);
        Self {
            input_layernorm: RmsNorm::new(maker, width, eps),
            self_attn: Attention::new(maker, config),
            post_attention_layernorm: RmsNorm::new(maker, width, eps),
            mlp: Mlp::new(maker, config),
        }
    }

    pub(super) fn forward(
        &self,
        input: Tensor<3>,
        rope: &Rope,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(input.clone());
        let middle = input + self.self_attn.forward(normed, rope, cache);
        let normed = self.post_attention_layernorm.forward(middle.clone());
        middle + self.mlp.forward(normed)
    }
}
