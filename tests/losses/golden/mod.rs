//! Reference numbers of TRL, HALOs and Liger.
//!
//! `tests/golden` keeps a selection, so that the crate proves itself anywhere; where the whole
//! collection stands beside the repository, all of it is compared. A case is either compared or
//! excluded in `docs/golden.md`, with the reason.

mod binary;
mod dpo;
mod logps;
mod other;
mod sft;

use crate::common::*;
use burn::tensor::{Bool, Tensor, TensorData};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Cases of each family that have to be compared in the whole collection.
const WHOLE: [(&str, usize); 5] = [
    ("logps", 16),
    ("kto", 106),
    ("dpo", 148),
    ("sft", 18),
    ("other", 38),
];

/// What is not compared: family, beginning of the case's name, and why. The page is the table.
fn excluded() -> Vec<(String, String, String)> {
    let page = include_str!("../../../docs/golden.md");
    let lines = page
        .lines()
        .take_while(|line| *line != "## Compared in another form");
    let rows = lines.filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells[..] {
            ["", family, case, reason, ""] if case.starts_with('`') => Some((
                family.to_string(),
                case.trim_matches(['`', '…']).to_string(),
                reason.to_string(),
            )),
            _ => None,
        }
    });
    rows.collect()
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn floats(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(floats).collect(),
        Value::Bool(b) => vec![f64::from(u8::from(*b))],
        Value::String(text) => vec![text.parse().unwrap()],
        number => vec![
            number
                .as_f64()
                .unwrap_or_else(|| panic!("not a number: {number}")),
        ],
    }
}

fn float(value: &Value) -> f64 {
    floats(value)[0]
}

fn ints(value: &Value) -> Vec<i64> {
    floats(value).into_iter().map(|x| x as i64).collect()
}

fn bools(value: &Value) -> Vec<bool> {
    floats(value).into_iter().map(|x| x != 0.0).collect()
}

fn shape<const D: usize>(value: &Value) -> [usize; D] {
    let mut value = value;
    std::array::from_fn(|_| {
        let list = value.as_array().unwrap();
        value = list.first().unwrap_or(&Value::Null);
        list.len()
    })
}

fn flags<const D: usize>(values: &[bool], shape: [usize; D]) -> Tensor<D, Bool> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &device())
}

/// Sum over the last dimension of `[rows, columns]` values.
fn row_sums(values: &[f64], columns: usize) -> Vec<f64> {
    values.chunks(columns).map(|row| row.iter().sum()).collect()
}

/// A case and the largest differences so far.
struct Case<'a> {
    name: &'a str,
    inputs: &'a Value,
    expected: &'a Value,
    /// Of values and of gradients.
    tolerance: (f64, f64),
    worst: &'a mut Worst,
}

impl Case<'_> {
    /// All numbers of an input.
    fn input(&self, key: &str) -> Vec<f64> {
        floats(&self.inputs[key])
    }

    fn number(&self, key: &str) -> f64 {
        float(&self.inputs[key])
    }

    fn columns(&self, key: &str) -> usize {
        shape::<2>(&self.inputs[key])[1]
    }

    /// Sums over the rows of an input.
    fn sums(&self, key: &str) -> Vec<f64> {
        row_sums(&self.input(key), self.columns(key))
    }

    #[track_caller]
    fn value(&mut self, field: &str, got: &[f64]) {
        let expected = floats(&self.expected[field]);
        self.value_of(field, got, &expected);
    }

    #[track_caller]
    fn value_of(&mut self, what: &str, got: &[f64], expected: &[f64]) {
        let what = format!("{} {what}", self.name);
        let off = assert_close(&what, got, expected, self.tolerance.0);
        self.worst.value = self.worst.value.max(off);
    }

    #[track_caller]
    fn gradient(&mut self, field: &str, got: &[f64]) {
        let expected = floats(&self.expected[field]);
        self.gradient_of(field, got, &expected);
    }

    #[track_caller]
    fn gradient_of(&mut self, what: &str, got: &[f64], expected: &[f64]) {
        let what = format!("{} {what}", self.name);
        let off = assert_close(&what, got, expected, self.tolerance.1);
        self.worst.gradient = self.worst.gradient.max(off);
    }
}

#[derive(Default)]
struct Worst {
    value: f64,
    gradient: f64,
}

/// Compares every case of a file; returns how many, the largest differences, and which exclusions
/// were met.
fn compare(family: &str, path: &Path) -> (usize, Worst, BTreeSet<usize>) {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap();
    let (mut compared, mut met) = (0, BTreeSet::new());
    let mut worst = Worst::default();
    let exclusions = excluded();
    for case in file["cases"].as_array().unwrap() {
        let name = case["case"].as_str().unwrap();
        let excluded = exclusions
            .iter()
            .position(|(f, beginning, _)| f == family && name.starts_with(beginning));
        if let Some(index) = excluded {
            met.insert(index);
            continue;
        }
        // One level of numbers that the peer computed in f32 although its inputs are f64.
        let f32 = case["dtype"] == "float32";
        let of = Case {
            name,
            inputs: &case["inputs"],
            expected: &case["expected"],
            tolerance: if f32 { (1e-4, 1e-4) } else { (VALUE, GRADIENT) },
            worst: &mut worst,
        };
        let convention = case["convention"].as_str().unwrap_or_default();
        match family {
            "logps" => logps::logps(of),
            "kto" => binary::kto(of, convention),
            "dpo" => dpo::dpo(of, convention),
            "sft" => sft::sft(of),
            "other" => other::other(of),
            other => panic!("no test reads golden family {other}"),
        }
        compared += 1;
    }
    (compared, worst, met)
}

#[test]
fn the_selection_in_the_repository_is_reproduced() {
    let folder = folder("tests/golden");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "dpo.json",
            "kto.json",
            "logps.json",
            "other.json",
            "sft.json"
        ],
        "every file is read"
    );
    for (family, least) in [
        ("logps", 5),
        ("kto", 11),
        ("dpo", 34),
        ("sft", 6),
        ("other", 12),
    ] {
        let (compared, worst, met) = compare(family, &folder.join(format!("{family}.json")));
        assert!(compared >= least, "{family}: only {compared} cases");
        assert!(
            met.is_empty(),
            "{family}: the selection holds what is not compared"
        );
        told(family, compared, &worst);
    }
}

#[test]
fn the_whole_collection_is_reproduced() {
    let folder = folder("../shared/golden");
    if !folder.exists() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let mut met = BTreeSet::new();
    for (family, least) in WHOLE {
        let (compared, worst, excluded) = compare(family, &folder.join(format!("{family}.json")));
        assert!(compared >= least, "{family}: only {compared} cases");
        told(family, compared, &worst);
        met.extend(excluded);
    }
    let exclusions = excluded();
    assert_eq!(
        exclusions.len(),
        met.len(),
        "exclusions that exclude nothing: {exclusions:?}"
    );
}

fn told(family: &str, compared: usize, worst: &Worst) {
    let Worst { value, gradient } = worst;
    println!("{family}: {compared} cases, values off by {value:e}, gradients by {gradient:e}");
}
