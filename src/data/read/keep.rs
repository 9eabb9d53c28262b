//! What a reader makes of what a row says, by the kind of example that is read.

use crate::data::example::{BinaryExample, Example, PreferenceExample, ScoredExample, SftExample};
use crate::data::read::report::ReadReport;
use crate::data::read::row::parsed::Feedback;
use crate::data::read::row::ranked::Ranked;
use crate::data::read::rows::wrong;
use crate::data::read::settings::ReadSettings;
use crate::data::reason::{DropReason, LeftOutReason};
use crate::error::Error;
use std::fmt;
use std::path::Path;

/// An example that a [`Reader`](crate::data::Reader) can read: [`SftExample`], [`BinaryExample`],
/// [`PreferenceExample`], [`ScoredExample`].
pub trait ReadExample: FromRow {}

impl<T: FromRow> ReadExample for T {}

/// Bytes of the examples of one row, which may be the square of its own: a prompt is in each.
const MOST: usize = 256 << 20;

/// What makes examples of rows, for the kinds of this crate only.
pub trait FromRow: Example + Send + 'static {
    /// Hands on what it makes of what a row says, or says why not.
    fn from_row(
        settings: &ReadSettings,
        feedback: Feedback,
        sink: &mut Sink<'_, Self>,
    ) -> Result<(), Error>
    where
        Self: Sized;
}

impl FromRow for BinaryExample {
    fn from_row(
        _settings: &ReadSettings,
        feedback: Feedback,
        sink: &mut Sink<'_, Self>,
    ) -> Result<(), Error> {
        match feedback {
            Feedback::Binary(example) => sink.unit(vec![example]),
            Feedback::Preference(pair) => sink.unit(pair.into_binary().into()),
            Feedback::Ranked(ranked) if ranked.bytes_of_each() > MOST => {
                sink.dropped(DropReason::MakesTooMuch, None)
            }
            Feedback::Ranked(ranked) => {
                let (thumbs, middle) = ranked.thumbs();
                sink.left_out(LeftOutReason::AtMedian, middle)?;
                if ranked.ranked() == 0 {
                    return sink.without_order(&ranked, DropReason::NoneRanked);
                }
                sink.each(thumbs)
            }
            Feedback::Sft(_, nulls) if nulls.label => sink.dropped(DropReason::NoLabel, None),
            Feedback::Sft(_, nulls) if nulls.rejected => {
                sink.dropped(DropReason::EmptyCompletion, None)
            }
            Feedback::Scored(_) => sink.wrong(
                "\"label\" is missing: thumbs need one, true or false; rows with a \"score\" are \
                 for read_scored, in burn-kto align with --threshold (data.threshold)",
            ),
            _ => sink.wrong(
                "\"label\" is missing: thumbs need one, true or false; without, it is a \
                 demonstration (sft)",
            ),
        }
    }
}

impl FromRow for PreferenceExample {
    fn from_row(
        settings: &ReadSettings,
        feedback: Feedback,
        sink: &mut Sink<'_, Self>,
    ) -> Result<(), Error> {
        match feedback {
            Feedback::Preference(example) => sink.unit(vec![example]),
            Feedback::Ranked(ranked) if ranked.bytes_of_pairs(settings.pairs) > MOST => {
                sink.dropped(DropReason::MakesTooMuch, None)
            }
            Feedback::Ranked(ranked) => {
                let pairs = ranked.pairs(settings.pairs);
                if pairs.is_empty() {
                    return sink.without_order(&ranked, DropReason::NoneBetter);
                }
                sink.each(pairs)
            }
            Feedback::Sft(_, nulls) if nulls.rejected => {
                sink.dropped(DropReason::EmptyCompletion, None)
            }
            Feedback::Binary(_) => sink.wrong(
                "is a thumb (kto, bco), where a pair is needed: \"chosen\" and \"rejected\"",
            ),
            _ => sink.wrong(
                "is a demonstration (sft), where a pair is needed: \"chosen\" and \"rejected\"",
            ),
        }
    }
}

impl FromRow for ScoredExample {
    fn from_row(
        _settings: &ReadSettings,
        feedback: Feedback,
        sink: &mut Sink<'_, Self>,
    ) -> Result<(), Error> {
        match feedback {
            Feedback::Scored(example) => sink.unit(vec![example]),
            Feedback::Ranked(ranked) if ranked.bytes_of_each() > MOST => {
                sink.dropped(DropReason::MakesTooMuch, None)
            }
            Feedback::Ranked(ranked) => {
                let scored = ranked.scored();
                if scored.is_empty() {
                    return sink.without_order(&ranked, DropReason::NoneRanked);
                }
                sink.each(scored)
            }
            Feedback::Binary(_) => {
                sink.wrong("has a \"label\", so it needs no threshold: it is a thumb as it is")
            }
            Feedback::Preference(_) => sink.wrong("is a pair, so it needs no threshold"),
            _ => sink.wrong("scored rows need \"prompt\", \"completion\" and \"score\", a number"),
        }
    }
}

impl FromRow for SftExample {
    fn from_row(
        settings: &ReadSettings,
        feedback: Feedback,
        sink: &mut Sink<'_, Self>,
    ) -> Result<(), Error> {
        match feedback {
            Feedback::Sft(example, _) => match settings.choices.every_turn {
                true if example.bytes_of_turns() > MOST => {
                    sink.dropped(DropReason::MakesTooMuch, None)
                }
                true => sink.unit(example.into_turns()),
                false => sink.unit(vec![example]),
            },
            Feedback::Preference(pair) => sink.unit(vec![pair.into_sft()]),
            Feedback::Scored(scored) => {
                sink.unit(vec![SftExample::new(scored.prompt, scored.completion)])
            }
            Feedback::Ranked(ranked) => match ranked.best() {
                Some(example) => sink.unit(vec![example]),
                None => sink.dropped(DropReason::NoneRanked, None),
            },
            Feedback::Binary(example) if example.desirable && example.weight != 1.0 => {
                sink.wrong("has a \"weight\", which demonstrations have not")
            }
            Feedback::Binary(example) => match example.into_sft() {
                Some(example) => sink.unit(vec![example]),
                None => sink.left_out(LeftOutReason::Undesirable, 1),
            },
        }
    }
}

/// Where the examples of a row go, and the counts of what makes none.
pub struct Sink<'a, T> {
    pub(in crate::data) place: (&'a Path, usize),
    pub(in crate::data) strict: bool,
    pub(in crate::data) report: &'a mut ReadReport,
    pub(in crate::data) take: &'a mut dyn FnMut(Vec<T>) -> Result<(), Error>,
}

impl<T> fmt::Debug for Sink<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl<T> Sink<'_, T> {
    /// Examples that belong together.
    pub(in crate::data) fn unit(&mut self, examples: Vec<T>) -> Result<(), Error> {
        (self.take)(examples)
    }

    /// Examples that stand each by itself.
    fn each(&mut self, examples: Vec<T>) -> Result<(), Error> {
        let mut examples = examples.into_iter();
        examples.try_for_each(|example| self.unit(vec![example]))
    }

    /// Counts a row of no use; where the reader is strict, says what was got.
    pub(in crate::data) fn dropped(
        &mut self,
        reason: DropReason,
        got: Option<&str>,
    ) -> Result<(), Error> {
        if self.strict {
            let got = got.map_or(String::new(), |got| format!(", got {got}"));
            return self.wrong(&format!("{reason}{got}"));
        }
        *self.report.dropped.entry(reason).or_default() += 1;
        Ok(())
    }

    pub(in crate::data) fn left_out(
        &mut self,
        reason: LeftOutReason,
        count: usize,
    ) -> Result<(), Error> {
        self.report.leave_out(reason, count);
        Ok(())
    }

    /// Nothing can be said of answers that nobody put in an order; of one alone nobody could.
    fn without_order(&mut self, ranked: &Ranked, reason: DropReason) -> Result<(), Error> {
        if ranked.answers.len() > 1 {
            return self.dropped(reason, None);
        }
        self.left_out(LeftOutReason::OnlyAnswer, 1)
    }

    fn wrong(&self, message: &str) -> Result<(), Error> {
        Err(wrong(self.place.0, self.place.1, message))
    }
}
