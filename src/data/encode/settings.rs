//! With what, and within which lengths, texts become token ids.

use super::guard::Guard;
use crate::model::{ChatTemplate, Tokenizer};

/// The settings of an [`Encoder`](crate::data::Encoder).
#[derive(Clone, Copy)]
pub(super) struct Settings<'a> {
    pub(super) tokenizer: &'a dyn Tokenizer,
    pub(super) template: &'a dyn ChatTemplate,
    /// Tokens of a sequence.
    pub(super) max_length: usize,
    /// Tokens of its prompt.
    pub(super) max_prompt_length: usize,
    /// Whether texts may spell special tokens.
    pub(super) trusted: bool,
    /// Whether a conversation is scored where its template marks it.
    pub(super) generation_marks: bool,
}

impl Settings<'_> {
    pub(super) fn guard(&self) -> Guard {
        if self.trusted {
            return Guard::off();
        }
        Guard::new(self.tokenizer, self.template)
    }

    pub(super) fn with_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        match self.tokenizer.bos() {
            Some(bos) if ids.first() != Some(&bos) => ids.insert(0, bos),
            _ => {}
        }
        ids
    }

    /// The end of a prompt that is too long, behind its beginning of sequence; and whether anything
    /// was cut.
    pub(super) fn cut_prompt(&self, ids: Vec<u32>) -> (Vec<u32>, bool) {
        let limit = self.max_prompt_length;
        if ids.len() <= limit {
            return (ids, false);
        }
        let bos = self
            .tokenizer
            .bos()
            .filter(|bos| ids[0] == *bos && limit > 0);
        let keep = limit - usize::from(bos.is_some());
        let tail = ids[ids.len() - keep..].iter().copied();
        (bos.into_iter().chain(tail).collect(), true)
    }
}
