//! How two models' answers are put to a judge, and what follows from the verdicts.

use crate::data::Prompt;
use crate::error::Error;
use crate::eval::compare::{bootstrap_interval, sign_test};
use crate::eval::judging::judge::{Judge, Verdict};
use crate::eval::judging::length_control::LengthControlled;
use crate::eval::judging::win_rate::WinRate;
use crate::eval::lines::Lines;
use crate::eval::score::Score;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Two answers to a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duel {
    /// Unique within the match.
    pub id: String,
    /// What was asked.
    pub prompt: Prompt,
    /// The answer of the model that is measured.
    pub candidate: String,
    /// The answer that it is measured against.
    pub baseline: String,
}

/// How duels are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Every pair is shown in both orders. A win or loss is one that both verdicts agree on;
    /// everything else is a tie, worth half a win.
    BothOrders,
    /// One order, as the KTO paper judged: one order each, shuffled by `seed`; answers cut after
    /// their last whole sentence; where the judge fails or cannot be understood neither wins, and
    /// the rate is wins over all.
    KtoPaper {
        /// Shuffles the orders; not Python's generator, so not the same orders.
        seed: u64,
    },
}

/// One question to a judge and what it said: a line of the record file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The place of the duel.
    pub id: String,
    /// Who judged.
    pub judge: String,
    /// By which protocol.
    pub protocol: Protocol,
    /// The answer as it was shown.
    pub candidate: String,
    /// The answer as it was shown.
    pub baseline: String,
    /// Whether the candidate's answer was shown first.
    pub candidate_first: bool,
    /// `null` where the judge failed.
    pub verdict: Option<Verdict>,
}

/// Duels to be judged.
#[derive(Clone, Debug)]
pub struct Match {
    protocol: Protocol,
    records: Option<PathBuf>,
}

impl Match {
    /// By this protocol.
    pub fn new(protocol: Protocol) -> Self {
        let records = None;
        Self { protocol, records }
    }

    /// Writes every round to this file, and does not ask again for the verdicts that it holds
    /// already.
    #[must_use]
    pub fn with_records(mut self, path: impl Into<PathBuf>) -> Self {
        self.records = Some(path.into());
        self
    }

    /// Puts every duel to the judge. `progress` hears of every round: rounds done, rounds in all.
    ///
    /// # Errors
    ///
    /// Where there is no duel or two have one id, where the record file fails or holds other
    /// answers, and, except under [`Protocol::KtoPaper`], where the judge fails; there, where it
    /// fails in every round. What was judged is in the file, and the same call goes on: with the
    /// rounds that are missing, and those in which the judge failed.
    pub fn play(
        &self,
        duels: &[Duel],
        judge: &dyn Judge,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<MatchReport, Error> {
        let mut known: BTreeMap<(String, bool), Round> = BTreeMap::new();
        let mut file = None;
        if let Some(path) = &self.records {
            let (opened, rounds) = Lines::open::<Round>(path)?;
            for round in rounds {
                known.insert((round.id.clone(), round.candidate_first), round);
            }
            file = Some((opened, path));
        }
        let mut questions = Vec::new();
        for (index, duel) in duels.iter().enumerate() {
            for candidate_first in self.orders(index) {
                questions.push((duel, candidate_first));
            }
        }
        check(duels)?;
        let mut rounds = Vec::new();
        let mut failure = None;
        for &(duel, candidate_first) in &questions {
            let mut round = self.question(duel, candidate_first, judge);
            match known.remove(&(duel.id.clone(), candidate_first)) {
                Some(done) if done.verdict.is_some() => {
                    round.verdict = done.verdict;
                    if let Some((_, path)) = &file {
                        same(&done, &round, path)?;
                    }
                }
                done => {
                    // Where the judge failed there is no verdict to keep: it is asked again.
                    if let (Some(done), Some((_, path))) = (&done, &file) {
                        same(done, &round, path)?;
                    }
                    round.verdict = self.ask(duel, &round, judge, &mut failure)?;
                    if let Some((file, _)) = &mut file {
                        file.append(std::slice::from_ref(&round))?;
                    }
                }
            }
            rounds.push(round);
            progress(rounds.len(), questions.len());
        }
        // A judge that never answered, for want of a key perhaps, judged nothing: that is no rate
        // of 0.
        match failure {
            Some(error) if rounds.iter().all(|round| round.verdict.is_none()) => return Err(error),
            _ => {}
        }
        Ok(MatchReport::of(self.protocol, judge.name(), rounds))
    }

    /// Whether the candidate comes first, for each round of a duel.
    fn orders(&self, index: usize) -> Vec<bool> {
        match self.protocol {
            Protocol::BothOrders => vec![true, false],
            Protocol::KtoPaper { seed } => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(index as u64);
                vec![rng.random()]
            }
        }
    }

    fn question(&self, duel: &Duel, candidate_first: bool, judge: &dyn Judge) -> Round {
        let shown = |answer: &str| match self.protocol {
            Protocol::BothOrders => answer.to_string(),
            Protocol::KtoPaper { .. } => whole_sentences(answer).to_string(),
        };
        Round {
            id: duel.id.clone(),
            judge: judge.name(),
            protocol: self.protocol,
            candidate: shown(&duel.candidate),
            baseline: shown(&duel.baseline),
            candidate_first,
            verdict: None,
        }
    }

    fn ask(
        &self,
        duel: &Duel,
        round: &Round,
        judge: &dyn Judge,
        failure: &mut Option<Error>,
    ) -> Result<Option<Verdict>, Error> {
        let (mut first, mut second) = (&round.candidate, &round.baseline);
        if !round.candidate_first {
            std::mem::swap(&mut first, &mut second);
        }
        match (judge.judge(&duel.prompt, first, second), self.protocol) {
            (Ok(verdict), _) => Ok(Some(verdict)),
            (Err(error), Protocol::KtoPaper { .. }) => {
                *failure = Some(error);
                Ok(None)
            }
            (Err(error), Protocol::BothOrders) => Err(Error::Dataset {
                message: format!("duel {}: {error}", duel.id),
            }),
        }
    }
}

fn check(duels: &[Duel]) -> Result<(), Error> {
    let mut ids = std::collections::BTreeSet::new();
    let message = match duels.iter().find(|duel| !ids.insert(&duel.id)) {
        Some(duel) => format!("two duels have the id {}", duel.id),
        None if duels.is_empty() => "there is no duel to judge".into(),
        None => return Ok(()),
    };
    Err(Error::Dataset { message })
}

/// Refuses verdicts on other answers, or of another judge.
fn same(done: &Round, round: &Round, path: &Path) -> Result<(), Error> {
    if done == round {
        return Ok(());
    }
    let message = format!(
        "{}: holds a verdict on {} of another judge, protocol or answer, so this match cannot go on there: choose another folder, or remove the file",
        path.display(),
        done.id
    );
    Err(Error::Dataset { message })
}

/// The text up to the last `.`, `!` or `?`, whole where there is none.
///
/// ```
/// use burn_kto::eval::whole_sentences;
/// assert_eq!(whole_sentences("One. Two! And th"), "One. Two!");
/// assert_eq!(whole_sentences("nothing ends"), "nothing ends");
/// ```
pub fn whole_sentences(text: &str) -> &str {
    match text.rfind(['.', '!', '?']) {
        Some(end) => &text[..=end],
        None => text,
    }
}

/// What a match came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchReport {
    /// By which protocol.
    pub protocol: Protocol,
    /// Who judged.
    pub judge: String,
    /// Wins, ties, losses of duels.
    pub win_rate: WinRate,
    /// The protocol's rate: under [`Protocol::BothOrders`] (wins + ties / 2) / n, under
    /// [`Protocol::KtoPaper`] wins / n.
    pub rate: Score,
    /// 95 % bootstrap interval of that rate.
    pub bootstrap: Option<(f64, f64)>,
    /// Sign test of wins against losses: how often chance alone is as uneven.
    pub p_value: f64,
    /// Rounds whose verdict could not be read.
    pub unparsed: usize,
    /// Rounds in which the judge failed.
    pub failed: usize,
    /// Share of decided rounds that whoever was shown first won; far from 0.5 the judge goes by
    /// position.
    pub first_position: Option<f64>,
    /// Duels in which both orders gave opposite winners.
    pub contradictions: usize,
    /// The rate at equal length, in characters; `None` where it cannot be fitted.
    pub length_controlled: Option<LengthControlled>,
    /// Mean characters of the candidate's answers, and of the baseline's.
    pub lengths: (f64, f64),
}

impl MatchReport {
    fn of(protocol: Protocol, judge: String, rounds: Vec<Round>) -> Self {
        let mut duels: BTreeMap<&str, Vec<&Round>> = BTreeMap::new();
        for round in &rounds {
            duels.entry(&round.id).or_default().push(round);
        }
        let mut win_rate = WinRate::default();
        let (mut contradictions, mut games, mut points) = (0, Vec::new(), Vec::new());
        for rounds in duels.values() {
            let scores: Vec<f64> = rounds.iter().map(|round| score(round)).collect();
            let score = if scores.iter().all(|score| *score == scores[0]) {
                scores[0]
            } else {
                0.5
            };
            contradictions += usize::from(scores.contains(&1.0) && scores.contains(&0.0));
            match score {
                1.0 => win_rate.wins += 1,
                0.0 => win_rate.losses += 1,
                _ => win_rate.ties += 1,
            }
            let characters = |text: &str| text.chars().count() as f64;
            games.push((
                score,
                characters(&rounds[0].candidate) - characters(&rounds[0].baseline),
            ));
            points.push(match protocol {
                Protocol::BothOrders => score,
                Protocol::KtoPaper { .. } => f64::from(score == 1.0),
            });
        }
        let count = |verdict| rounds.iter().filter(|r| r.verdict == verdict).count();
        let decided = count(Some(Verdict::First)) + count(Some(Verdict::Second));
        let mean = |length: fn(&Round) -> usize| {
            rounds.iter().map(|r| length(r) as f64).sum::<f64>() / rounds.len() as f64
        };
        Self {
            protocol,
            judge,
            rate: Score::mean(points.iter().copied()).unwrap_or(Score {
                value: f64::NAN,
                standard_error: None,
                n: 0,
            }),
            bootstrap: bootstrap_interval(&points, 0),
            p_value: sign_test(win_rate.wins, win_rate.losses),
            win_rate,
            unparsed: count(Some(Verdict::Unparsed)),
            failed: count(None),
            first_position: (decided > 0)
                .then(|| count(Some(Verdict::First)) as f64 / decided as f64),
            contradictions,
            length_controlled: LengthControlled::of(&games),
            lengths: (
                mean(|r| r.candidate.chars().count()),
                mean(|r| r.baseline.chars().count()),
            ),
        }
    }
}

/// 1 where the candidate won the round, 0 where it lost, ½ otherwise.
fn score(round: &Round) -> f64 {
    match (round.verdict, round.candidate_first) {
        (Some(Verdict::First), true) | (Some(Verdict::Second), false) => 1.0,
        (Some(Verdict::First), false) | (Some(Verdict::Second), true) => 0.0,
        _ => 0.5,
    }
}
