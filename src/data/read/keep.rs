//! What a reader makes of what a row says, by the kind of example that is wanted.

use crate::data::example::{BinaryExample, Example, PreferenceExample, SftExample};
use crate::data::labels::ScoredExample;
use crate::data::read::report::ReadReport;
use crate::data::read::row::parsed::Said;
use crate::data::read::row::ranked::Ranked;
use crate::data::read::rows::wrong;
use crate::data::read::settings::ReadSettings;
use crate::error::Error;
use std::fmt;
use std::path::Path;

/// An example that a [`Reader`](crate::data::Reader) can read: [`SftExample`], [`BinaryExample`],
/// [`PreferenceExample`], [`ScoredExample`].
pub trait ReadExample: Kind {}

impl<T: Kind> ReadExample for T {}

/// How, which is nobody else's business.
pub trait Kind: Example + Send + 'static {
    /// Hands on what it makes of what a row says, or says why not.
    fn keep(settings: &ReadSettings, said: Said, out: &mut Out<'_, Self>) -> Result<(), Error>
    where
        Self: Sized;
}

impl Kind for BinaryExample {
    fn keep(_settings: &ReadSettings, said: Said, out: &mut Out<'_, Self>) -> Result<(), Error> {
        match said {
            Said::Binary(example) => out.unit(vec![example]),
            Said::Preference(pair) => out.unit(pair.into_binary().into()),
            Said::Ranked(ranked) => {
                let (thumbs, middle) = ranked.thumbs();
                out.left_out(MIDDLE, middle)?;
                if ranked.ranked() == 0 {
                    return out.without_order(&ranked, UNRANKED);
                }
                thumbs.into_iter().try_for_each(|thumb| out.unit(vec![thumb]))
            }
            Said::Scored(_) => out.wrong(
                "\"label\" is missing: thumbs need one, true or false; rows with a \"score\" are for read_scored (--threshold in the example)",
            ),
            _ => out.wrong("\"label\" is missing: thumbs need one, true or false; without, it is a demonstration (sft)"),
        }
    }
}

impl Kind for PreferenceExample {
    fn keep(settings: &ReadSettings, said: Said, out: &mut Out<'_, Self>) -> Result<(), Error> {
        match said {
            Said::Preference(example) => out.unit(vec![example]),
            Said::Ranked(ranked) => {
                let pairs = ranked.pairs(settings.pairs);
                if pairs.is_empty() {
                    return out.without_order(&ranked, NO_PAIR);
                }
                pairs.into_iter().try_for_each(|pair| out.unit(vec![pair]))
            }
            Said::Binary(_) => out.wrong(
                "is a thumb (kto, bco), where a pair is needed: \"chosen\" and \"rejected\"",
            ),
            _ => out.wrong(
                "is a demonstration (sft), where a pair is needed: \"chosen\" and \"rejected\"",
            ),
        }
    }
}

impl Kind for ScoredExample {
    fn keep(_settings: &ReadSettings, said: Said, out: &mut Out<'_, Self>) -> Result<(), Error> {
        match said {
            Said::Scored(example) => out.unit(vec![example]),
            Said::Ranked(ranked) => {
                let scored = ranked.scored();
                if scored.is_empty() {
                    return out.without_order(&ranked, UNRANKED);
                }
                scored.into_iter().try_for_each(|one| out.unit(vec![one]))
            }
            Said::Binary(_) => {
                out.wrong("has a \"label\", so it needs no threshold: it is a thumb as it is")
            }
            Said::Preference(_) => out.wrong("is a pair, so it needs no threshold"),
            _ => out.wrong("scored rows need \"prompt\", \"completion\" and \"score\", a number"),
        }
    }
}

impl Kind for SftExample {
    fn keep(settings: &ReadSettings, said: Said, out: &mut Out<'_, Self>) -> Result<(), Error> {
        match said {
            Said::Sft(example) if settings.every_turn => out.unit(example.into_turns()),
            Said::Sft(example) => out.unit(vec![example]),
            Said::Preference(pair) => out.unit(vec![pair.into_sft()]),
            Said::Scored(scored) => {
                out.unit(vec![SftExample::new(scored.prompt, scored.completion)])
            }
            Said::Ranked(ranked) => match ranked.best() {
                Some(example) => out.unit(vec![example]),
                None => out.dropped(UNRANKED),
            },
            Said::Binary(example) if example.desirable && example.weight != 1.0 => {
                out.wrong("has a \"weight\", which demonstrations have not")
            }
            Said::Binary(example) => match example.into_sft() {
                Some(example) => out.unit(vec![example]),
                None => out.left_out("undesirable", 1),
            },
        }
    }
}

const UNRANKED: &str = "no answer is ranked";
const NO_PAIR: &str = "no answer is better than another";
const MIDDLE: &str = "answer at the median of its prompt";

/// Where what a row says goes.
pub struct Out<'a, T> {
    pub(in crate::data) place: (&'a Path, usize),
    pub(in crate::data) strict: bool,
    pub(in crate::data) report: &'a mut ReadReport,
    pub(in crate::data) take: &'a mut dyn FnMut(Vec<T>) -> Result<(), Error>,
}

impl<T> fmt::Debug for Out<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl<T> Out<'_, T> {
    /// Examples that belong together.
    fn unit(&mut self, examples: Vec<T>) -> Result<(), Error> {
        (self.take)(examples)
    }

    pub(in crate::data) fn dropped(&mut self, reason: &'static str) -> Result<(), Error> {
        if self.strict {
            return self.wrong(reason);
        }
        *self.report.dropped.entry(reason).or_default() += 1;
        Ok(())
    }

    pub(in crate::data) fn left_out(
        &mut self,
        reason: &'static str,
        count: usize,
    ) -> Result<(), Error> {
        self.report.leave_out(reason, count);
        Ok(())
    }

    /// Nothing can be said of answers that nobody put in an order; of one alone nobody could.
    fn without_order(&mut self, ranked: &Ranked, reason: &'static str) -> Result<(), Error> {
        if ranked.answers.len() > 1 {
            return self.dropped(reason);
        }
        self.left_out("the only answer to its prompt", 1)
    }

    fn wrong(&self, message: &str) -> Result<(), Error> {
        Err(wrong(self.place.0, self.place.1, message))
    }
}
