//! Win rate: answers to the same prompts, and a judge.

use super::files::{find, messages, prompts};
use super::subject::{Contestant, Source, check_pair, fingerprint, name_of};
use super::suite::evaluate;
use super::{JudgeName, Options, TaskName, usage};
use crate::output::{progress, progress_done};
use burn::tensor::Device;
use burn_kto::eval::*;
use burn_kto::prelude::*;
use std::path::PathBuf;

/// Prompts as a task without points: records and resuming come with it.
struct Answers {
    items: Vec<Item<Completion>>,
}

impl Task for Answers {
    type Request = Completion;

    fn name(&self) -> String {
        "answers".into()
    }

    fn version(&self) -> String {
        "1".into()
    }

    fn items(&self) -> &[Item<Completion>] {
        &self.items
    }

    fn grade(&self, _: usize, response: &Texts) -> Result<Grade, Error> {
        let mut grade = Grade::new("");
        let length = response.texts[0].chars().count() as f64;
        grade.metrics.insert("characters".into(), length);
        Ok(grade)
    }
}

pub(super) fn check(options: &Options) -> Result<(), Error> {
    if !options.tasks.contains(&TaskName::WinRate) {
        return Ok(());
    }
    let path = file(options)?;
    let known = prompts(&path)?;
    if options.compare.is_none() && known.iter().any(|(_, completion)| completion.is_none()) {
        return Err(usage(format!(
            "{}: has no completions to compare with, so the win rate needs an opponent: --compare DIR",
            path.display()
        )));
    }
    let missing = match options.judge {
        None => "--judge",
        Some(JudgeName::Reward) if options.judge_policy.is_none() => "--judge-policy",
        Some(JudgeName::Endpoint) if options.judge_url.is_none() => "--judge-url",
        // Reads the form and the key, asks nothing.
        Some(JudgeName::Endpoint) => return endpoint_judge(options).map(drop),
        Some(_) => return Ok(()),
    };
    Err(usage(format!("the win rate needs {missing}")))
}

fn file(options: &Options) -> Result<PathBuf, Error> {
    match &options.prompts {
        Some(path) => Ok(path.clone()),
        None => find(options, &["judge/mtbench_question.jsonl"])
            .map_err(|_| usage("the win rate needs --prompts FILE")),
    }
}

pub(super) fn run(
    options: &Options,
    first: &Contestant,
    second: Option<&Contestant>,
    device: &Device,
) -> Result<MatchReport, Error> {
    let mut known = prompts(&file(options)?)?;
    known.truncate(options.limit.map_or(usize::MAX, |limit| limit as usize));
    let candidates = answers(options, first, &known)?;
    let baselines = match second {
        Some(second) => answers(options, second, &known)?,
        None => known
            .iter()
            .map(|(_, completion)| completion.clone().unwrap_or_default())
            .collect(),
    };
    let duels: Vec<Duel> = known
        .into_iter()
        .zip(candidates.into_iter().zip(baselines))
        .enumerate()
        .map(|(i, ((prompt, _), (candidate, baseline)))| Duel {
            id: i.to_string(),
            prompt,
            candidate,
            baseline,
        })
        .collect();
    let protocol = match options.paper_protocol {
        true => Protocol::KtoPaper { seed: options.seed },
        false => Protocol::BothOrders,
    };
    let path = options.out.join(&first.folder).join("rounds.jsonl");
    let play = |judge: &dyn Judge| {
        let mut judged = |done: usize, total: usize| progress(&format!("judged {done}/{total}"));
        let report = Match::new(protocol).with_records(path.clone());
        let report = report.play(&duels, judge, &mut judged);
        progress_done();
        report
    };
    match options.judge {
        Some(JudgeName::Longer) => {
            let length = |_: &Prompt, answer: &str| answer.chars().count() as f64;
            play(&RuleJudge::new("longer", length))
        }
        Some(JudgeName::Reward) => reward(options, device, &play),
        Some(JudgeName::Endpoint) => play(&endpoint_judge(options)?),
        Some(JudgeName::Shorter) | None => {
            let length = |_: &Prompt, answer: &str| -(answer.chars().count() as f64);
            play(&RuleJudge::new("shorter", length))
        }
    }
}

type Play<'a> = dyn Fn(&dyn Judge) -> Result<MatchReport, Error> + 'a;

/// The implicit reward of an aligned model.
fn reward(options: &Options, device: &Device, play: &Play<'_>) -> Result<MatchReport, Error> {
    let (Some(policy), Some(reference)) = (&options.judge_policy, &options.judge_reference) else {
        return Err(usage(
            "judge `reward` needs --judge-policy and --judge-reference",
        ));
    };
    let (policy, reference) = (ModelFolder::open(policy)?, ModelFolder::open(reference)?);
    check_pair(&policy, &reference)?;
    // Verdicts are kept by this name, and other weights are another judge.
    let [first, second] = [&policy, &reference].map(|folder| {
        let weights = fingerprint(folder)?;
        Ok::<_, Error>(format!("{} {weights:016x}", name_of(folder)))
    });
    let name = format!("{} over {}", first?, second?);
    let longest = policy.max_length().min(reference.max_length()).min(2048);
    let encoder = Encoder::new(&policy.tokenizer, policy.template(), longest);
    let (model, base) = (policy.load(device)?, reference.load(device)?);
    let reference = Frozen::new(&base);
    let reward = ImplicitReward::new(&model, reference, options.beta, encoder, device);
    play(&RewardJudge::new(name, reward))
}

#[cfg(feature = "endpoint")]
fn endpoint_judge(options: &Options) -> Result<EndpointJudge, Error> {
    let (Some(url), Some(name)) = (&options.judge_url, &options.judge_name) else {
        return Err(usage("judge `endpoint` needs --judge-url and --judge-name"));
    };
    let form = match &options.judge_form {
        Some(path) => JudgeForm::from_file(path)?,
        None => JudgeForm::KtoPaper,
    };
    let config = EndpointConfig::new(url.clone(), name.clone())
        .with_key_variable(options.key_variable.clone());
    Ok(EndpointJudge::new(Endpoint::new(config)?, form))
}

/// Stands where there are no endpoints; there is never one.
#[cfg(not(feature = "endpoint"))]
type NoJudge = RuleJudge<fn(&Prompt, &str) -> f64>;

#[cfg(not(feature = "endpoint"))]
fn endpoint_judge(_: &Options) -> Result<NoJudge, Error> {
    Err(usage(
        "judge `endpoint` needs a burn-kto that was built with --features endpoint",
    ))
}

/// The model's answers, in its chat template.
fn answers(
    options: &Options,
    model: &Contestant,
    known: &[(Prompt, Option<String>)],
) -> Result<Vec<String>, Error> {
    let mut items = Vec::new();
    for (i, (prompt, _)) in known.iter().enumerate() {
        let turns = messages(prompt);
        let text = match &model.source {
            Source::Local(local) => local.template().render(&turns, true)?,
            // The endpoint writes the template; a longer conversation becomes one text.
            #[cfg(feature = "endpoint")]
            Source::Remote(_) if turns.len() == 1 => turns[0].content.clone(),
            #[cfg(feature = "endpoint")]
            Source::Remote(_) => PlainTemplate.render(&turns, true)?,
        };
        let max_tokens = options.max_tokens.unwrap_or(256);
        items.push(Item {
            id: i.to_string(),
            group: "prompts".into(),
            request: Completion::greedy(text, &[], max_tokens),
        });
    }
    let task = Answers { items };
    let evaluation = evaluate(options, model, &task, &*model.writer(false))?;
    let records = evaluation.records.into_iter();
    Ok(records
        .map(|record| record.response.texts[0].trim().to_string())
        .collect())
}
