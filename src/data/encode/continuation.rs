//! Ids of a prompt and of what follows it, tokenized together, without tokenizing the prompt for
//! each of its completions.

use crate::data::encode::marks::{after_marks, encode};
use crate::error::Error;
use crate::model::Tokenizer;
use std::sync::OnceLock;

/// Where a tokenizer's texts can be cut.
pub(in crate::data) struct Boundaries {
    texts: Vec<String>,
    /// What one of them can begin with: most characters of a text begin none.
    first: Vec<char>,
    /// The first tail that was seen, and its ids: a template ends all its prompts alike.
    usual: OnceLock<(String, Vec<u32>)>,
}

impl Boundaries {
    pub(in crate::data) fn new(tokenizer: &dyn Tokenizer) -> Self {
        let mut texts = tokenizer.boundaries();
        texts.retain(|text| !text.is_empty());
        let mut first: Vec<char> = texts.iter().filter_map(|t| t.chars().next()).collect();
        first.sort_unstable();
        first.dedup();
        Self {
            texts,
            first,
            usual: OnceLock::new(),
        }
    }

    /// Where the last of them begins; 0 if there is none. What stands before marks is not looked
    /// at: texts between marks are only text.
    fn last(&self, text: &str) -> usize {
        if self.texts.is_empty() {
            return 0;
        }
        let from = after_marks(text);
        let mut places = text[from..].char_indices().rev();
        let found = places.find(|&(at, c)| {
            let rest = &text[from + at..];
            self.first.contains(&c) && self.texts.iter().any(|t| rest.starts_with(t.as_str()))
        });
        found.map_or(0, |(at, _)| from + at)
    }

    /// Ids of a prompt's tail.
    fn tail(&self, tokenizer: &dyn Tokenizer, tail: &str) -> Result<Vec<u32>, Error> {
        match self.usual.get() {
            Some((usual, ids)) if usual == tail => Ok(ids.clone()),
            Some(_) => encode(tokenizer, tail),
            None => {
                let ids = encode(tokenizer, tail)?;
                // Another thread may have been first.
                let _ = self.usual.set((tail.into(), ids.clone()));
                Ok(ids)
            }
        }
    }
}

/// A prompt, tokenized once, to be continued.
pub(in crate::data) struct Continued<'a> {
    tokenizer: &'a dyn Tokenizer,
    /// The prompt's text from its last boundary on.
    tail: &'a str,
    /// The whole prompt's ids, of which those of the tail begin here.
    ids: Vec<u32>,
    tail_ids: usize,
}

impl<'a> Continued<'a> {
    pub(in crate::data) fn new(
        tokenizer: &'a dyn Tokenizer,
        boundaries: &Boundaries,
        prompt: &'a str,
    ) -> Result<Self, Error> {
        let (head, tail) = prompt.split_at(boundaries.last(prompt));
        let (ids, tail_ids) = if head.is_empty() {
            (encode(tokenizer, tail)?, 0)
        } else {
            let mut ids = encode(tokenizer, head)?;
            let tail_ids = ids.len();
            ids.extend(boundaries.tail(tokenizer, tail)?);
            (ids, tail_ids)
        };
        Ok(Self {
            tokenizer,
            tail,
            ids,
            tail_ids,
        })
    }

    /// Ids of what follows: those that both have together, without the prompt's. Where the end of
    /// the prompt would merge with the beginning of what follows, that is tokenized by itself. So
    /// it is behind a text that the tokenizer does not know: the same id may stand for what
    /// follows, too.
    pub(in crate::data) fn by(&self, rest: &str) -> Result<Vec<u32>, Error> {
        if self
            .ids
            .last()
            .is_some_and(|last| self.tokenizer.unknown() == Some(*last))
        {
            return encode(self.tokenizer, rest);
        }
        let both = encode(self.tokenizer, &[self.tail, rest].concat())?;
        match both.strip_prefix(&self.ids[self.tail_ids..]) {
            Some(ids) => Ok(ids.to_vec()),
            None => encode(self.tokenizer, rest),
        }
    }

    /// Ids of the prompt.
    pub(in crate::data) fn into_prompt(self) -> Vec<u32> {
        self.ids
    }
}
