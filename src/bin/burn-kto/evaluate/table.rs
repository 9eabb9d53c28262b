//! Results as a table, as Markdown and as JSON.

use super::preferences::Preferences;
use super::suite::Outcome;
use burn_kto::eval::*;
use burn_kto::prelude::Error;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

pub(super) struct Results {
    name: String,
    pub(super) first: Vec<Outcome>,
    second: Option<(String, Vec<Outcome>)>,
    pub(super) win_rate: Option<MatchReport>,
    pub(super) preferences: Option<Preferences>,
}

/// A line of the table, and its cells.
type Row = Vec<String>;

impl Results {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            first: Vec::new(),
            second: None,
            win_rate: None,
            preferences: None,
        }
    }

    pub(super) fn compared(&mut self, name: &str, results: Vec<Outcome>) {
        self.second = Some((name.into(), results));
    }

    /// Item by item, metric by metric: (task, metric, comparison).
    fn comparisons(&self) -> Vec<(String, String, Comparison)> {
        let Some((_, second)) = &self.second else {
            return Vec::new();
        };
        let mut comparisons = Vec::new();
        for (a, b) in self.first.iter().zip(second) {
            for metric in a.report.micro.keys() {
                let values = a.items.iter().filter_map(|(id, metrics)| {
                    let other = b.items.get(id)?;
                    Some((*metrics.get(metric)?, *other.get(metric)?))
                });
                let (first, second): (Vec<f64>, Vec<f64>) = values.unzip();
                if let Some(comparison) = Comparison::paired(&first, &second) {
                    comparisons.push((a.report.task.clone(), metric.clone(), comparison));
                }
            }
        }
        comparisons
    }

    fn rows(&self) -> Vec<Row> {
        let mut header = vec!["task", "metric", "n", &self.name];
        let comparisons = self.comparisons();
        if let Some((name, _)) = &self.second {
            header.extend([name.as_str(), "difference", "p"]);
        }
        let mut rows = vec![header.into_iter().map(String::from).collect::<Row>()];
        for (i, result) in self.first.iter().enumerate() {
            let report = &result.report;
            let other = self.second.as_ref().map(|(_, second)| &second[i].report);
            for (metric, score) in &report.micro {
                let mut row = vec![
                    report.task.clone(),
                    metric.clone(),
                    score.n.to_string(),
                    percent(score),
                ];
                if let Some(other) = other {
                    row.push(other.micro.get(metric).map_or("-".into(), percent));
                    let found = comparisons
                        .iter()
                        .find(|(task, name, _)| *task == report.task && name == metric);
                    row.extend(match found {
                        Some((.., c)) => [percent(&c.difference), format!("{:.3}", c.p_value)],
                        None => ["-".into(), "-".into()],
                    });
                }
                rows.push(row);
                if report.groups.len() > 1 {
                    let macro_mean =
                        |report: &Report| report.macro_.get(metric).map_or("-".into(), percent);
                    let mut row = vec![
                        String::new(),
                        format!("{metric}, mean of {} groups", report.groups.len()),
                        String::new(),
                        macro_mean(report),
                    ];
                    if let Some(other) = other {
                        row.extend([macro_mean(other), String::new(), String::new()]);
                    }
                    rows.push(row);
                }
            }
        }
        rows
    }

    /// What stands below the table.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for result in &self.first {
            notes.push(format!(
                "{}: version {}",
                result.report.task, result.report.version
            ));
        }
        if let Some(report) = &self.win_rate {
            notes.extend(win_rate(report));
        }
        if let Some(preferences) = &self.preferences {
            notes.extend(held_out(preferences));
        }
        notes
    }

    pub(super) fn text(&self) -> String {
        let rows = self.rows();
        let mut text = String::new();
        if rows.len() > 1 {
            let columns = rows[0].len();
            let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max();
            let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
            for row in &rows {
                let cells = row
                    .iter()
                    .zip(&widths)
                    .map(|(cell, w)| format!("{cell:<w$}"));
                let cells: Vec<String> = cells.collect();
                let _ = writeln!(text, "{}", cells.join("  ").trim_end());
            }
            text += "\nScores in percent ± standard error.\n";
        }
        for note in self.notes() {
            let _ = writeln!(text, "{note}");
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n", self.name);
        for (i, row) in self.rows().iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if i == 0 {
                let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
            }
        }
        text += "\nScores in percent ± standard error.\n\n";
        for note in self.notes() {
            let _ = writeln!(text, "- {note}");
        }
        text
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let reports = |results: &[Outcome]| {
            let reports = results.iter().map(|result| json!(result.report));
            reports.collect::<Vec<_>>()
        };
        let comparisons: Vec<_> = self
            .comparisons()
            .into_iter()
            .map(|(task, metric, c)| json!({"task": task, "metric": metric, "comparison": c}))
            .collect();
        let value = json!({
            "model": self.name,
            "tasks": reports(&self.first),
            "second": self.second.as_ref().map(|(name, results)| json!({"model": name, "tasks": reports(results)})),
            "comparisons": comparisons,
            "win_rate": self.win_rate,
            "preferences": self.preferences,
        });
        let put = |name: &str, text: String| {
            let path = folder.join(name);
            let written =
                std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
            written.map_err(|source| Error::Io {
                action: "write",
                path,
                source,
            })
        };
        put("results.json", format!("{value:#}\n"))?;
        put("results.md", self.markdown())
    }
}

fn percent(score: &Score) -> String {
    match score.standard_error {
        Some(error) => format!("{:.2} ± {:.2}", 100.0 * score.value, 100.0 * error),
        None => format!("{:.2}", 100.0 * score.value),
    }
}

fn win_rate(report: &MatchReport) -> Vec<String> {
    let WinRate { wins, ties, losses } = report.win_rate;
    // The paper's rate counts no halves, so neither may the line that is read first.
    let rate = match report.protocol {
        Protocol::BothOrders => report.win_rate.to_string(),
        Protocol::KtoPaper { .. } => {
            let others = ties + losses;
            let counted = WinRate {
                wins,
                ties: 0,
                losses: others,
            };
            let interval = counted.interval().map_or(String::new(), |(low, high)| {
                format!(" [{:.1}, {:.1}]", 100.0 * low, 100.0 * high)
            });
            format!(
                "{:.1} %{interval} ({wins} wins, {ties} without a winner, {losses} losses)",
                100.0 * report.rate.value
            )
        }
    };
    let mut notes = vec![format!("win rate, judged by {}: {rate}", report.judge)];
    let rule = match report.protocol {
        Protocol::BothOrders => "both orders, (wins + ties / 2) / n",
        Protocol::KtoPaper { .. } => "the KTO paper's protocol, wins / n",
    };
    let interval = report.bootstrap.map_or(String::new(), |(low, high)| {
        format!(", bootstrap [{:.1}, {:.1}]", 100.0 * low, 100.0 * high)
    });
    notes.push(format!(
        "  {rule}: {} %{interval}; sign test of wins against losses p = {:.3}",
        percent(&report.rate),
        report.p_value
    ));
    notes.push(format!(
        "  unparsed {}, failed {}, orders contradict each other {}; first shown wins {}",
        report.unparsed,
        report.failed,
        report.contradictions,
        report
            .first_position
            .map_or("-".into(), |p| format!("{:.1} %", 100.0 * p))
    ));
    let WinRate {
        wins, ties, losses, ..
    } = report.win_rate;
    let orders = if report.protocol == Protocol::BothOrders {
        2
    } else {
        1
    };
    let (silent, rounds) = (
        report.unparsed + report.failed,
        (wins + ties + losses) * orders,
    );
    if silent * 10 > rounds {
        notes.push(format!(
            "  warning: {silent} of {rounds} verdicts say nothing, and count as if neither was better"
        ));
    }
    let lengths = format!(
        "{:.0} characters against {:.0}",
        report.lengths.0, report.lengths.1
    );
    notes.push(match &report.length_controlled {
        Some(l) => format!(
            "  at equal length {:.1} % [{:.1}, {:.1}] ({lengths})",
            100.0 * l.rate,
            100.0 * l.interval.0,
            100.0 * l.interval.1
        ),
        None => format!("  at equal length: cannot be fitted where one side wins all ({lengths})"),
    });
    notes
}

fn held_out(preferences: &Preferences) -> Vec<String> {
    let mut notes = vec![format!(
        "preferences: {} pairs, rewards against {} at beta {}",
        preferences.pairs, preferences.reference, preferences.beta
    )];
    if let Some(m) = &preferences.metrics {
        notes.push(format!(
            "  accuracy {}, AUC {:.4}, margin {}",
            m.accuracy, m.auc, m.margin
        ));
        notes.push(format!(
            "  calibration error {:.4}, Brier {:.4}, log loss {:.4}",
            m.calibration.error, m.calibration.brier, m.calibration.log_loss
        ));
    }
    if let Some(d) = &preferences.drift {
        notes.push(format!(
            "  KL {} ({:.4} a token); answers longer by {} tokens (ratio {:.2})",
            d.kl, d.kl_per_token, d.length, d.length_ratio
        ));
    }
    notes
}
