//! Duels by either protocol.

use burn_kto::eval::*;
use burn_kto::prelude::*;
use std::cell::RefCell;

fn duels(answers: &[(&str, &str)]) -> Vec<Duel> {
    let duel = |(i, (candidate, baseline)): (usize, &(&str, &str))| Duel {
        id: i.to_string(),
        prompt: "Hi".into(),
        candidate: candidate.to_string(),
        baseline: baseline.to_string(),
    };
    answers.iter().enumerate().map(duel).collect()
}

/// Judges by what the answers spell, and remembers what it was shown.
#[derive(Default)]
struct Scripted(RefCell<Vec<(String, String)>>);

impl Judge for Scripted {
    fn name(&self) -> String {
        "scripted".into()
    }

    fn judge(&self, _: &Prompt, first: &str, second: &str) -> Result<Verdict, Error> {
        self.0.borrow_mut().push((first.into(), second.into()));
        Ok(match (first, second) {
            ("good.", _) => Verdict::First,
            (_, "good.") => Verdict::Second,
            ("first.", _) | (_, "first.") => Verdict::First, // whoever is first
            ("odd.", _) => Verdict::Unparsed,
            ("gone.", _) | (_, "gone.") => {
                return Err(Error::Dataset {
                    message: "the judge is gone".into(),
                });
            }
            _ => Verdict::Tie,
        })
    }
}

fn quiet(_: usize, _: usize) {}

#[test]
fn both_orders_have_to_agree() {
    let judge = Scripted::default();
    let answers = [
        ("good.", "bad."),
        ("bad.", "good."),
        ("first.", "bad."),
        ("odd.", "bad."),
        ("same.", "same."),
    ];
    let report = Match::new(Protocol::BothOrders)
        .play(&duels(&answers), &judge, &mut quiet)
        .unwrap();
    assert_eq!(
        report.win_rate,
        WinRate {
            wins: 1,
            ties: 3,
            losses: 1
        }
    );
    assert_eq!(report.rate.value, 0.5);
    assert_eq!(
        (report.contradictions, report.unparsed, report.failed),
        (1, 1, 0)
    );
    // Decided rounds: good twice first, twice second; "first." twice first.
    assert_eq!(report.first_position, Some(4.0 / 6.0));
    assert_eq!(report.p_value, 1.0);
    assert_eq!(judge.0.borrow().len(), 10);
    assert_eq!(judge.0.borrow()[1], ("bad.".into(), "good.".into()));
    let error = Match::new(Protocol::BothOrders)
        .play(&duels(&[("gone.", "a")]), &judge, &mut quiet)
        .unwrap_err();
    assert_eq!(error.to_string(), "duel 0: the judge is gone");
    assert!(
        Match::new(Protocol::BothOrders)
            .play(&[], &judge, &mut quiet)
            .is_err()
    );
}

#[test]
fn the_papers_protocol_asks_once_cuts_and_lets_nobody_win_by_failure() {
    let judge = Scripted::default();
    let mut answers = vec![("good. And then", "bad. xx"); 40];
    answers.extend([("gone.", "bad."); 10]);
    answers.extend([("same.", "same."); 10]);
    let protocol = Protocol::KtoPaper { seed: 0 };
    let report = Match::new(protocol)
        .play(&duels(&answers), &judge, &mut quiet)
        .unwrap();
    assert_eq!(
        report.win_rate,
        WinRate {
            wins: 40,
            ties: 20,
            losses: 0
        }
    );
    assert_eq!(report.rate.value, 40.0 / 60.0); // not (40 + 10) / 60
    assert_eq!(report.failed, 10);
    let shown = judge.0.borrow();
    assert_eq!(shown.len(), 60);
    let first = shown
        .iter()
        .take(40)
        .filter(|(first, _)| first == "good.")
        .count();
    assert!((8..=32).contains(&first), "shuffled: {first}");
    assert!(
        shown
            .iter()
            .all(|(a, b)| !a.contains("And") && !b.contains("xx"))
    );
}

#[test]
fn a_judge_that_failed_is_asked_again_and_one_that_only_fails_is_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let judge = Scripted::default();
    let protocol = Protocol::KtoPaper { seed: 0 };
    let contest = Match::new(protocol).with_records(folder.path().join("rounds.jsonl"));
    let some = duels(&[("good.", "bad."), ("gone.", "bad.")]);
    assert_eq!(contest.play(&some, &judge, &mut quiet).unwrap().failed, 1);
    assert_eq!(contest.play(&some, &judge, &mut quiet).unwrap().failed, 1);
    // Two, and the one that failed again.
    assert_eq!(judge.0.borrow().len(), 3);
    let none = duels(&[("gone.", "bad."), ("gone.", "worse.")]);
    let error = Match::new(protocol).play(&none, &judge, &mut quiet);
    assert!(error.is_err());
}

#[test]
fn an_interrupted_match_goes_on_and_other_answers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rounds.jsonl");
    let judge = Scripted::default();
    let contest = Match::new(Protocol::BothOrders).with_records(&path);
    let broken = duels(&[("good.", "bad."), ("gone.", "bad.")]);
    assert!(contest.play(&broken, &judge, &mut quiet).is_err());
    let mended = duels(&[("good.", "bad."), ("good.", "bad.")]);
    let report = contest.play(&mended, &judge, &mut quiet).unwrap();
    assert_eq!(report.win_rate.wins, 2);
    // Two, one that failed, and the two of the mended duel.
    assert_eq!(judge.0.borrow().len(), 5);
    let other = duels(&[("better.", "bad."), ("good.", "bad.")]);
    let error = contest
        .play(&other, &judge, &mut quiet)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("holds a verdict on 0 of another judge, protocol or answer"),
        "{error}"
    );
}

#[test]
fn a_judge_that_likes_length_is_seen_through() {
    let longer = RuleJudge::new("longer", |_: &Prompt, answer: &str| answer.len() as f64);
    let (long, short) = ("a long answer, this.", "short.");
    let mut answers = vec![(long, short); 15];
    answers.extend([(short, long); 5]);
    let report = Match::new(Protocol::BothOrders)
        .play(&duels(&answers), &longer, &mut quiet)
        .unwrap();
    assert_eq!(
        report.win_rate,
        WinRate {
            wins: 15,
            ties: 0,
            losses: 5
        }
    );
    // python3: 2 * sum(math.comb(20, i) for i in range(6)) / 2**20
    assert!((report.p_value - 0.041_389_465_332_031_25).abs() < 1e-12);
    let controlled = report.length_controlled.unwrap();
    assert!(
        controlled.length_effect > 3.0 && controlled.rate < 0.65,
        "{controlled:?}"
    );
}

#[test]
fn an_implicit_reward_judges() {
    let device = burn::tensor::Device::flex();
    let config = LlamaConfig::new(258, 16, 1, 2);
    let (policy, base) = (config.init(1, &device), config.init(2, &device));
    let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 64);
    let reward = ImplicitReward::new(&policy, Frozen::new(&base), 0.5, encoder, &device);
    let got = reward.reward(&"ab".into(), "cd").unwrap();
    let rows: [(&[u32], &[u32]); 1] = [(&[97, 98], &[99, 100, 256])];
    let sequences = Sequences::padded(rows, 0, &device);
    let scored = |model: &Llama| model.log_probs(&sequences).into_scalar::<f32>();
    let expected = 0.5 * f64::from(scored(&policy) - scored(&base));
    assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    let other = reward.reward(&"ab".into(), "xy").unwrap();
    let judge = RewardJudge::new("tiny", reward);
    assert_eq!(
        judge.judge(&"ab".into(), "cd", "xy").unwrap(),
        Verdict::of_scores(got, other)
    );
    assert_eq!(
        implicit_rewards(&policy, &Frozen::new(&base), &sequences, 0.5).len(),
        1
    );
    assert!(
        (implicit_rewards(&policy, &Frozen::new(&base), &sequences, 0.5)[0] - expected).abs()
            < 1e-5
    );
}
