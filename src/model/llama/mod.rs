//! A Llama-family decoder: Llama, SmolLM2, Mistral, Qwen2, Qwen3.
//!
//! Grouped-query attention, rotary positions, SwiGLU, RMSNorm, tied or untied head. Reads and
//! writes Hugging Face folders. For training it computes the head on completion tokens only,
//! through [`FusedLinearLogProbs`](crate::logprob::FusedLinearLogProbs): logits of prompt and
//! padding are never made.

mod cache;
mod config;
mod config_file;
mod folder;
mod generation;
mod kinds;
mod layers;
mod numbers;
mod quantised;
mod reward;
mod rope;
mod rotary;
mod weights;

use super::{CausalLm, HiddenStates, Logits};
use crate::device::check_dtype;
use crate::error::Error;
use crate::logprob::FusedLinearLogProbsConfig;
use crate::sequence::Sequences;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, FloatDType, IndexingUpdateOp, Int, Tensor, TensorData};
use cache::Cache;
pub use config::LlamaConfig;
use layers::{Embedding, Layer, Linear, Maker, RmsNorm};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use rope::Rope;
use std::sync::Arc;

/// A Llama-family decoder.
///
/// ```
/// use burn::tensor::Device;
/// use burn_kto::prelude::*;
///
/// let device = Device::flex();
/// let model = LlamaConfig::new(100, 32, 2, 4).init(7, &device);
/// let rows: [(&[u32], &[u32]); 1] = [(&[1, 5, 6], &[7, 2])];
/// let log_probs = model.log_probs(&Sequences::padded(rows, 0, &device));
/// assert_eq!(log_probs.dims(), [1]);
/// ```
#[derive(Module, Debug)]
pub struct Llama {
    model: Decoder,
    lm_head: Option<Linear>,
    #[module(skip)]
    config: Arc<LlamaConfig>,
}

#[derive(Module, Debug)]
struct Decoder {
    embed_tokens: Embedding,
    layers: Vec<Layer>,
    norm: RmsNorm,
}

impl LlamaConfig {
    /// A model with random weights, the same for the same seed on every backend.
    ///
    /// # Panics
    ///
    /// With the text of [`validate`](Self::validate).
    pub fn init(&self, seed: u64, device: &Device) -> Llama {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        Llama::random(self, seed, device)
    }
}

impl Llama {
    fn build(config: &LlamaConfig, maker: &mut impl Maker) -> Self {
        let (vocab, width) = (config.vocab_size, config.hidden_size);
        let layers = 0..config.num_hidden_layers;
        Self {
            model: Decoder {
                embed_tokens: Embedding::new(maker, vocab, width),
                layers: layers.map(|_| Layer::new(maker, config)).collect(),
                norm: RmsNorm::new(maker, width, config.rms_norm_eps),
            },
            lm_head: (!config.tie_word_embeddings).then(|| Linear::new(maker, width, vocab, false)),
            config: Arc::new(config.clone()),
        }
    }

    fn random(config: &LlamaConfig, seed: u64, device: &Device) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self::build(config, &mut Random { rng, device })
    }

    /// What it was built from.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// Last hidden states, normed, `[batch, seq]` to `[batch, seq, width]`.
    ///
    /// # Panics
    ///
    /// If the sequence is longer than [`LlamaConfig::max_length`]. An id beyond the vocabulary is
    /// out of bounds: what happens is up to the backend.
    pub fn hidden(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.run(tokens, None)
    }

    /// Logits, `[batch, seq]` to `[batch, seq, vocab]`.
    ///
    /// # Panics
    ///
    /// Whatever panics in [`hidden`](Self::hidden).
    pub fn logits(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.head(self.hidden(tokens))
    }

    /// The same model in another float type: half the memory in f16 or bf16. Norms, softmax and
    /// log-probabilities are computed in f32 all the same; an optimizer's small steps are lost in
    /// half precision, so train in f32.
    ///
    /// # Errors
    ///
    /// If its device does not compute with `dtype`.
    pub fn cast(self, dtype: FloatDType) -> Result<Self, Error> {
        struct To(FloatDType);
        impl ModuleMapper for To {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|tensor| tensor.cast(self.0))
            }
        }
        check_dtype(&self.device().inner(), dtype)?;
        Ok(self.map(&mut To(dtype)))
    }

    /// Where its weights are.
    pub fn device(&self) -> Device {
        self.model.norm.weight.val().device()
    }

    /// The weight of the head, `[vocab, width]`: the embedding's where they are tied.
    pub fn head_weight(&self) -> Tensor<2> {
        match &self.lm_head {
            Some(head) => head.weight.val(),
            None => self.model.embed_tokens.weight.val(),
        }
    }

    fn head(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [batch, seq, width] = hidden.dims();
        let rows = hidden.reshape([batch * seq, width]);
        let logits = rows.matmul(self.head_weight().transpose());
        logits.reshape([batch, seq, self.config.vocab_size])
    }

    fn run(&self, tokens: Tensor<2, Int>, mut cache: Option<&mut Cache>) -> Tensor<3> {
        let [_, seq] = tokens.dims();
        let start = cache.as_ref().map_or(0, |cache| cache.length);
        let (end, longest) = (start + seq, self.config.max_length());
        assert!(
            end <= longest,
            "the model reads at most {longest} tokens, got a sequence of {end}"
        );
        let mut hidden = self.model.embed_tokens.forward(tokens);
        let device = hidden.device().inner();
        let rope = Rope::new(&self.config, start..end, hidden.dtype(), &device);
        for (i, layer) in self.model.layers.iter().enumerate() {
            let cache = cache.as_mut().map(|cache| &mut cache.layers[i]);
            hidden = layer.forward(hidden, &rope, cache);
        }
        if let Some(cache) = cache {
            cache.length = end;
        }
        self.model.norm.forward(hidden)
    }
}

impl CausalLm for Llama {
    /// Reads the tokens back from the device. What stands in padding does not matter, and the last
    /// token is not read: a sequence may have one token more than the model reads.
    fn check(&self, sequences: &Sequences) -> Result<(), Error> {
        let refused = |message: String| Err(Error::Usage { message });
        let ([batch, seq], longest) = (sequences.dims(), self.config.max_length());
        if batch > 0 && seq < 2 {
            return refused(format!(
                "a sequence needs at least two tokens to predict one, got {seq}"
            ));
        }
        if seq > longest + 1 {
            return Err(too_long(longest, seq));
        }
        let (vocab, rows) = (self.config.vocab_size, sequences.rows());
        let beyond = |token: &&i64| usize::try_from(**token).map_or(true, |id| id >= vocab);
        match rows.iter().flatten().find(beyond) {
            Some(token) => refused(format!(
                "the model has token ids up to {}, got {token}",
                vocab - 1
            )),
            None => Ok(()),
        }
    }

    /// Reads the completion mask back from the device, and computes the head where it is true. The
    /// last token is not read: a sequence may have one token more than the model reads.
    ///
    /// # Panics
    ///
    /// Whatever panics in [`Llama::hidden`], and if rows have fewer than two tokens: then there is
    /// nothing to predict.
    fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2> {
        let [batch, seq] = sequences.dims();
        assert!(
            seq >= 2,
            "a sequence needs at least two tokens to predict one, got {seq}"
        );
        let positions = batch * (seq - 1);
        // The last token predicts nothing that is scored.
        let hidden = self.hidden(without_padding(sequences).narrow(1, 0, seq - 1));
        let [.., width] = hidden.dims();
        let hidden = hidden.reshape([positions, width]);
        let scored: Vec<i64> = sequences
            .scored_positions()
            .into_iter()
            .map(|position| position as i64)
            .collect();
        let (count, device) = (scored.len(), sequences.tokens.device().inner());
        if count == 0 {
            // Zeros that depend on the parameters, whichever are trained, so that a loss over them
            // still has a gradient: zero.
            let nothing = hidden.sum_dim(1) * 0.0;
            return nothing.reshape([batch, seq - 1]);
        }
        let scored = TensorData::new(scored, [count]);
        let scored = Tensor::<1, Int>::from_data(scored, &device);
        let targets = sequences.targets().reshape([positions]);
        let log_probs = FusedLinearLogProbsConfig::new().init().forward(
            hidden.select(0, scored.clone()),
            self.head_weight(),
            targets.select(0, scored.clone()),
        );
        let zeros = Tensor::<1>::zeros([positions], (&device, log_probs.dtype()));
        let all = zeros.select_assign(0, scored, log_probs, IndexingUpdateOp::Add);
        all.reshape([batch, seq - 1])
    }
}

impl Logits for Llama {
    fn logits(&self, sequences: &Sequences) -> Tensor<3> {
        let [_, seq] = sequences.dims();
        self.head(self.hidden(without_padding(sequences).narrow(1, 0, seq - 1)))
    }
}

impl HiddenStates for Llama {
    fn hidden_states(&self, sequences: &Sequences) -> Tensor<3> {
        self.hidden(without_padding(sequences))
    }

    fn check_hidden(&self, sequences: &Sequences) -> Result<(), Error> {
        let ([_, seq], longest) = (sequences.dims(), self.config.max_length());
        if seq > longest {
            return Err(too_long(longest, seq));
        }
        self.check(sequences)
    }

    fn width(&self) -> usize {
        self.config.hidden_size
    }
}

/// The tokens, with 0 for padding: what stands there does not matter, so it need not be an id of
/// the model.
fn without_padding(sequences: &Sequences) -> Tensor<2, Int> {
    let padding = sequences.attention_mask.clone().bool_not();
    sequences.tokens.clone().mask_fill(padding, 0)
}

fn too_long(longest: usize, seq: usize) -> Error {
    let message = format!("the model reads at most {longest} tokens, got a sequence of {seq}");
    Error::Usage { message }
}

/// Normal weights of deviation 0.02, drawn on the host so that a seed means the same on every
/// backend.
struct Random<'a> {
    rng: ChaCha8Rng,
    device: &'a Device,
}

impl Maker for Random<'_> {
    fn matrix(&mut self, out: usize, input: usize) -> Param<Tensor<2>> {
        let uniform = rand::distr::Open01;
        let mut normal = || {
            // Box-Muller: the cosine of a pair; the sine is not needed often enough to keep.
            let radius: f64 = uniform.sample(&mut self.rng);
            let angle: f64 = uniform.sample(&mut self.rng);
            let normal = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
            (0.02 * normal) as f32
        };
        let values: Vec<f32> = (0..out * input).map(|_| normal()).collect();
        let data = TensorData::new(values, [out, input]);
        Param::from_tensor(Tensor::from_data(data, self.device))
    }

    fn vector(&mut self, size: usize, value: f64) -> Param<Tensor<1>> {
        Param::from_tensor(Tensor::full([size], value, self.device))
    }
}
