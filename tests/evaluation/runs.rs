//! Records, resuming, scores.

use burn_kto::eval::*;
use burn_kto::prelude::Error;
use std::cell::Cell;

/// Sums to be completed; groups "small" and "large".
struct Sums {
    items: Vec<Item<Completion>>,
    version: &'static str,
}

fn sums() -> Sums {
    let items = (0..10).map(|i| Item {
        id: i.to_string(),
        group: if i < 3 { "small" } else { "large" }.into(),
        request: Completion::greedy(format!("{i} + 1 ="), &["\n"], 4),
    });
    Sums {
        items: items.collect(),
        version: "1",
    }
}

impl Task for Sums {
    type Request = Completion;

    fn name(&self) -> String {
        "sums".into()
    }

    fn version(&self) -> String {
        self.version.into()
    }

    fn items(&self) -> &[Item<Completion>] {
        &self.items
    }

    fn grade(&self, index: usize, response: &Texts) -> Result<Grade, Error> {
        let text = response.texts[0].trim().to_string();
        let right = text == (index + 1).to_string();
        Ok(Grade::new((index + 1).to_string()).with("exact", Some(text), right))
    }
}

/// Can add up to five, and counts what it is asked.
#[derive(Default)]
struct Child(Cell<usize>);

impl Subject<Completion> for Child {
    fn answer(&self, requests: &[Completion]) -> Result<Vec<Texts>, Error> {
        self.0.set(self.0.get() + requests.len());
        let answer = |request: &Completion| {
            let number: u32 = request.prompt.split(' ').next().unwrap().parse().unwrap();
            Texts {
                texts: vec![format!(" {}", (number + 1).min(5))],
                truncated: false,
            }
        };
        Ok(requests.iter().map(answer).collect())
    }
}

fn on(_: &EvalProgress) -> bool {
    true
}

#[test]
fn scores_by_item_and_by_group() {
    let evaluation = run_task(
        &sums(),
        &Child::default(),
        "child",
        &RunnerConfig::new(),
        &mut on,
    )
    .unwrap();
    let report = evaluation.report;
    // Right for 0 to 4: all 3 small ones, 2 of 7 large ones.
    assert_eq!((report.n, report.micro["exact"].value), (10, 0.5));
    // python3: statistics.stdev([1]*5 + [0]*5) / math.sqrt(10)
    assert!(
        (report.micro["exact"].standard_error.unwrap() - 0.166_666_666_666_666_66).abs() < 1e-15
    );
    assert!((report.macro_["exact"].value - (1.0 + 2.0 / 7.0) / 2.0).abs() < 1e-15);
    // python3: statistics.stdev([1]*2 + [0]*5) / math.sqrt(7) / 2
    assert!(
        (report.macro_["exact"].standard_error.unwrap() - 0.092_213_889_195_414_69).abs() < 1e-12
    );
    assert_eq!(
        evaluation.records[7].grade.extracted["exact"].as_deref(),
        Some("5")
    );
    let limited = RunnerConfig::new().with_limit(Some(2));
    let evaluation = run_task(&sums(), &Child::default(), "child", &limited, &mut on).unwrap();
    let ids: Vec<&str> = evaluation.records.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["0", "1", "3", "4"]);
}

#[test]
fn an_interrupted_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child/sums.jsonl");
    let config = RunnerConfig::new().with_records(&path).with_batch(2);
    let child = Child::default();
    let mut twice = {
        let mut left = 2;
        move |_: &EvalProgress| {
            left -= 1;
            left > 0
        }
    };
    let error = run_task(&sums(), &child, "child", &config, &mut twice).unwrap_err();
    // Batches stay within a group: two of "small", then its third.
    assert_eq!(error.to_string(), "sums: interrupted after 3 of 10 items");
    assert!(error.is_interrupted());
    assert_eq!(child.0.get(), 3);
    // Killed while it wrote, within a character.
    let whole = std::fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(
        "{\"task\": \"sums\", \"ü"
            .as_bytes()
            .split_last()
            .unwrap()
            .1,
    );
    std::fs::write(&path, torn).unwrap();
    let evaluation = run_task(&sums(), &child, "child", &config, &mut on).unwrap();
    assert_eq!(child.0.get(), 10);
    let straight = run_task(&sums(), &child, "child", &RunnerConfig::new(), &mut on).unwrap();
    assert_eq!(evaluation.report, straight.report);
    assert_eq!(evaluation.records, straight.records);
    assert_eq!(read_records::<Completion>(&path).unwrap(), straight.records);
    // Nothing is left to ask.
    run_task(&sums(), &child, "child", &config, &mut on).unwrap();
    assert_eq!(child.0.get(), 20);
}

#[test]
fn records_of_something_else_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sums.jsonl");
    let config = RunnerConfig::new().with_records(&path);
    let child = Child::default();
    run_task(&sums(), &child, "child", &config, &mut on).unwrap();
    let refused = |task: &Sums, model: &str| {
        let error = run_task(task, &child, model, &config, &mut on)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("choose another folder, or remove the file"),
            "{error}"
        );
        error
    };
    assert!(refused(&sums(), "adult").contains("holds records of model child"));
    let newer = Sums {
        version: "2",
        ..sums()
    };
    assert!(refused(&newer, "child").contains("holds records of version \"1\""));
    let mut other = sums();
    other.items[4].request.prompt += " ";
    assert!(refused(&other, "child").contains("another question 4"));
    std::fs::write(&path, "{\"task\": 1}\n").unwrap();
    let error = run_task(&sums(), &child, "child", &config, &mut on)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("sums.jsonl:1: is not a record of this kind"),
        "{error}"
    );
    assert!(
        read_records::<Completion>("nowhere.jsonl")
            .unwrap_err()
            .to_string()
            .starts_with("cannot read nowhere")
    );
}

#[test]
fn a_subject_that_leaves_questions_out_is_found_out() {
    struct Lazy;
    impl Subject<Completion> for Lazy {
        fn answer(&self, _: &[Completion]) -> Result<Vec<Texts>, Error> {
            Ok(Vec::new())
        }
    }
    let error = run_task(&sums(), &Lazy, "lazy", &RunnerConfig::new(), &mut on).unwrap_err();
    assert_eq!(error.to_string(), "lazy gave 0 responses to 3 requests");
}

#[test]
fn two_items_of_one_id_are_refused() {
    let mut twice = sums();
    twice.items[4].id = twice.items[0].id.clone();
    let child = Child::default();
    let error = run_task(&twice, &child, "child", &RunnerConfig::new(), &mut on).unwrap_err();
    assert!(
        error.to_string().contains("two items have the id"),
        "{error}"
    );
}
