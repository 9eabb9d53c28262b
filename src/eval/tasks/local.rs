//! A model of this process as a subject.

use crate::error::Error;
use crate::eval::tasks::task::{Completion, Subject, Texts};
use crate::model::{ChatTemplate, Generate, GenerationConfig, Message, Sampling, Tokenizer};
use burn::module::Module;
use burn::tensor::Device;

/// Any burn model with its tokenizer: [`CausalLm`](crate::model::CausalLm) answers
/// [`Choice`](crate::eval::Choice)s, [`Generate`] answers
/// [`Completion`]s.
#[derive(Clone)]
pub struct LocalModel<'a, M> {
    pub(super) model: M,
    pub(super) tokenizer: &'a dyn Tokenizer,
    template: Option<&'a dyn ChatTemplate>,
    stop_tokens: Vec<u32>,
    pub(super) max_length: usize,
    pub(super) batch_tokens: usize,
    pub(super) device: Device,
}

impl<M> std::fmt::Debug for LocalModel<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalModel")
            .field("chat", &self.template.is_some())
            .field("max_length", &self.max_length)
            .finish_non_exhaustive()
    }
}

impl<'a, M: Module> LocalModel<'a, M> {
    /// A model on `device` that reads at most `max_length` tokens. Gradients are not kept.
    pub fn new(
        model: &M,
        tokenizer: &'a dyn Tokenizer,
        max_length: usize,
        device: &Device,
    ) -> Self {
        Self {
            model: model.valid(),
            tokenizer,
            template: None,
            stop_tokens: vec![tokenizer.eos()],
            max_length,
            batch_tokens: 4096,
            device: device.clone().inner(),
        }
    }

    /// Puts every prompt to the model as a user's message. Without, prompts are continued as they
    /// stand, as the papers do.
    #[must_use]
    pub fn with_chat(mut self, template: &'a dyn ChatTemplate) -> Self {
        self.template = Some(template);
        self
    }

    /// Tokens that end a text; the tokenizer's end of sequence unless said.
    #[must_use]
    pub fn with_stop_tokens(mut self, stop_tokens: &[u32]) -> Self {
        self.stop_tokens = stop_tokens.to_vec();
        self
    }

    /// Scores so many tokens in one forward pass; 4096 unless said. Less needs less memory.
    #[must_use]
    pub fn with_batch_tokens(mut self, batch_tokens: usize) -> Self {
        self.batch_tokens = batch_tokens.max(1);
        self
    }

    pub(super) fn rendered(&self, prompt: &str) -> Result<String, Error> {
        match self.template {
            Some(template) => template.render(&[Message::new("user", prompt)], true),
            None => Ok(prompt.into()),
        }
    }

    /// Ids with the beginning of sequence, if the model expects one; a chat template may have
    /// written it already.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let mut ids = self.tokenizer.encode(text)?;
        match self.tokenizer.bos() {
            Some(bos) if ids.first() != Some(&bos) => ids.insert(0, bos),
            _ => {}
        }
        Ok(ids)
    }
}

impl<M: Module + Generate> Subject<Completion> for LocalModel<'_, M> {
    fn answer(&self, requests: &[Completion]) -> Result<Vec<Texts>, Error> {
        let mut answers: Vec<Option<Texts>> = vec![None; requests.len()];
        // Greedy requests are written together; draws are seeded, so each request with its samples
        // by itself.
        let mut left: Vec<usize> = (0..requests.len()).collect();
        while let Some(&first) = left.first() {
            let together: Vec<usize> = left
                .iter()
                .copied()
                .filter(|&i| i == first || alike(&requests[first], &requests[i]))
                .collect();
            left.retain(|i| !together.contains(i));
            let parts: Vec<&Completion> = together.iter().map(|&i| &requests[i]).collect();
            for (i, texts) in together.iter().zip(self.write(&parts)?) {
                answers[*i] = Some(texts);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

fn alike(a: &Completion, b: &Completion) -> bool {
    let greedy = a.temperature == 0.0 && b.temperature == 0.0;
    greedy && a.max_tokens == b.max_tokens && a.stop == b.stop
}

impl<M: Module + Generate> LocalModel<'_, M> {
    /// Requests that are alike.
    fn write(&self, requests: &[&Completion]) -> Result<Vec<Texts>, Error> {
        let first = requests[0];
        let greedy = first.temperature == 0.0;
        // Every greedy sample is the same text, so one is written.
        let samples = if greedy { 1 } else { first.samples };
        let room = self.max_length.saturating_sub(first.max_tokens);
        // What is left of a prompt then is no question any more, and the score none of the
        // benchmark.
        let reason = "must leave room for a prompt in the longest sequence";
        let value = format!("{} of {}", first.max_tokens, self.max_length);
        Error::check(room > 0, "max_tokens", reason, value)?;
        let mut prompts = Vec::new();
        let mut truncated = Vec::new();
        for request in requests {
            let mut ids = self.encode(&self.rendered(&request.prompt)?)?;
            let excess = ids.len().saturating_sub(room);
            truncated.push(excess > 0);
            ids.drain(..excess);
            prompts.extend(std::iter::repeat_n(ids, samples));
        }
        let sampling = if greedy {
            Sampling::Greedy
        } else {
            Sampling::Random {
                temperature: first.temperature,
                top_k: 0,
                top_p: first.top_p,
            }
        };
        let config = GenerationConfig::new()
            .with_max_new_tokens(first.max_tokens)
            .with_sampling(sampling)
            .with_seed(first.seed)
            .with_stop_tokens(self.stop_tokens.clone());
        let stopped = |_: usize, tokens: &[u32]| {
            // A stop that ends here begins at most its own length before, so the last tokens are
            // enough to see it.
            let tail = &tokens[tokens.len().saturating_sub(LOOK_BACK)..];
            let text = self.tokenizer.decode(tail).unwrap_or_default();
            first.stop.iter().any(|stop| text.contains(stop))
        };
        let written = self.model.generate_until(&prompts, &config, &stopped)?;
        let written: Vec<_> = prompts.iter().zip(&written).collect();
        let mut answers = Vec::new();
        for ((rows, request), truncated) in written.chunks(samples).zip(requests).zip(truncated) {
            let texts: Result<Vec<String>, Error> = rows
                .iter()
                .map(|(prompt, tokens)| {
                    let end = match tokens.split_last() {
                        Some((last, before)) if self.stop_tokens.contains(last) => before,
                        _ => &tokens[..],
                    };
                    Ok(until(
                        decode_after(self.tokenizer, prompt, end)?,
                        &request.stop,
                    ))
                })
                .collect();
            let mut texts = texts?;
            if greedy {
                texts = vec![texts[0].clone(); request.samples];
            }
            answers.push(Texts { texts, truncated });
        }
        Ok(answers)
    }
}

/// Text of tokens behind others. Alone, some tokenizers (Llama 2's) take their first space away,
/// and with it the indentation of code.
fn decode_after(
    tokenizer: &dyn Tokenizer,
    before: &[u32],
    tokens: &[u32],
) -> Result<String, Error> {
    let last = &before[before.len().saturating_sub(1)..];
    let head = tokenizer.decode(last)?;
    let whole = tokenizer.decode(&[last, tokens].concat())?;
    match whole.strip_prefix(&head) {
        // A character whose bytes lie on both sides cannot be cut.
        Some(text) if !head.ends_with(char::REPLACEMENT_CHARACTER) => Ok(text.into()),
        _ => tokenizer.decode(tokens),
    }
}

/// Tokens in which a stop is looked for; every stop in use is shorter.
const LOOK_BACK: usize = 24;

/// The text before the first of the stops.
pub(in crate::eval) fn until(mut text: String, stops: &[String]) -> String {
    let first = stops.iter().filter(|stop| !stop.is_empty());
    if let Some(end) = first.filter_map(|stop| text.find(stop)).min() {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ByteTokenizer;

    /// Takes the first space away, as Llama 2's tokenizer does.
    struct Stripping;

    impl Tokenizer for Stripping {
        fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
            ByteTokenizer.encode(text)
        }

        fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
            let text = ByteTokenizer.decode(tokens)?;
            Ok(text.strip_prefix(' ').unwrap_or(&text).into())
        }

        fn vocab_size(&self) -> usize {
            ByteTokenizer.vocab_size()
        }

        fn bos(&self) -> Option<u32> {
            None
        }

        fn eos(&self) -> u32 {
            ByteTokenizer.eos()
        }

        fn pad(&self) -> u32 {
            ByteTokenizer.pad()
        }
    }

    #[test]
    fn code_keeps_its_indentation() {
        let text = |before: &str, after: &str| {
            let [before, after] = [before, after].map(|t| Stripping.encode(t).unwrap());
            decode_after(&Stripping, &before, &after).unwrap()
        };
        assert_eq!(text("def f():\n", "    return 1"), "    return 1");
        assert_eq!(text("a ", " b"), " b");
        assert_eq!(text("", "b"), "b");
        // Half a character before.
        let [first, rest @ ..] = "é!".as_bytes() else {
            unreachable!()
        };
        let rest: Vec<u32> = rest.iter().map(|b| u32::from(*b)).collect();
        let got = decode_after(&Stripping, &[u32::from(*first)], &rest).unwrap();
        assert!(got.ends_with('!'), "{got}");
    }
}
