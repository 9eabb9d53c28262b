//! The forms of feedback, and which of them a row has.

mod alpaca;
pub(super) mod choices;
mod columns;
pub(in crate::data) mod form;
mod halos;
mod hh;
mod oasst;
mod sharegpt;
mod shp;
mod ultra_feedback;

use crate::data::read::formats::choices::Choices;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::answer::more_than_text;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::rows::JsonRow;
use crate::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// In the order in which they are looked for: those whose columns others may have too come last.
const FORMS: [&Form; 8] = [
    &oasst::FORM,
    &shp::FORM,
    &ultra_feedback::FORM,
    &halos::FORM,
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

/// Whether some form or other reads a column, but for those of data sets that are known to have
/// others.
fn is_read(column: &str) -> bool {
    let mut forms = ORDERED.iter().filter(|form| form.reports_unread);
    forms.any(|form| form.reads.contains(&column))
}

/// Columns in which some form or other has its answers, each once.
static ANSWERS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut distinct = Vec::new();
    for column in ORDERED.iter().flat_map(|form| form.answers) {
        if !distinct.contains(column) {
            distinct.push(*column);
        }
    }
    distinct
});

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
    /// assert_eq!(names.join(" "), "columns hh oasst shp ultra-feedback halos sharegpt alpaca");
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

    /// The row's columns that may be misspelt ones: those that no format reads. None where the
    /// format's data set is known to have others.
    pub(in crate::data) fn unread(self, row: &JsonRow) -> impl Iterator<Item = &String> {
        let named = self.form().reports_unread;
        row.keys().filter(move |column| named && !is_read(column))
    }

    /// What a row says, and its format, which must be the one that is `required`, if one is.
    pub(in crate::data) fn parse(
        required: Option<Self>,
        row: &JsonRow,
        choices: &Choices,
    ) -> Result<(Self, Vec<Parsed>), Wrong> {
        let columns = Columns::of(row);
        let form = FORMS.iter().find(|form| (form.recognises)(&columns));
        let form = form.ok_or_else(|| unknown(&columns))?;
        if let Some(required) = required.filter(|required| *required != form.format) {
            let (name, found) = (form.name, columns.found());
            return Err(format!(
                "is not of the format {required}: its columns are those of {name}: {found}"
            ));
        }
        if let Some(rows) = form.unweighted {
            columns.unweighted(rows)?;
        }
        if !form.answers.is_empty() {
            let is_asked = columns.is_pair() || form.asks_apart;
            if let Some(reason) = more_than_text(row, &ANSWERS, is_asked)? {
                return Ok((form.format, vec![Parsed::Dropped(reason)]));
            }
        }
        Ok((form.format, (form.parse)(&columns, choices)?))
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

fn unknown(columns: &Columns<'_>) -> Wrong {
    format!(
        "columns must be prompt + completion [+ label], messages [+ label], [prompt +] chosen + \
         rejected, or those of a data set that is known (see Format); found {}",
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
    use serde_json::Value;

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
            "format must be columns, hh, oasst, shp, ultra-feedback, halos, sharegpt or alpaca, \
             got \"parquet\""
        );
    }

    #[test]
    fn answers_are_columns_that_are_read() {
        for form in FORMS {
            let strange = form
                .answers
                .iter()
                .find(|answer| !form.reads.contains(answer));
            assert_eq!(strange, None, "{}", form.name);
        }
    }

    #[test]
    fn a_row_with_what_a_form_reads_has_no_unread_column() {
        for form in FORMS {
            let row = |column: &&str| (column.to_string(), Value::Null);
            let mut row: JsonRow = form.reads.iter().map(row).collect();
            assert_eq!(form.format.unread(&row).next(), None, "{}", form.name);
            row.insert("lable".into(), Value::Null);
            let unread: Vec<_> = form.format.unread(&row).collect();
            let named = if form.reports_unread {
                vec!["lable"]
            } else {
                vec![]
            };
            assert_eq!(unread, named, "{}", form.name);
        }
    }
}
