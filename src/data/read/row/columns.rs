//! The columns that rows are known to have.

use crate::data::read::row::cell::Cell;
use crate::data::read::row::messages::TOOLS;
use crate::data::read::row::parsed::Wrong;
use crate::data::read::rows::{JsonRow, shown};
use serde_json::Value;

/// A row's columns, looked up once; `None` for one that is absent. A cell is checked when a form
/// asks what is in it: what a form has no use for is nobody's business.
#[derive(Debug)]
pub(in crate::data) struct Columns<'r> {
    /// All that the row has, also what only one data set knows.
    pub(in crate::data) row: &'r JsonRow,
    pub(in crate::data) prompt: Option<Cell<'r>>,
    pub(in crate::data) completion: Option<Cell<'r>>,
    pub(in crate::data) messages: Option<Cell<'r>>,
    pub(in crate::data) conversations: Option<Cell<'r>>,
    pub(in crate::data) chosen: Option<Cell<'r>>,
    pub(in crate::data) rejected: Option<Cell<'r>>,
    pub(in crate::data) chosen_messages: Option<Cell<'r>>,
    pub(in crate::data) rejected_messages: Option<Cell<'r>>,
    pub(in crate::data) output: Option<Cell<'r>>,
    label: Option<Cell<'r>>,
    kto_tag: Option<Cell<'r>>,
    weight: Option<Cell<'r>>,
    // Of these null is as good as absent.
    pub(in crate::data) input: Option<Cell<'r>>,
    pub(in crate::data) history: Option<Cell<'r>>,
    score: Option<Cell<'r>>,
    system: Option<Cell<'r>>,
    tools: Option<Cell<'r>>,
}

impl<'r> Columns<'r> {
    pub(in crate::data) fn of(row: &'r JsonRow) -> Self {
        let cell = |column| Cell::of(row, column);
        let given = |column| Cell::given(row, column);
        Self {
            row,
            prompt: cell("prompt"),
            completion: cell("completion"),
            messages: cell("messages"),
            conversations: cell("conversations"),
            chosen: cell("chosen"),
            rejected: cell("rejected"),
            chosen_messages: cell("chosen_messages"),
            rejected_messages: cell("rejected_messages"),
            output: cell("output"),
            label: cell("label"),
            kto_tag: cell("kto_tag"),
            weight: cell("weight"),
            input: given("input"),
            history: given("history"),
            score: given("score"),
            system: given("system"),
            tools: given(TOOLS),
        }
    }

    /// Whether the row has all of these columns.
    pub(in crate::data) fn has(&self, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.row.contains_key(*column))
    }

    /// Whether the row has two answers of which one is better.
    pub(in crate::data) fn is_pair(&self) -> bool {
        self.chosen.and(self.rejected).is_some()
            || self.chosen_messages.and(self.rejected_messages).is_some()
    }

    /// A column that the form cannot do without.
    pub(in crate::data) fn required(&self, column: &'static str) -> Result<Cell<'r>, Wrong> {
        let cell = Cell::of(self.row, column);
        cell.ok_or_else(|| format!("\"{column}\" is missing; found {}", self.found()))
    }

    /// The names of all columns, for messages.
    pub(in crate::data) fn found(&self) -> String {
        if self.row.is_empty() {
            return "none".into();
        }
        let names: Vec<_> = self.row.keys().map(String::as_str).collect();
        names.join(", ")
    }

    /// Whether there is a `label`.
    pub(in crate::data) fn has_label(&self) -> bool {
        self.label.is_some()
    }

    /// A thumb, under either of its names.
    pub(in crate::data) fn label(&self) -> Result<Option<bool>, Wrong> {
        match (self.label, self.kto_tag) {
            (Some(_), Some(_)) => Err("has both a \"label\" and a \"kto_tag\"".into()),
            (label, tag) => label.or(tag).map(Cell::thumb).transpose(),
        }
    }

    /// What a thumb counts; 1 where the row does not say.
    pub(in crate::data) fn weight(&self) -> Result<f64, Wrong> {
        let Some(weight) = self.weight else {
            return Ok(1.0);
        };
        match weight.value.as_f64() {
            Some(number) if number >= 0.0 && (number as f32).is_finite() => Ok(number),
            _ => Err(weight.must_be("a finite number that is not negative")),
        }
    }

    /// Refuses a weight where there is no thumb: it would be lost without a word.
    pub(in crate::data) fn unweighted(&self, what: &str) -> Result<(), Wrong> {
        match self.weight {
            Some(weight) if weight.value.as_f64() != Some(1.0) => Err(format!(
                "\"weight\" is for rows with a label, {what} have none, got {}",
                shown(weight.value)
            )),
            _ => Ok(()),
        }
    }

    /// A score, which makes sense only without a label.
    pub(in crate::data) fn score(&self) -> Result<Option<f64>, Wrong> {
        self.unweighted("rows without a label")?;
        self.score.map(Cell::number).transpose()
    }

    /// What the system says, where it says something.
    pub(in crate::data) fn system(&self) -> Result<Option<&'r str>, Wrong> {
        let system = self.system.map(Cell::text).transpose()?;
        Ok(system.filter(|text| !text.is_empty()))
    }

    /// A list of what can be called, or the same as text, as tables have it.
    pub(in crate::data) fn tools(&self) -> Result<Option<Value>, Wrong> {
        let Some(cell) = self.tools else {
            return Ok(None);
        };
        let must_be_list = || cell.must_be("a list");
        let tools = match cell.value {
            Value::String(text) if text.trim().is_empty() => return Ok(None),
            Value::String(json) => serde_json::from_str(json).map_err(|_| must_be_list())?,
            value => value.clone(),
        };
        match &tools {
            Value::Null => Ok(None),
            Value::Array(list) if list.is_empty() => Ok(None),
            Value::Array(_) => Ok(Some(tools)),
            other => Err(Cell {
                value: other,
                ..cell
            }
            .must_be("a list")),
        }
    }
}
