//! Questions with lettered answers.

use crate::error::Error;
use std::path::Path;

use crate::eval::tasks::source::{read_text, wrong};

/// A question with four answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::eval) struct Question {
    pub(in crate::eval) text: String,
    pub(in crate::eval) choices: [String; 4],
    pub(in crate::eval) answer: usize,
}

pub(in crate::eval) const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

/// Index of the largest; the first of equals, and NaN never wins.
pub(in crate::eval) fn argmax(values: &[f64]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (i, value) in values.iter().enumerate() {
        if !value.is_nan() && best.is_none_or(|best| *value > values[best]) {
            best = Some(i);
        }
    }
    best
}

/// Reads either shape of file: with a header and answers 0 to 3, or without one and answers A to D.
pub(in crate::eval) fn read_questions(path: &Path) -> Result<Vec<Question>, Error> {
    let text = read_text(path)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut questions = Vec::new();
    for (i, row) in reader.records().enumerate() {
        let row = row.map_err(|error| wrong(path, i + 1, format!("is not CSV: {error}")))?;
        let line = row.position().map_or(i + 1, |at| at.line() as usize);
        let fields: Vec<&str> = row.iter().collect();
        if i == 0 && fields.first() == Some(&"question") && fields.last() == Some(&"answer") {
            continue;
        }
        let [text, a, b, c, d, answer] = fields[..] else {
            let message = format!(
                "a question needs 6 fields (text, four choices, answer), got {}",
                fields.len()
            );
            return Err(wrong(path, line, message));
        };
        let letter = LETTERS.iter().position(|letter| *letter == answer.trim());
        let digit = ["0", "1", "2", "3"]
            .iter()
            .position(|d| *d == answer.trim());
        let Some(answer) = letter.or(digit) else {
            let message = format!("an answer is 0 to 3 or A to D, got {answer:?}");
            return Err(wrong(path, line, message));
        };
        questions.push(Question {
            text: text.into(),
            choices: [a, b, c, d].map(String::from),
            answer,
        });
    }
    if questions.is_empty() {
        let message = format!("{}: has no question", path.display());
        return Err(Error::Dataset { message });
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_wins_and_nan_never_does() {
        assert_eq!(argmax(&[-2.0, -1.0, -1.0]), Some(1));
        assert_eq!(argmax(&[f64::NAN, f64::NEG_INFINITY]), Some(1));
        assert_eq!(argmax(&[f64::NAN]), None);
    }
}
