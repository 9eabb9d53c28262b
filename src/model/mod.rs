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
mod generate;
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

pub(crate) use chat::TOOLS;
pub use chat::{ChatTemplate, Marked, Message, PlainTemplate};
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

use crate::logprob::sequence_log_probs;
use crate::sequence::Sequences;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

/// All that is asked of a model that is to be trained: one method.
///
/// Its body is usually one line, from logits with
/// [`token_log_probs`](crate::logprob::token_log_probs) and a mask, or without ever holding the
/// logits with [`FusedLinearLogProbs`](crate::logprob::FusedLinearLogProbs).
pub trait CausalLm: Module + ModuleDisplay {
    /// `[batch, seq]` to `[batch, seq - 1]`: log p(token t+1 | tokens ≤ t), exactly zero where
    /// token t+1 is not a completion token.
    fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2>;

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
