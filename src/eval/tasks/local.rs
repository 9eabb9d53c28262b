//! A model of this process as a subject.

use crate::error::Error;
use crate::eval::tasks::task::{Choice, Completion, LogProbs, Subject, Texts};
use crate::model::{
    CausalLm, ChatTemplate, Generate, GenerationConfig, Message, Sampling, Tokenizer,
};
use crate::sequence::Sequences;
use burn::module::Module;
use burn::tensor::Device;

/// Any burn model with its tokenizer: [`CausalLm`] answers [`Choice`]s, [`Generate`] answers
/// [`Completion`]s.
#[derive(Clone)]
pub struct LocalModel<'a, M> {
    model: M,
    tokenizer: &'a dyn Tokenizer,
    template: Option<&'a dyn ChatTemplate>,
    stop_tokens: Vec<u32>,
    max_length: usize,
    batch_tokens: usize,
    device: Device,
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

    fn rendered(&self, prompt: &str) -> Result<String, Error> {
        match self.template {
            Some(template) => template.render(&[Message::new("user", prompt)], true),
            None => Ok(prompt.into()),
        }
    }

    /// Ids with the beginning of sequence, if the model expects one; a chat template may have
    /// written it already.
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let mut ids = self.tokenizer.encode(text)?;
        match self.tokenizer.bos() {
            Some(bos) if ids.first() != Some(&bos) => ids.insert(0, bos),
            _ => {}
        }
        Ok(ids)
    }

    /// Rows of one choice: context and continuation ids.
    fn rows(&self, choice: &Choice) -> Result<Rows, Error> {
        let mut fallback = None;
        for (context, text) in choice.contexts.iter().enumerate() {
            let text = self.rendered(text)?;
            let rows: Result<Vec<_>, Error> = choice
                .continuations
                .iter()
                .map(|continuation| self.split(&text, continuation))
                .collect();
            let rows = Rows {
                context,
                truncated: false,
                rows: rows?,
            };
            let longest = rows.rows.iter().map(|(c, t)| c.len() + t.len()).max();
            if longest.is_some_and(|longest| longest <= self.max_length) {
                return Ok(rows);
            }
            fallback = Some(rows);
        }
        let Some(mut rows) = fallback.filter(|rows| !rows.rows.is_empty()) else {
            let message = "a choice needs a context and a continuation".into();
            return Err(Error::Dataset { message });
        };
        rows.truncated = true;
        for (context, continuation) in &mut rows.rows {
            let room = self.max_length.saturating_sub(continuation.len());
            if room == 0 {
                let message = format!(
                    "a continuation has {} tokens, but the model reads at most {}",
                    continuation.len(),
                    self.max_length
                );
                return Err(Error::Dataset { message });
            }
            context.drain(..context.len().saturating_sub(room));
        }
        Ok(rows)
    }

    /// Tokens of both together, cut where those of the context alone end; spaces at the end of the
    /// context belong to what follows, because tokens begin with them.
    fn split(&self, context: &str, continuation: &str) -> Result<(Vec<u32>, Vec<u32>), Error> {
        let trimmed = context.trim_end();
        // A context of spaces only keeps them: something has to come first.
        let trimmed = if trimmed.is_empty() { context } else { trimmed };
        let whole = format!("{context}{continuation}");
        let mut before = self.encode(trimmed)?;
        let mut all = self.encode(&whole)?;
        if before.is_empty() || before.len() >= all.len() {
            let message = format!("nothing to predict in {continuation:?} after {context:?}");
            return Err(Error::Dataset { message });
        }
        let after = all.split_off(before.len());
        before = all;
        Ok((before, after))
    }
}

struct Rows {
    context: usize,
    truncated: bool,
    rows: Vec<(Vec<u32>, Vec<u32>)>,
}

impl<M: CausalLm> Subject<Choice> for LocalModel<'_, M> {
    fn answer(&self, choices: &[Choice]) -> Result<Vec<LogProbs>, Error> {
        let all: Result<Vec<Rows>, Error> = choices.iter().map(|c| self.rows(c)).collect();
        let all = all?;
        let flat: Vec<&(Vec<u32>, Vec<u32>)> = all.iter().flat_map(|rows| &rows.rows).collect();
        let length = |row: usize| flat[row].0.len() + flat[row].1.len();
        // Rows of like length together: little padding.
        let mut order: Vec<usize> = (0..flat.len()).collect();
        order.sort_by_key(|&row| length(row));
        let mut log_probs = vec![0.0; flat.len()];
        let mut rest = &order[..];
        while !rest.is_empty() {
            let fits = |&n: &usize| n * length(rest[n - 1]) <= self.batch_tokens;
            let count = (1..=rest.len()).take_while(fits).last().unwrap_or(1);
            let (batch, later) = rest.split_at(count);
            let rows = batch
                .iter()
                .map(|&row| (&flat[row].0[..], &flat[row].1[..]));
            let sequences = Sequences::padded(rows, self.tokenizer.pad(), &self.device);
            let scores = self.model.log_probs(&sequences).into_data();
            for (&row, score) in batch.iter().zip(scores.iter::<f64>()) {
                log_probs[row] = score;
            }
            rest = later;
        }
        let mut log_probs = log_probs.into_iter();
        Ok(all
            .iter()
            .map(|rows| LogProbs {
                log_probs: log_probs.by_ref().take(rows.rows.len()).collect(),
                context: rows.context,
                truncated: rows.truncated,
            })
            .collect())
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
