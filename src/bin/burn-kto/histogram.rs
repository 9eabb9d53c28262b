//! Numbers as lines of text.

/// Columns of the longest bar.
const WIDTH: usize = 40;
/// Lines at most.
const LINES: usize = 12;

/// How often each range of lengths is there, a line each, with those beyond `limit` counted below.
pub(crate) fn histogram(lengths: &[usize], limit: Option<usize>) -> Vec<String> {
    let (Some(&low), Some(&high)) = (lengths.iter().min(), lengths.iter().max()) else {
        return vec!["none".into()];
    };
    let step = nice((high - low + 1).div_ceil(LINES));
    let first = low / step * step;
    let mut counts = vec![0; (high - first) / step + 1];
    for length in lengths {
        counts[(length - first) / step] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let line = |(i, count): (usize, &usize)| {
        let from = first + i * step;
        let range = match step {
            1 => format!("{from}"),
            _ => format!("{from}-{}", from + step - 1),
        };
        let width = (count * WIDTH).div_ceil(most);
        let line = format!("{range:>13} {count:>8}  {}", "#".repeat(width));
        line.trim_end().to_string()
    };
    let mut lines: Vec<String> = counts.iter().enumerate().map(line).collect();
    if let Some(limit) = limit {
        let beyond = lengths.iter().filter(|length| **length > limit).count();
        lines.push(format!("{:>13} {beyond:>8}", format!("over {limit}")));
    }
    lines
}

/// The next of 1, 2, 5, 10, 20, 50, …
fn nice(least: usize) -> usize {
    let mut power = 1;
    loop {
        for step in [1, 2, 5].map(|n| n * power) {
            if step >= least {
                return step;
            }
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_in_one_line() {
        let lines = histogram(&[1, 2, 2, 40], Some(30));
        assert_eq!(
            lines[0],
            format!("{:>13} {:>8}  {}", "0-4", 3, "#".repeat(40))
        );
        assert_eq!(
            lines[8],
            format!("{:>13} {:>8}  {}", "40-44", 1, "#".repeat(14))
        );
        assert_eq!(lines[9].trim(), "over 30        1");
        assert_eq!(lines.len(), 10);
        assert_eq!(histogram(&[], None), ["none"]);
        assert_eq!(
            histogram(&[7, 7], None),
            [format!("{:>13} {:>8}  {}", "7", 2, "#".repeat(40))]
        );
        assert!(histogram(&[0, 1_000_000], None).len() <= LINES + 1);
    }
}
