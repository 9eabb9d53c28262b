//! The columns of a row, under the names that they have, and which of them were read.

use crate::data::read::row::cell::Cell;
use crate::data::read::row::messages::unread_keys;
use crate::data::read::row::names::{self, Column};
use crate::data::read::row::parsed::Wrong;
use crate::data::read::rows::{JsonRow, shown};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Which columns of a row count as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum There {
    /// Those with something in them. Rows of a table that was put together have the columns of all
    /// others, so what a row has by name says little of what it is.
    Filled,
    /// All that have a name.
    Named,
}

/// A row's columns. A cell is checked when a form asks what is in it: what a form has no use for is
/// nobody's business, but it is known afterwards that nobody asked.
#[derive(Debug)]
pub(in crate::data) struct Columns<'r> {
    /// All that the row has.
    pub(in crate::data) row: &'r JsonRow,
    there: There,
    read: RefCell<BTreeSet<&'r str>>,
    /// Columns by their own names, and under which others they were read.
    renamed: RefCell<BTreeMap<&'static str, &'r str>>,
}

impl<'r> Columns<'r> {
    pub(in crate::data) fn of(row: &'r JsonRow) -> Self {
        Self::counting(There::Named, row)
    }

    /// Columns of which these count as there.
    pub(in crate::data) fn counting(there: There, row: &'r JsonRow) -> Self {
        Self {
            row,
            there,
            read: RefCell::default(),
            renamed: RefCell::default(),
        }
    }

    /// Whether the row has all of these columns, under just these names.
    pub(in crate::data) fn has(&self, columns: &[&str]) -> bool {
        let mut cells = columns.iter().map(|column| Cell::of(self.row, column));
        cells.all(|cell| cell.is_some_and(|cell| self.counts(cell)))
    }

    /// Whether the row has a column under one of its names, be it null.
    pub(in crate::data) fn knows(&self, column: &Column) -> bool {
        self.cells(column).any(|cell| self.counts(cell))
    }

    fn counts(&self, cell: Cell<'_>) -> bool {
        self.there == There::Named || cell.is_filled()
    }

    /// What the row has under the names of a column, its own first.
    fn cells(&self, column: &Column) -> impl Iterator<Item = Cell<'r>> {
        let own = Cell::of(self.row, column.name);
        own.into_iter().chain(self.others(column))
    }

    /// Whether the row has something in a column, under one of its names.
    pub(in crate::data) fn gives(&self, column: &Column) -> bool {
        self.cells(column).any(Cell::is_given)
    }

    /// Whether the row has a column whose name is one of its own, with something in it.
    pub(in crate::data) fn fills(&self, column: &Column) -> bool {
        self.cells(column).any(Cell::is_filled)
    }

    /// What the row has under other names of a column.
    fn others(&self, column: &Column) -> impl Iterator<Item = Cell<'r>> {
        let held = |name: &&'static str| {
            let cell = Cell::of(self.row, name)?;
            (!cell.is_given() || (column.holds)(cell.value)).then_some(cell)
        };
        column.others.iter().filter_map(held)
    }

    /// Reads a column under one of its names: its own, if there is something in it. What is empty
    /// is read where nothing else is there.
    ///
    /// # Errors
    ///
    /// Where it is there under two other names with different contents: nothing says which is
    /// meant.
    pub(in crate::data) fn find(&self, column: &'static Column) -> Result<Option<Cell<'r>>, Wrong> {
        let own = Cell::of(self.row, column.name);
        if let Some(own) = own.filter(|own| own.is_filled()) {
            return Ok(Some(self.mark(own)));
        }
        let mut others = self.others(column).filter(|other| other.is_filled());
        let Some(first) = others.next() else {
            let given = self.cells(column).find(|cell| cell.is_given());
            let empty = given.or_else(|| self.cells(column).next());
            let named = empty.filter(|empty| empty.is_given() && empty.column != column.name);
            named.iter().for_each(|named| self.read_as(column, *named));
            return Ok(empty.map(|empty| self.mark(empty)));
        };
        for other in others {
            if other.value != first.value {
                let (name, a, b) = (column.name, first.column, other.column);
                return Err(format!(
                    "\"{name}\" may be \"{a}\" or \"{b}\", which differ: say which it is, \
                     --columns {name}={a} or {name}={b}"
                )
                .into());
            }
            self.mark(other);
        }
        self.read_as(column, first);
        Ok(Some(self.mark(first)))
    }

    /// Reads a column under one of its names, where null is as good as absent.
    pub(in crate::data) fn given(
        &self,
        column: &'static Column,
    ) -> Result<Option<Cell<'r>>, Wrong> {
        Ok(self.find(column)?.filter(|cell| cell.is_given()))
    }

    /// Reads a column under this name.
    pub(in crate::data) fn named(&self, name: &str) -> Option<Cell<'r>> {
        let (column, value) = self.row.get_key_value(name)?;
        Some(self.mark(Cell { column, value }))
    }

    /// Notes that a column was read as another.
    pub(in crate::data) fn read_as(&self, column: &'static Column, cell: Cell<'r>) {
        self.renamed.borrow_mut().insert(column.name, cell.column);
    }

    fn mark(&self, cell: Cell<'r>) -> Cell<'r> {
        self.read.borrow_mut().insert(cell.column);
        cell
    }

    /// Notes that a form has looked at these by itself.
    pub(in crate::data) fn looked_at(&self, names: &[&str]) {
        for name in names {
            self.named(name);
        }
    }

    /// Columns with something in them that nobody asked for.
    pub(in crate::data) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        let mut left = Vec::new();
        for (column, value) in self.row {
            let cell = Cell { column, value };
            match read.contains(column.as_str()) {
                true => left.extend(
                    unread_keys(value)
                        .into_iter()
                        .map(|key| format!("{column}[].{key}")),
                ),
                false if cell.is_filled() => left.push(column.clone()),
                false => {}
            }
        }
        left
    }

    /// Columns that were read under other names than their own.
    pub(in crate::data) fn renamed(&self) -> Vec<(&'static str, String)> {
        let renamed = self.renamed.borrow();
        let names = renamed.iter();
        names
            .map(|(column, name)| (*column, name.to_string()))
            .collect()
    }

    /// A column that the form cannot do without.
    pub(in crate::data) fn required(&self, name: &str) -> Result<Cell<'r>, Wrong> {
        self.named(name).ok_or_else(|| self.missing(name))
    }

    /// A column that the form cannot do without, under one of its names.
    pub(in crate::data) fn needs(&self, column: &'static Column) -> Result<Cell<'r>, Wrong> {
        let cell = self.find(column)?;
        cell.ok_or_else(|| self.missing(column.name))
    }

    fn missing(&self, name: &str) -> Wrong {
        let found = self.found();
        format!(
            "\"{name}\" is missing; found {found}; a column of another name is read with \
             --columns {name}=NAME"
        )
        .into()
    }

    /// The names of all columns, for messages.
    pub(in crate::data) fn found(&self) -> String {
        if self.row.is_empty() {
            return "none".into();
        }
        let names: Vec<_> = self.row.keys().map(String::as_str).collect();
        names.join(", ")
    }

    /// A thumb, under any of its names; they must agree.
    pub(in crate::data) fn label(&self) -> Result<Option<bool>, Wrong> {
        let Some(label) = self.given(&names::LABEL)? else {
            return Ok(None);
        };
        let thumb = label.thumb()?;
        let own = Some(label).filter(|label| label.column == names::LABEL.name);
        let differs = |other: &Cell<'_>| !matches!(other.thumb(), Ok(same) if same == thumb);
        match own.and_then(|_| self.others(&names::LABEL).find(differs)) {
            Some(other) => Err(format!(
                "has both a \"label\" and a \"{}\", which differ",
                other.column
            )
            .into()),
            None => Ok(Some(thumb)),
        }
    }

    /// What a thumb counts; 1 where the row does not say.
    pub(in crate::data) fn weight(&self) -> Result<f64, Wrong> {
        let weight = self.named("weight").filter(|cell| cell.is_given());
        let Some(weight) = weight else {
            return Ok(1.0);
        };
        match weight.as_number() {
            Some(number) if number >= 0.0 && (number as f32).is_finite() => Ok(number),
            _ => Err(weight.must_be("a finite number that is not negative")),
        }
    }

    /// Refuses a weight where there is no thumb: it would be lost without a word.
    pub(in crate::data) fn unweighted(&self, what: &str) -> Result<(), Wrong> {
        match self.named("weight").filter(|cell| cell.is_given()) {
            Some(weight) if weight.as_number() != Some(1.0) => Err(format!(
                "\"weight\" is for rows with a label, {what} have none, got {}",
                shown(weight.value)
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// A score, which makes sense only without a label.
    pub(in crate::data) fn score(&self) -> Result<Option<f64>, Wrong> {
        self.unweighted("rows without a label")?;
        let score = self.find(&names::SCORE)?.filter(|score| score.is_filled());
        score.map(Cell::number).transpose()
    }
}
