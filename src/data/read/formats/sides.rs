//! Which columns hold two answers, and which of them a verdict means.

use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::parsed::Wrong;
use crate::data::reason::DropReason;
use serde_json::Value;

/// What the columns of two answers are called, but for their ends.
const STEMS: [&str; 10] = [
    "response",
    "answer",
    "output",
    "completion",
    "conversation",
    "reply",
    "generation",
    "candidate",
    "assistant",
    "summary",
];

/// Their ends, and how an index counts them, if one can.
const ENDS: [(&str, &str, Option<f64>); 7] = [
    ("_a", "_b", None),
    ("_A", "_B", None),
    ("_0", "_1", Some(0.0)),
    ("_1", "_2", Some(1.0)),
    ("A", "B", None),
    ("0", "1", Some(0.0)),
    ("1", "2", Some(1.0)),
];

/// Columns that say which answer is better, the likelier ones first.
const VERDICTS: [&str; 23] = [
    "winner",
    "better_response_id",
    "better_response",
    "better_answer",
    "better_id",
    "better",
    "preferred_response",
    "preferred_answer",
    "preferred_output",
    "preferred_completion",
    "preferred",
    "chosen",
    "preference",
    "human_preference",
    "overall_preference",
    "preference_strength",
    "verdict",
    "judgment",
    "choice",
    "vote",
    "chosen_index",
    "label",
    "safer_response_id",
];

/// Those whose sign says it: below 0 the first is better.
const SIGNED: [&str; 2] = ["overall_preference", "preference_strength"];

/// Columns of scores, but for their ends.
const SCORES: [&str; 4] = ["score", "rating", "reward", "votes"];

/// What may stand before the end of a side's name in a verdict.
const BEFORE: [&str; 14] = [
    "model",
    "response",
    "answer",
    "output",
    "completion",
    "conversation",
    "assistant",
    "candidate",
    "reply",
    "generation",
    "summary",
    "option",
    "side",
    "winner",
];

/// What says that neither is better.
const TIES: [&str; 11] = [
    "tie", "both", "neither", "equal", "same", "similar", "draw", "none", "no_", "about_",
    "the_same",
];

/// What says that nobody could tell.
const UNSURE: [&str; 9] = [
    "not_sure",
    "unsure",
    "unclear",
    "unknown",
    "undecided",
    "cannot",
    "can't",
    "n/a",
    "skip",
];

/// What may stand behind the name of the better side.
const BETTER: [&str; 6] = [
    "_is_much_better",
    "_is_slightly_better",
    "_is_better",
    "_better",
    "_wins",
    "_won",
];

/// Which answer is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    First,
    Second,
    Tie,
    Missing,
}

/// The columns of two answers.
pub(super) struct Sides<'r> {
    pub(super) a: &'r str,
    pub(super) b: &'r str,
    ends: (&'static str, &'static str),
    /// The index of the first, if indices can be meant.
    first: Option<f64>,
}

impl<'r> Sides<'r> {
    /// The two answers of a row, if it has them.
    pub(super) fn of(columns: &Columns<'r>) -> Option<Self> {
        // Most rows have no such column, and are seen by their names alone.
        let is_side = |name: &&String| {
            let mut stems = STEMS.iter();
            stems.any(|stem| name.strip_prefix(stem).is_some_and(|end| !end.is_empty()))
        };
        if columns.row.keys().filter(is_side).count() < 2 {
            return None;
        }
        let own = |name: String| {
            columns
                .row
                .get_key_value(&name)
                .map(|(own, _)| own.as_str())
                .filter(|own| columns.has(&[own]))
        };
        STEMS.iter().find_map(|stem| {
            ENDS.iter().find_map(|(a, b, first)| {
                Some(Self {
                    a: own(format!("{stem}{a}"))?,
                    b: own(format!("{stem}{b}"))?,
                    ends: (a, b),
                    first: *first,
                })
            })
        })
    }

    /// Whether something says which is better.
    pub(super) fn are_judged(&self, columns: &Columns<'_>) -> bool {
        // A verdict that is null is one that is missing.
        let is_named = |name: &str| columns.row.contains_key(name);
        VERDICTS.iter().any(|name| is_named(name))
            || ["winner_model_a", "winner_model_b"]
                .into_iter()
                .all(is_named)
            || self.scores(columns).is_some()
    }

    fn scores<'c>(&self, columns: &Columns<'c>) -> Option<(Cell<'c>, Cell<'c>)> {
        SCORES.iter().find_map(|stem| {
            // In whichever letters: sides may be spelt otherwise than their scores.
            let cell = |end| {
                let name = format!("{stem}{end}");
                let mut names = columns.row.keys();
                let own = names.find(|own| own.eq_ignore_ascii_case(&name))?;
                Cell::of(columns.row, own)
            };
            Some((cell(self.ends.0)?, cell(self.ends.1)?))
        })
    }

    /// Which is better, by a verdict or, without one, by scores.
    pub(super) fn verdict(&self, columns: &Columns<'_>) -> Result<Verdict, Wrong> {
        if let Some(verdict) = one_of_three(columns)? {
            return Ok(verdict);
        }
        let given = |name: &str| columns.row.get(name).is_some_and(|v| !v.is_null());
        if let Some(name) = VERDICTS.iter().find(|name| given(name)) {
            return self.named(columns.required(name)?, columns);
        }
        let Some((a, b)) = self.scores(columns) else {
            return Ok(Verdict::Missing);
        };
        columns.looked_at(&[a.column, b.column]);
        if a.value.is_null() || b.value.is_null() {
            return Ok(Verdict::Missing);
        }
        let (a, b) = (a.number()?, b.number()?);
        Ok(match a.total_cmp(&b) {
            _ if a == b => Verdict::Tie,
            std::cmp::Ordering::Greater => Verdict::First,
            _ => Verdict::Second,
        })
    }

    /// What a verdict says.
    fn named(&self, cell: Cell<'_>, columns: &Columns<'_>) -> Result<Verdict, Wrong> {
        let unclear = || {
            let (a, b) = (self.a, self.b);
            cell.must_be(&format!("a tie, or the name of one of \"{a}\" and \"{b}\""))
        };
        if let Some(number) = cell.as_number() {
            if SIGNED.contains(&cell.column) {
                return Ok(match number {
                    0.0 => Verdict::Tie,
                    below if below < 0.0 => Verdict::First,
                    _ => Verdict::Second,
                });
            }
            let is_index = cell.column.ends_with("_id") || cell.column.ends_with("_index");
            let first = self.first.or(is_index.then_some(0.0)).ok_or_else(unclear)?;
            return match number - first {
                0.0 => Ok(Verdict::First),
                1.0 => Ok(Verdict::Second),
                _ => Err(unclear()),
            };
        }
        let Value::String(text) = cell.value else {
            return Err(unclear());
        };
        if text.trim().is_empty() {
            return Ok(Verdict::Missing);
        }
        let is_model = |name: &str| {
            let model = columns.row.get(name).and_then(Value::as_str);
            model.is_some_and(|model| model == text)
        };
        let is_side = |name: &str| columns.row.get(name) == Some(cell.value);
        let said = text.trim().to_lowercase().replace([' ', '-'], "_");
        let said = said.trim_end_matches('.').trim_matches(['[', ']']);
        let end = BETTER.iter().find_map(|end| said.strip_suffix(end));
        let named = end.unwrap_or(said);
        let means = |end: &str, column: &str, model: &str| {
            named == column.to_lowercase() || ends_as(named, end) || is_model(model)
        };
        let (a, b) = self.ends;
        match (means(a, self.a, "model_a"), means(b, self.b, "model_b")) {
            (true, false) => Ok(Verdict::First),
            (false, true) => Ok(Verdict::Second),
            // Both models have this name.
            (true, true) => Ok(Verdict::Missing),
            // The answer itself.
            _ if is_side(self.a) && !is_side(self.b) => Ok(Verdict::First),
            _ if is_side(self.b) && !is_side(self.a) => Ok(Verdict::Second),
            _ if UNSURE.iter().any(|unsure| said.starts_with(unsure)) => Ok(Verdict::Missing),
            _ if TIES.iter().any(|tie| said.starts_with(tie)) => Ok(Verdict::Tie),
            // Other rows may show that it is one of theirs.
            _ => Err(match unclear() {
                Wrong::Error(message) => Wrong::Useless(DropReason::UnclearVerdict, Some(message)),
                useless => useless,
            }),
        }
    }
}

/// Whether a verdict is the end of a side's name, behind what may stand before it.
fn ends_as(said: &str, end: &str) -> bool {
    let end = end.trim_start_matches('_').to_lowercase();
    let Some(before) = said.strip_suffix(&end) else {
        return false;
    };
    let before = before.trim_end_matches('_');
    before.is_empty() || BEFORE.contains(&before)
}

/// A verdict in three columns of which one is set.
fn one_of_three(columns: &Columns<'_>) -> Result<Option<Verdict>, Wrong> {
    let [a, b, tie] = ["winner_model_a", "winner_model_b", "winner_tie"].map(|name| {
        let cell = columns.named(name).filter(|cell| cell.is_given());
        cell.map(Cell::thumb).transpose()
    });
    Ok(match (a?, b?, tie?) {
        (None, None, _) => None,
        (Some(true), Some(false), Some(false) | None) => Some(Verdict::First),
        (Some(false), Some(true), Some(false) | None) => Some(Verdict::Second),
        (Some(false), Some(false), _) => Some(Verdict::Tie),
        _ => {
            let message = "\"winner_model_a\", \"winner_model_b\" and \"winner_tie\" must have one \
                           1 and otherwise 0";
            return Err(message.into());
        }
    })
}
