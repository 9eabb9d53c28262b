//! A model that gives one number to a completion.

use super::CausalLm;
use crate::error::Error;
use crate::math::upcast;
use crate::sequence::Sequences;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};

/// A model whose last hidden states can be had.
pub trait HiddenStates: CausalLm {
    /// `[batch, seq]` to `[batch, seq, width]`.
    fn hidden_states(&self, sequences: &Sequences) -> Tensor<3>;

    /// Whether the states of these sequences can be had. The last token is read too, unlike in
    /// [`CausalLm::check`], which is what is asked by default.
    ///
    /// # Errors
    ///
    /// Where a sequence is too long for the model, or has tokens that it does not know.
    fn check_hidden(&self, sequences: &Sequences) -> Result<(), Error> {
        self.check(sequences)
    }

    /// Size of a hidden state.
    fn width(&self) -> usize;
}

/// A scalar head on the last hidden state of a sequence.
///
/// Train it with [`RewardLoss`](crate::loss::RewardLoss). The head begins at 0: every completion is
/// worth the same. From rewards to thumbs: [`ScoredExample`](crate::data::ScoredExample).
#[derive(Module, Debug)]
pub struct RewardModel<M: Module> {
    /// What reads the completions.
    pub backbone: M,
    /// `[width]`
    pub head: Param<Tensor<1>>,
}

impl<M: HiddenStates> RewardModel<M> {
    /// A head of zeros on top of `backbone`, whose parameters are on `device`.
    pub fn new(backbone: M, device: &Device) -> Self {
        let head = Tensor::zeros([backbone.width()], device);
        Self {
            backbone,
            head: Param::from_tensor(head),
        }
    }

    /// The reward of each sequence, `[batch]`: the head on the hidden state of its last real token;
    /// of the first, which means nothing, where a row has none.
    ///
    /// # Panics
    ///
    /// Whatever the backbone panics at.
    pub fn rewards(&self, sequences: &Sequences) -> Tensor<1> {
        let [batch, _] = sequences.dims();
        let hidden = self.backbone.hidden_states(sequences);
        let [.., width] = hidden.dims();
        let mask = sequences.attention_mask.clone().without_autodiff();
        let last: Tensor<2, Int> = (mask.int().sum_dim(1) - 1).clamp_min(0);
        let index = last.unsqueeze_dim::<3>(2).expand([batch, 1, width]);
        let states = hidden.gather(1, index).reshape([batch, width]);
        let states = upcast(states);
        let head = upcast(self.head.val()).cast(states.dtype());
        (states * head.unsqueeze_dim::<2>(0))
            .sum_dim(1)
            .squeeze_dim::<1>(1)
    }
}
