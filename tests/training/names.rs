//! The names under which objectives report are those that the documentation of `Metrics` lists.

use super::objectives::{demonstrations, preferences};
use super::*;
use std::collections::BTreeSet;
use std::fs;

type Names = BTreeSet<String>;

/// Names in the first column of the tables on `Metrics`.
fn documented() -> Names {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/train");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().collect();
    let mut source = None;
    while let Some(entry) = files.pop() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap());
        } else {
            let text = fs::read_to_string(path).unwrap();
            source = source.or(text.contains("\npub struct Metrics ").then_some(text));
        }
    }
    let source = source.expect("no file has the metrics");
    let rows = source
        .lines()
        .filter_map(|line| line.strip_prefix("/// | "));
    let first = rows.map(|row| row.split(" | ").next().unwrap().to_string());
    let names = first.filter(|cell| cell.starts_with('`'));
    let names: Vec<String> = names.collect();
    let names = names.iter().flat_map(|cell| cell.split(", "));
    let names = names.filter_map(|name| name.strip_prefix('`')?.strip_suffix('`'));
    // Beside these there is a table of what a reward is, by objective.
    let names = names.filter(|name| name.starts_with(char::is_lowercase));
    names.map(String::from).collect()
}

/// What one objective reports in two steps: of training, of held-out data, and its settings.
fn reported<M, R, L, B>(
    policy: M,
    reference: &R,
    loss: &mut L,
    batcher: &B,
    data: &[B::Example],
) -> Names
where
    M: Module,
    R: Reference<M>,
    B: Batcher,
    L: Objective<M, R, Batch = B::Batch>,
    L::Output: LossOutput,
{
    let trainer = Trainer::new(config()).unwrap();
    let trainer = trainer.with_progress(Progress::Silent);
    let run = trainer.fit(policy, reference, loss, batcher, &data[..16], &data[16..]);
    let run = run.unwrap();
    let last = run.last.unwrap();
    let evaluations = run.evaluations.iter().map(|(_, metrics)| metrics);
    let metrics = evaluations.chain([&last.metrics]);
    let names = metrics.flat_map(|metrics| metrics.means().into_keys());
    let settings = loss.settings().into_iter().map(|(name, _)| name);
    names.chain(settings).map(String::from).collect()
}

#[test]
fn every_name_that_is_reported_is_documented_and_every_documented_one_reported() {
    let documented = documented();
    assert!(documented.len() > 10, "the tables were not found");
    let reference = Frozen::new(&model());
    let mut all = Names::new();
    let mut check = |objective: &str, names: Names| {
        let unknown: Vec<_> = names.difference(&documented).collect();
        assert!(
            unknown.is_empty(),
            "{objective} reports {unknown:?}, which the documentation of Metrics does not list"
        );
        all.extend(names);
    };
    macro_rules! check {
        ($batcher:expr, $data:expr => $($loss:expr),* $(,)?) => {$(
            let names = reported(model(), &reference, &mut $loss, &$batcher, &$data);
            check(stringify!($loss), names);
        )*};
    }
    let bounded = TokenLevelConfig::new().with_humanline(Some(Humanline::new()));
    let weights = WeightsFromCounts::new(ClassInterval::ThreeHalves, 0.9);
    check!(BinaryBatcher::new(0, 64), feedback(24) =>
        kto(),
        KtoLossConfig::apo_zero_unpaired().init(),
        bounded.init(kto()),
        BcoLossConfig::new().init(),
        Controlled::new(kto(), vec![Box::new(weights)]).unwrap(),
    );
    let dpo = || DpoLossConfig::new().init();
    check!(PreferenceBatcher::new(0), preferences(24) =>
        dpo(),
        MixedLossConfig::rpo(0.5, 1.0).init(),
        SimpoLossConfig::new().init(),
        CpoLossConfig::new().init(),
        OrpoLossConfig::new().init(),
        SlicLossConfig::new().init(),
        bounded.init(dpo()),
        Wpo(dpo()),
        BetaDpoConfig::new().init(dpo()),
    );
    check!(SftBatcher::new(0), demonstrations(24) =>
        SftLossConfig::new().init(),
        SmoothedSft(SftLossConfig::new().init()),
    );
    let free = reported(
        model(),
        &ReferenceFree,
        &mut kto(),
        &BinaryBatcher::new(0, 64),
        &feedback(24),
    );
    check("KTO without a reference", free);
    let scores = reported(
        RewardModel::new(model(), &device()),
        &ReferenceFree,
        &mut RewardLossConfig::new().init(),
        &PreferenceBatcher::new(0),
        &preferences(24),
    );
    check("RewardLoss", scores);
    let unused: Vec<_> = documented.difference(&all).collect();
    assert!(unused.is_empty(), "nothing reports {unused:?}");
}
