//! Held-out pairs: implicit rewards; divergence and length of sampled answers.

use super::files::messages;
use super::subject::{Contestant, Local, Source, check_pair};
use super::{Options, TaskName, usage};
use crate::interrupt;
use crate::output::{note, progress, progress_done};
use burn::tensor::Device;
use burn_kto::eval::*;
use burn_kto::prelude::*;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Preferences {
    pub(super) reference: String,
    pub(super) beta: f64,
    pub(super) pairs: usize,
    pub(super) metrics: Option<PreferenceMetrics>,
    pub(super) drift: Option<Drift>,
}

/// Prompts that answers are sampled to, for the divergence.
const SAMPLED: usize = 64;
/// Rows of one forward pass.
const ROWS: usize = 8;

pub(super) fn check(options: &Options) -> Result<(), Error> {
    if !options.tasks.contains(&TaskName::Preferences) {
        return Ok(());
    }
    if options.compare.is_none() || options.url.is_some() {
        return Err(usage(
            "preferences need two folders: --model DIR, and its reference --compare DIR",
        ));
    }
    match &options.prompts {
        Some(path) => read_preferences(path).map(drop),
        None => Err(usage(
            "preferences need --prompts FILE with chosen and rejected",
        )),
    }
}

pub(super) fn run(
    options: &Options,
    first: &Contestant,
    second: &Contestant,
    device: &Device,
) -> Result<Preferences, Error> {
    #[allow(irrefutable_let_patterns)] // without feature `endpoint` there is one kind only
    let (Source::Local(policy), Source::Local(base), Some(path)) =
        (&first.source, &second.source, &options.prompts)
    else {
        return Err(usage("preferences need two folders"));
    };
    check_pair(&policy.folder, &base.folder)?;
    let mut pairs = read_preferences(path)?.examples;
    pairs.truncate(options.limit.map_or(usize::MAX, |limit| limit as usize));
    let template = policy.template();
    let encoder = Encoder::new(&policy.folder.tokenizer, template, policy.max_length);
    let encoded = encoder.encode_preferences(&pairs)?;
    note!("preferences: {}", encoded.report);
    let reference = Frozen::new(&base.model);
    let (mut chosen, mut rejected) = (Vec::new(), Vec::new());
    let total = encoded.examples.len();
    for rows in encoded.examples.chunks(ROWS) {
        for (rewards, completions) in [
            (
                &mut chosen,
                rows.iter().map(|r| &r.chosen[..]).collect::<Vec<_>>(),
            ),
            (
                &mut rejected,
                rows.iter().map(|r| &r.rejected[..]).collect(),
            ),
        ] {
            let prompts = rows.iter().map(|r| &r.prompt[..]);
            let sequences = Sequences::padded(
                prompts.zip(completions),
                policy.folder.tokenizer.pad(),
                device,
            );
            rewards.extend(implicit_rewards(
                &policy.model,
                &reference,
                &sequences,
                options.beta,
            ));
        }
        progress(&format!("preferences {}/{total}", chosen.len()));
        if interrupt::came() {
            progress_done();
            let message = format!(
                "preferences: interrupted after {} of {total} pairs, which begin anew",
                chosen.len()
            );
            return Err(Error::Interrupted { message });
        }
    }
    progress_done();
    // Of which nothing could be said, and AUC is not defined.
    let rewards = chosen.iter().chain(&rejected);
    let broken = rewards.filter(|reward| !reward.is_finite()).count();
    if broken > 0 {
        let message = format!(
            "preferences: {broken} of {} rewards are not finite numbers: is one of the models broken?",
            2 * total
        );
        return Err(Error::Dataset { message });
    }
    Ok(Preferences {
        reference: second.name().into(),
        beta: options.beta,
        pairs: total,
        metrics: PreferenceMetrics::of(&chosen, &rejected),
        drift: drift(options, policy, base, &pairs, device)?,
    })
}

/// Answers of both at temperature 1: only then is the mean log-ratio the divergence.
fn drift(
    options: &Options,
    policy: &Local,
    base: &Local,
    pairs: &[PreferenceExample],
    device: &Device,
) -> Result<Option<Drift>, Error> {
    let mut prompts = Vec::new();
    let longest = options.max_tokens.unwrap_or(128);
    let room = policy.max_length.saturating_sub(longest);
    if room == 0 {
        return Err(usage(format!(
            "preferences: answers of {longest} tokens leave no room for a prompt in {}: use a lower --max-tokens",
            policy.max_length
        )));
    }
    for pair in pairs.iter().take(SAMPLED) {
        let text = policy.template().render(&messages(&pair.prompt), true)?;
        let mut ids = policy.folder.tokenizer.encode(&text)?;
        // A template may have written it already.
        match policy.folder.tokenizer.bos() {
            Some(bos) if ids.first() != Some(&bos) => ids.insert(0, bos),
            _ => {}
        }
        prompts.push(ids.split_off(ids.len().saturating_sub(room)));
    }
    let config = GenerationConfig::new()
        .with_max_new_tokens(longest)
        .with_sampling(Sampling::Random {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
        })
        .with_seed(options.seed)
        .with_stop_tokens(policy.folder.tokenizer.stop_tokens().to_vec());
    note!(
        "preferences: sampling {} answers of either model",
        prompts.len()
    );
    let own = policy.model.generate(&prompts, &config)?;
    let others = base.model.generate(&prompts, &config)?;
    let mut samples = Vec::new();
    let rows: Vec<_> = prompts.iter().zip(own.iter().zip(&others)).collect();
    for rows in rows.chunks(ROWS) {
        let texts = rows
            .iter()
            .map(|(prompt, (own, _))| (&prompt[..], &own[..]));
        let sequences = Sequences::padded(texts, policy.folder.tokenizer.pad(), device);
        let scores = |model: &Llama| -> Vec<f64> {
            model
                .log_probs(&sequences)
                .into_data()
                .iter::<f64>()
                .collect()
        };
        let scores = scores(&policy.model).into_iter().zip(scores(&base.model));
        for ((policy, reference), (_, (own, other))) in scores.zip(rows) {
            samples.push(DriftSample {
                policy,
                reference,
                length: own.len(),
                reference_length: other.len(),
            });
        }
    }
    Ok(Drift::of(&samples))
}
