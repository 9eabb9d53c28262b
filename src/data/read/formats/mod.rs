//! The forms of feedback, and which of them a row has.

mod alpaca;
pub(super) mod choices;
mod columns;
pub(in crate::data) mod form;
mod halos;
mod hh;
mod oasst;
mod ranking;
mod sharegpt;
mod shp;
mod sides;
mod ultra_feedback;
mod verdict;

use crate::data::read::formats::choices::Choices;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::columns::{Columns, There};
use crate::data::read::row::context::in_context;
use crate::data::read::row::names;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::rows::{JsonRow, has_long_text};
use crate::data::reason::DropReason;
use crate::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// In the order in which they are looked for: those whose columns others may have too come last.
const FORMS: [&Form; 10] = [
    &oasst::FORM,
    &shp::FORM,
    &ultra_feedback::FORM,
    &halos::FORM,
    &ranking::FORM,
    &verdict::FORM,
    &alpaca::FORM,
    &sharegpt::FORM,
    &hh::FORM,
    &columns::FORM,
];

/// In the order of [`Format`].
const ORDERED: [&Form; FORMS.len()] = {
    let mut ordered = FORMS;
    let mut i = 0;
    while i < FORMS.len() {
        ordered[FORMS[i].format as usize] = FORMS[i];
        i += 1;
    }
    ordered
};

impl Format {
    /// All formats.
    pub const ALL: &'static [Self] = &{
        let mut all = [Self::Columns; ORDERED.len()];
        let mut i = 0;
        while i < ORDERED.len() {
            all[i] = ORDERED[i].format;
            i += 1;
        }
        all
    };

    const fn form(self) -> &'static Form {
        ORDERED[self as usize]
    }

    /// The name, as [`FromStr`] takes it.
    pub const fn name(self) -> &'static str {
        self.form().name
    }

    /// The names of all formats, for a program's help.
    ///
    /// ```
    /// use burn_kto::data::Format;
    /// let names: Vec<_> = Format::names().collect();
    /// assert_eq!(names[..4], ["columns", "hh", "oasst", "shp"]);
    /// ```
    pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
        ORDERED.iter().map(|form| form.name)
    }

    /// The columns that it reads, where a row has them.
    ///
    /// ```
    /// use burn_kto::data::Format;
    /// assert!(Format::Alpaca.columns().contains(&"instruction"));
    /// ```
    pub const fn columns(self) -> &'static [&'static str] {
        self.form().reads
    }

    /// What a row says, in the format that its columns tell, which must be the one that is
    /// `required`, if one is.
    pub(in crate::data) fn parse(
        required: Option<Self>,
        row: &JsonRow,
        choices: &Choices,
    ) -> Result<Said, String> {
        let columns = Columns::of(row);
        let form = Form::of(row).ok_or_else(|| unknown(&columns))?;
        if let Some(required) = required.filter(|required| *required != form.format) {
            let (name, found) = (form.name, columns.found());
            return Err(format!(
                "is not of the format {required}: its columns are those of {name}: {found}"
            ));
        }
        let mut said = Said {
            format: form.format,
            what: Vec::new(),
            got: None,
            unread: Vec::new(),
            renamed: Vec::new(),
        };
        match form.what(&columns, choices) {
            Ok(what) => said.what = what,
            Err(Wrong::Error(message)) => return Err(message),
            Err(Wrong::Useless(reason, got)) => {
                (said.what, said.got) = (vec![Parsed::Dropped(reason)], got);
                return Ok(said);
            }
        }
        // Of a row that is of no use nothing is missed.
        if said
            .what
            .iter()
            .any(|parsed| matches!(parsed, Parsed::Kept(_)))
        {
            said.unread = columns.unread();
            let known = |column: &String| form.beside.contains(&column.as_str());
            said.unread.retain(|column| !known(column));
            said.renamed = columns.renamed();
            // What is a known data set's own is no other name.
            let is_own = |name: &str| form.reads.contains(&name) && form.format != Self::Columns;
            said.renamed.retain(|(_, name)| !is_own(name));
        }
        Ok(said)
    }

    /// The format that a row's columns tell, if they do.
    pub(in crate::data) fn of(row: &JsonRow) -> Option<Self> {
        Form::of(row).map(|form| form.format)
    }

    /// All names that a column may be given: those that some format reads.
    pub(in crate::data) fn names_of_columns() -> impl Iterator<Item = &'static str> {
        let own = ORDERED.iter().flat_map(|form| form.reads);
        let names = names::ALL.iter().flat_map(|column| {
            let dotless = column.others.iter().filter(|name| !name.contains('.'));
            [&column.name].into_iter().chain(dotless)
        });
        own.chain(names).copied()
    }
}

/// What a row says, and what of it was not asked for.
#[derive(Debug)]
pub(in crate::data) struct Said {
    pub(in crate::data) format: Format,
    pub(in crate::data) what: Vec<Parsed>,
    /// What was got of a row that is of no use, where that says more than the reason.
    pub(in crate::data) got: Option<String>,
    /// Columns with something in them that were not read.
    pub(in crate::data) unread: Vec<String>,
    /// Columns that were read under another name than their own.
    pub(in crate::data) renamed: Vec<(&'static str, String)>,
}

impl Form {
    /// The form that a row's columns tell: those with something in them, if they do, else all that
    /// have a name.
    fn of(row: &JsonRow) -> Option<&'static Self> {
        [There::Filled, There::Named].into_iter().find_map(|there| {
            let columns = Columns::counting(there, row);
            let mut forms = FORMS.into_iter();
            forms.find(|form| (form.recognises)(&columns))
        })
    }

    /// What a row says, with what it has for the system and its tools.
    fn what(&self, columns: &Columns<'_>, choices: &Choices) -> Result<Vec<Parsed>, Wrong> {
        if columns.row.values().any(has_long_text) {
            return Err(DropReason::TextTooLong.into());
        }
        if let Some(rows) = self.unweighted {
            columns.unweighted(rows)?;
        }
        let said = (self.parse)(columns, choices)?.into_iter();
        said.map(|parsed| in_context(columns, parsed)).collect()
    }
}

/// What a name must be.
fn must_be() -> &'static str {
    static MUST_BE: LazyLock<String> = LazyLock::new(|| {
        let names: Vec<_> = Format::names().collect();
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        format!("must be {} or {last}", others.join(", "))
    });
    &MUST_BE
}

fn unknown(columns: &Columns<'_>) -> String {
    format!(
        "columns must be prompt + completion [+ label], messages [+ label], [prompt +] chosen + \
         rejected, or those of a data set that is known (see Format); found {}; columns of other \
         names are read with --columns, such as --columns prompt=NAME,completion=NAME",
        columns.found()
    )
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = FORMS.iter().find(|form| form.name == text);
        named.map(|form| form.format).ok_or_else(|| Error::Config {
            field: "format",
            reason: must_be(),
            value: format!("\"{text}\""),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_format_has_one_form_and_one_name() {
        assert_eq!(Format::ALL.len(), FORMS.len());
        for (place, format) in Format::ALL.iter().enumerate() {
            assert_eq!(*format as usize, place);
            assert_eq!(format.form().format, *format);
            assert_eq!(format.name().parse::<Format>().unwrap(), *format);
            assert!(!format.columns().is_empty());
        }
        assert!(FORMS.iter().all(|form| !form.reads.is_empty()));
        let error = "parquet".parse::<Format>().unwrap_err().to_string();
        assert_eq!(
            error,
            "format must be columns, hh, oasst, shp, ultra-feedback, halos, sharegpt, alpaca, \
             verdict or ranking, got \"parquet\""
        );
    }

    #[test]
    fn columns_that_were_not_read_are_known_but_those_of_the_data_set() {
        let choices = Choices {
            language: None,
            score_ratio: 1.0,
            overall_score: false,
            every_turn: false,
        };
        let unread = |row: serde_json::Value| {
            let row = row.as_object().unwrap();
            Format::parse(None, row, &choices).unwrap().unread
        };
        let row = json!({"prompt": "a", "completion": "b", "lable": 1, "id": null, "messages": []});
        assert_eq!(unread(row), ["lable"]);
        let shp = json!({"history": "a", "human_ref_A": "b", "human_ref_B": "c", "labels": 1, "domain": "d",
            "lable": 1, "score_A": 2, "score_B": 1});
        assert_eq!(unread(shp), ["lable"]);
        // What another form would read.
        let row = json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
            "input": "c", "output": "d"});
        assert_eq!(unread(row), ["input", "output"]);
    }
}
