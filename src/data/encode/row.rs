//! One example in token ids.

use super::continuation::{Boundaries, Continued};
use super::guard::{Guard, Unwritten};
use super::marked;
use super::settings::Settings;
use crate::data::encode::report::EncodeReport;
use crate::data::example::Prompt;
use crate::data::reason::DropReason;
use crate::data::tokens::examples::TokenizedSft;
use crate::data::tokens::ids::TokenIds;
use crate::error::Error;
use crate::model::Message;

/// A prompt and its completions.
type Tokenized<const N: usize> = (TokenIds, [TokenIds; N]);

/// Encodes examples one by one: the settings, and what does not change from example to example.
pub(super) struct RowEncoder<'a> {
    settings: Settings<'a>,
    guard: Guard,
    boundaries: Boundaries,
}

impl<'a> RowEncoder<'a> {
    pub(super) fn new(settings: Settings<'a>) -> Self {
        Self {
            settings,
            guard: settings.guard(),
            boundaries: Boundaries::new(settings.tokenizer),
        }
    }

    /// One prompt with its completions, or `None` if it had to be dropped.
    pub(super) fn row<const N: usize>(
        &self,
        prompt: &Prompt,
        completions: &[&str; N],
        report: &mut EncodeReport,
    ) -> Result<Option<Tokenized<N>>, Error> {
        if completions
            .iter()
            .any(|completion| completion.trim().is_empty())
        {
            report.drop(DropReason::EmptyCompletion);
            return Ok(None);
        }
        let written = self.guard.prompt(self.settings.template, prompt);
        let Some((text, mut marked)) = report.written(written)? else {
            return Ok(None);
        };
        let continued = Continued::new(self.settings.tokenizer, &self.boundaries, &text)?;
        let mut rests = Vec::with_capacity(N);
        let mut as_it_is = false;
        for completion in completions {
            let written = self.completion(prompt, &text, completion);
            let Some((rest, found)) = report.written(written)? else {
                return Ok(None);
            };
            let (completion, spelt) = self.guard.text(completion);
            marked |= found | spelt;
            as_it_is |= rest.is_none() && matches!(prompt, Prompt::Messages(_));
            rests.push(continued.by(rest.as_deref().unwrap_or(&completion))?);
        }
        let alone = continued.into_prompt();
        report.special_tokens_in_text += usize::from(marked);
        report.answers_as_they_are += usize::from(as_it_is);
        let (prompt, cut) = self.settings.cut_prompt(self.settings.with_bos(alone));
        if prompt.is_empty() {
            report.drop(DropReason::EmptyPrompt);
            return Ok(None);
        }
        let room = self.settings.max_length.saturating_sub(prompt.len());
        let mut lengths = Vec::with_capacity(N);
        let mut shortened = false;
        let mut finish = |mut ids: Vec<u32>| {
            if ids.last() != Some(&self.settings.tokenizer.eos()) {
                ids.push(self.settings.tokenizer.eos());
            }
            let last = ids[ids.len() - 1];
            if ids.len() > room {
                shortened = true;
                ids.truncate(room.saturating_sub(1));
                ids.push(last);
            }
            lengths.push(ids.len());
            ids
        };
        let mut rest = rests.into_iter();
        let completions: [TokenIds; N] =
            std::array::from_fn(|_| finish(rest.next().unwrap_or_default()).into());
        // One token is the end of the sequence alone: nothing of the completion is left.
        if completions.iter().any(|ids| ids.len() < 2) {
            report.drop(DropReason::NoRoom);
            return Ok(None);
        }
        report.count(prompt.len(), &lengths, cut, shortened);
        Ok(Some((prompt.into(), completions)))
    }

    /// A text that nobody asked for: all of it is scored but its first token, which has no
    /// prediction. `None` if it had to be dropped.
    pub(super) fn text(
        &self,
        text: &str,
        report: &mut EncodeReport,
    ) -> Result<Option<Tokenized<1>>, Error> {
        if text.trim().is_empty() {
            report.drop(DropReason::EmptyCompletion);
            return Ok(None);
        }
        let (text, marked) = self.guard.text(text);
        let ids = Continued::new(self.settings.tokenizer, &self.boundaries, "")?.by(&text)?;
        let mut ids = self.settings.with_bos(ids);
        let (eos, most) = (self.settings.tokenizer.eos(), self.settings.max_length);
        if ids.last() != Some(&eos) {
            ids.push(eos);
        }
        let short = ids.len() > most;
        if short {
            ids.truncate(most.saturating_sub(1));
            ids.push(eos);
        }
        if ids.len() < 3 {
            report.drop(if short {
                DropReason::NoRoom
            } else {
                DropReason::EmptyPrompt
            });
            return Ok(None);
        }
        report.special_tokens_in_text += usize::from(marked);
        let (first, rest) = ids.split_at(1);
        report.count(1, &[rest.len()], false, short);
        Ok(Some((first.to_vec().into(), [rest.to_vec().into()])))
    }

    /// What follows the prompt's text: for a conversation, up to the end of the assistant's turn as
    /// the template writes it. `None` where it writes past answers in another way than it begins
    /// the one to come; then the completion follows as it is. And whether somebody spelt a token.
    fn completion(
        &self,
        prompt: &Prompt,
        text: &str,
        completion: &str,
    ) -> Result<(Option<String>, bool), Unwritten> {
        let Prompt::Messages(messages) = prompt else {
            return Ok((None, false));
        };
        let mut messages = messages.clone();
        messages.push(Message::new("assistant", completion));
        let (whole, found) = self
            .guard
            .conversation(self.settings.template, &messages, false)?;
        let rest = whole.strip_prefix(text).map(str::trim_end);
        Ok((rest.map(str::to_string), found))
    }

    /// A conversation of which all is scored that the template marks, or `None` if it had to be
    /// dropped.
    pub(super) fn conversation(
        &self,
        before: &[Message],
        completion: &str,
        report: &mut EncodeReport,
    ) -> Result<Option<TokenizedSft>, Error> {
        if completion.trim().is_empty() {
            report.drop(DropReason::EmptyCompletion);
            return Ok(None);
        }
        let mut messages = before.to_vec();
        messages.push(Message::new("assistant", completion));
        let written = self.guard.marked(self.settings.template, &messages);
        let Some((text, found)) = report.written(written)? else {
            return Ok(None);
        };
        let Some(text) = marked::learned(text, &messages) else {
            report.drop(DropReason::MarksUnclear);
            return Ok(None);
        };
        let ids = marked::encode(self.settings.tokenizer, text)?;
        report.special_tokens_in_text += usize::from(found);
        let (ids, mut scored): (Vec<u32>, Vec<bool>) = ids.into_iter().unzip();
        let length = ids.len();
        let mut ids = self.settings.with_bos(ids);
        scored.splice(0..0, std::iter::repeat_n(false, ids.len() - length));
        let short = ids.len() > self.settings.max_length;
        let marked = scored.contains(&true);
        ids.truncate(self.settings.max_length);
        scored.truncate(self.settings.max_length);
        // The first token has no prediction.
        let first = scored.iter().skip(1).position(|scored| *scored);
        let Some(first) = first.map(|first| first + 1) else {
            report.drop(if marked && short {
                DropReason::NoRoom
            } else {
                DropReason::NothingMarked
            });
            return Ok(None);
        };
        let (prompt, completion) = ids.split_at(first);
        report.count(prompt.len(), &[completion.len()], false, short);
        let example = TokenizedSft::new(prompt, completion);
        let runs = marked::runs(&scored[first..]);
        Ok(Some(if runs.len() > 1 {
            example.with_runs(runs)
        } else {
            example
        }))
    }
}
