//! Files of feedback.

use super::columns::{Parsed, parse};
use super::example::{BinaryExample, PreferenceExample, SftExample};
use super::report::ReadReport;
use super::rows::{for_each_row, wrong};
use super::score::ScoredExample;
use crate::error::Error;
use std::path::Path;

/// What was read from a file.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The examples, in the file's order.
    pub examples: Vec<T>,
    /// What became of the rows.
    pub report: ReadReport,
}

/// Reads completions with thumbs. A row with a pair makes two examples: the chosen desirable, the rejected undesirable.
///
/// # Errors
///
/// Where the file cannot be read, and at the first row that is wrong, with its line.
pub fn read_binary(path: impl AsRef<Path>) -> Result<Loaded<BinaryExample>, Error> {
    let mut loaded = read(path.as_ref(), |parsed, examples| match parsed {
        Parsed::Binary(example) => {
            examples.push(example);
            Ok(())
        }
        Parsed::Preference(pair) => {
            examples.extend(pair.into_binary());
            Ok(())
        }
        Parsed::Scored(_) => Err(
            "\"label\" is missing: thumbs need one, true or false; rows with a \"score\" are for read_scored (--threshold in the example)",
        ),
        _ => Err("\"label\" is missing: thumbs need one, true or false"),
    })?;
    let up = loaded.examples.iter().filter(|e| e.desirable).count();
    loaded.report.desirable = up;
    loaded.report.undesirable = loaded.examples.len() - up;
    Ok(loaded)
}

/// Reads pairs.
///
/// # Errors
///
/// As [`read_binary`].
pub fn read_preferences(path: impl AsRef<Path>) -> Result<Loaded<PreferenceExample>, Error> {
    read(path.as_ref(), |parsed, examples| match parsed {
        Parsed::Preference(example) => {
            examples.push(example);
            Ok(())
        }
        _ => Err("pairs need \"chosen\" and \"rejected\""),
    })
}

/// Reads completions with scores. [`ScoreLabels`](super::ScoreLabels) makes thumbs of them.
///
/// # Errors
///
/// As [`read_binary`].
pub fn read_scored(path: impl AsRef<Path>) -> Result<Loaded<ScoredExample>, Error> {
    read(path.as_ref(), |parsed, examples| match parsed {
        Parsed::Scored(example) => {
            examples.push(example);
            Ok(())
        }
        Parsed::Binary(_) => {
            Err("has a \"label\", so it needs no threshold: it is for read_binary")
        }
        _ => Err("scored rows need \"prompt\", \"completion\" and \"score\", a number"),
    })
}

/// Reads demonstrations. Of pairs the chosen are taken, of completions with thumbs the desirable; the others are counted as dropped.
///
/// # Errors
///
/// As [`read_binary`].
pub fn read_sft(path: impl AsRef<Path>) -> Result<Loaded<SftExample>, Error> {
    let mut undesirable = 0;
    let mut loaded = read(path.as_ref(), |parsed, examples| {
        match parsed {
            Parsed::Sft(example) => examples.push(example),
            Parsed::Preference(pair) => examples.push(pair.into_sft()),
            Parsed::Scored(scored) => {
                examples.push(SftExample::new(scored.prompt, scored.completion));
            }
            Parsed::Binary(example) => match example.into_sft() {
                Some(example) => examples.push(example),
                None => undesirable += 1,
            },
            Parsed::Dropped(_) => {}
        }
        Ok(())
    })?;
    if undesirable > 0 {
        loaded.report.dropped.insert("undesirable", undesirable);
    }
    Ok(loaded)
}

fn read<T>(
    path: &Path,
    mut keep: impl FnMut(Parsed, &mut Vec<T>) -> Result<(), &'static str>,
) -> Result<Loaded<T>, Error> {
    let mut examples = Vec::new();
    let mut report = ReadReport::default();
    for_each_row(path, |line, row| {
        report.rows += 1;
        match parse(&row).map_err(|message| wrong(path, line, message))? {
            Parsed::Dropped(reason) => *report.dropped.entry(reason).or_default() += 1,
            parsed => keep(parsed, &mut examples).map_err(|message| wrong(path, line, message))?,
        }
        Ok(())
    })?;
    report.examples = examples.len();
    if examples.is_empty() && report.rows > 0 {
        let message = format!("{}: no row is of use: {report}", path.display());
        return Err(Error::Dataset { message });
    }
    Ok(Loaded { examples, report })
}
