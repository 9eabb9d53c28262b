//! What the crate asks of a language model, and models to run it on.
//!
//! | trait | asks for | needed by |
//! |---|---|---|
//! | [`CausalLm`] | log-probabilities of given tokens | losses, references, the trainer |
//! | [`Logits`] | the logits behind them | WPO, smoothed labels |
//! | [`HiddenStates`] | the last hidden states | reward models |
//! | [`Generate`] | new tokens after a prompt | sampling feedback, win rates |
//! | [`Tokenizer`] | text to ids and back | data |
//! | [`ChatTemplate`] | a conversation as one text | conversational data |

mod chat;
#[cfg(feature = "llama")]
mod companions;
#[cfg(feature = "hub")]
pub(crate) mod download;
mod generate;
#[cfg(feature = "hub")]
pub(crate) mod repository;
mod reward;
#[cfg(feature = "llama")]
mod sampling;
mod tokenizer;

#[cfg(any(feature = "llama", feature = "tokenizers"))]
mod files;
#[cfg(all(feature = "llama", feature = "tokenizers"))]
mod folder;
#[cfg(feature = "tokenizers")]
mod hf_tokenizer;
#[cfg(all(feature = "llama", feature = "tokenizers"))]
mod hub;
#[cfg(feature = "tokenizers")]
mod jinja;
#[cfg(feature = "llama")]
pub mod llama;

pub use chat::{ChatTemplate, Marked, Message, PlainTemplate};
pub(crate) use chat::{TOOLS, WEIGHT};
pub use generate::{Generate, GenerationConfig, Sampling};
pub use reward::{HiddenStates, RewardModel};
pub use tokenizer::{ByteTokenizer, Placed, Tokenizer};

#[cfg(all(feature = "llama", feature = "tokenizers"))]
pub use folder::ModelFolder;
#[cfg(feature = "tokenizers")]
pub use hf_tokenizer::HfTokenizer;
#[cfg(feature = "tokenizers")]
pub use jinja::JinjaTemplate;
#[cfg(feature = "llama")]
pub use llama::{Llama, LlamaConfig};

use crate::error::Error;
use crate::logprob::sequence_log_probs;
use crate::sequence::Sequences;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

/// All that is asked of a model that is to be trained: one method.
///
/// Its body is usually one line, from logits with
/// [`token_log_probs`](crate::logprob::token_log_probs) and a mask, or without ever holding the
/// logits with [`FusedLinearLogProbs`](crate::logprob::FusedLinearLogProbs).
///
/// # What the model reads
///
/// Rows are padded on the right: the tokens of a row stand together from position 0 on, padding
/// after them, and `attention_mask` says which is which. Padding holds the id that the batcher was
/// given, [`Tokenizer::pad`] as a rule: an id like any other, so that it can be looked up in the
/// embedding, and often one that also stands in texts, so that it says nothing by itself. The
/// tensors are on the device of the policy without autodiff, whether a gradient is wanted or not.
///
/// # What it must keep to
///
/// - **Causality.** What comes out at `t` depends on tokens 0 to `t` of its row and on nothing
///   else: not on later tokens, which would give the answer away, and not on other rows. With that,
///   padding on the right changes no real position, and a causal model may leave `attention_mask`
///   alone. A model that looks both ways within a prompt, or that normalizes over the batch, has to
///   mask padding itself.
/// - **Zeros.** At `t`, exactly zero, and no gradient, wherever
///   [`target_mask`](Sequences::target_mask) is false: where token `t + 1` belongs to the prompt,
///   is padding, or is a part of the completion that is not scored. Elsewhere log p, at most 0,
///   where a zero would be a certainty.
/// - **Repeatability.** The same sequences give the same numbers in
///   [`valid`](burn::module::Module::valid) mode, where dropout is off: references and held-out
///   metrics rely on it.
///
/// # Example
///
/// A recurrent model. That it is causal, and zero where it must be, is checked as one would check a
/// model of one's own; `examples/custom_model.rs` trains it.
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, gru::{Gru, GruConfig}};
/// use burn::tensor::{Device, Tensor};
/// use burn_kto::prelude::*;
///
/// #[derive(Module, Debug)]
/// struct Recurrent {
///     embedding: Embedding,
///     gru: Gru,
///     head: Linear,
/// }
///
/// impl CausalLm for Recurrent {
///     fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2> {
///         let [_, seq] = sequences.dims();
///         // The last token predicts nothing that is there.
///         let context = sequences.tokens.clone().narrow(1, 0, seq - 1);
///         let states = self.gru.forward(self.embedding.forward(context), None);
///         let log_probs = token_log_probs(self.head.forward(states), sequences.targets());
///         log_probs.mask_fill(sequences.target_mask().bool_not(), 0.0)
///     }
/// }
///
/// let device = Device::flex();
/// let model = Recurrent {
///     embedding: EmbeddingConfig::new(10, 8).init(&device),
///     gru: GruConfig::new(8, 8, true).init(&device),
///     head: LinearConfig::new(8, 10).init(&device),
/// };
/// let scores = |first: &[u32], pad: u32| {
///     let rows: [(&[u32], &[u32]); 2] = [(&[1, 2], first), (&[4], &[5])];
///     let scores = model.token_log_probs(&Sequences::padded(rows, pad, &device));
///     scores.into_data().try_to_vec::<f32>().unwrap()
/// };
/// // Row 0 is 1 2 3 6 and predicts 2 3 6; row 1 is 4 5 and padding, and predicts 5.
/// let known = scores(&[3, 6], 0);
/// let zero: Vec<bool> = known.iter().map(|score| *score == 0.0).collect();
/// assert_eq!(zero, [true, false, false, false, true, true]);
/// // Another last token changes what is said about it, and nothing before.
/// let other = scores(&[3, 7], 0);
/// assert!(other[1] == known[1] && other[2] != known[2]);
/// // What stands in padding does not matter.
/// assert_eq!(scores(&[3, 6], 9), known);
/// ```
pub trait CausalLm: Module + ModuleDisplay {
    /// `[batch, seq]` to `[batch, seq - 1]`: log p(token t+1 | tokens ≤ t) in nats, exactly zero
    /// where token t+1 is not a completion token.
    fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2>;

    /// Whether the model can read these sequences. Whoever trains asks before it does, so that what
    /// cannot be read is an error and no panic. Yes by default.
    ///
    /// # Errors
    ///
    /// Where a sequence is too long for the model, or has tokens that it does not know.
    fn check(&self, sequences: &Sequences) -> Result<(), Error> {
        let _ = sequences;
        Ok(())
    }

    /// Sum over the completion tokens, `[batch]`; in f32 at least, whatever the model computes in.
    fn log_probs(&self, sequences: &Sequences) -> Tensor<1> {
        sequence_log_probs(self.token_log_probs(sequences), sequences.target_mask())
    }
}

/// A model that shows the distribution behind its log-probabilities.
pub trait Logits: CausalLm {
    /// `[batch, seq]` to `[batch, seq - 1, vocab]`: the logits at `t` predict the token at `t + 1`.
    /// They take memory: 4 bytes times the vocabulary for every position.
    fn logits(&self, sequences: &Sequences) -> Tensor<3>;
}
