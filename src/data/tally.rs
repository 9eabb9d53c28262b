//! Counts as people read them, and the middle of numbers.

use std::collections::BTreeMap;
use std::fmt;

/// Lines of a table: what is counted, how many, and a note.
pub(in crate::data) fn table(lines: &[(&str, usize, String)]) -> String {
    let lines = lines.iter().map(|(name, count, more)| {
        let line = format!("{name:<14}{count:>10}  {more}");
        line.trim_end().to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes how many were dropped, or left out, and why, behind a line.
pub(in crate::data) fn dropped<R: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    counts: &BTreeMap<R, usize>,
) -> fmt::Result {
    counts
        .iter()
        .try_for_each(|(reason, count)| write!(f, "; {what} {count}: {reason}"))
}

/// A column's name on one line, cut short.
pub(in crate::data) fn name(column: &str) -> String {
    let short = column.chars().take(40);
    short.flat_map(char::escape_debug).collect()
}

/// The mean; 0 of nothing.
pub(in crate::data) fn mean(values: &[f64]) -> f64 {
    // Divided first: the sum of huge numbers may be infinite.
    let n = values.len().max(1) as f64;
    let mean: f64 = values.iter().map(|value| value / n).sum();
    // And where nothing can overflow, as exactly as can be.
    let sum: f64 = values.iter().sum();
    if sum.is_finite() { sum / n } else { mean }
}

/// The median; 0 of nothing.
pub(in crate::data) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_nothing_is_zero_and_of_huge_numbers_finite() {
        assert_eq!((mean(&[]), median(&[])), (0.0, 0.0));
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(median(&[f64::MAX, 3.0, f64::MAX, 1.0]), f64::MAX / 2.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn names_stay_on_one_line() {
        assert_eq!(name("a\nb"), "a\\nb");
        assert_eq!(name(&"x".repeat(100)).len(), 40);
    }
}
