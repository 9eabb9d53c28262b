//! What each kind of method does with a model and examples.

use super::culprit::{Prompted, with_prompt};
use super::examples::Parts;
use super::folder::{Start, clear, document, write_model};
use super::method::{Kto, Method};
use super::objective::{as_kto, bco, kto, on_pairs};
use super::refusal::refused;
use super::report::{Event, Report};
use super::settings::Settings;
use crate::data::{
    Batcher, BinaryBatcher, PreferenceBatcher, ReadReport, SamplerConfig, SftBatcher,
    TokenizedBinary, TokenizedPreference, TokenizedSft,
};
use crate::error::Error;
use crate::loss::{ClassWeights, KtoLossConfig, RewardLoss};
use crate::model::{Llama, ModelFolder, RewardModel, Tokenizer};
use crate::reference::{ChosenReference, Reference, ReferenceFree, TokenReference};
use crate::train::{Hooks, Lock, LossOutput, Objective, Progress, Run, SmoothedSft, Trainer};
use burn::module::Module;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A run whose model is loaded and whose data is read.
pub(super) struct Job<'a> {
    pub(super) folder: &'a ModelFolder,
    pub(super) settings: Settings,
    pub(super) start: Start,
    /// Held until the model is written.
    pub(super) lock: Arc<Lock>,
    pub(super) progress: Progress,
    pub(super) hooks: Hooks,
    pub(super) read: ReadReport,
    pub(super) clock: Instant,
}

type Tell<'t> = &'t mut dyn FnMut(&Event<'_>);

impl Job<'_> {
    pub(super) fn thumbs(
        self,
        policy: Llama,
        mut parts: Parts<TokenizedBinary>,
        max_length: usize,
        tell: Tell<'_>,
    ) -> Result<Report, Error> {
        let batcher = BinaryBatcher::new(self.folder.tokenizer.pad(), max_length);
        let kto = as_kto(&self.settings.method);
        let pairs = kto.as_ref().is_some_and(|kto| !kto.kl.is_fixed());
        let batcher = if pairs {
            batcher
        } else {
            batcher.without_pairs()
        };
        let held = &parts.held_out;
        let one = held.windows(2).all(|pair| pair[0].prompt == pair[1].prompt);
        if pairs && one && !held.is_empty() {
            tell(&Event::Note(
                "one prompt is too few to hold out for KTO: trained on instead",
            ));
            parts.train.append(&mut parts.held_out);
        }
        let up = parts.train.iter().filter(|e| e.desirable).count();
        if up == 0 || up == parts.train.len() {
            tell(&Event::Note(
                "all thumbs point one way: there is nothing to tell apart",
            ));
        }
        let config = match &kto {
            None => None,
            Some(kto) => Some(self.weighed(kto, &batcher, &parts.train, tell)?),
        };
        match self.settings.reference.build(&policy) {
            ChosenReference::Model(reference) => {
                self.on_thumbs((policy, &reference), config, &batcher, &parts, tell)
            }
            ChosenReference::Free(reference) => {
                self.on_thumbs((policy, &reference), config, &batcher, &parts, tell)
            }
        }
    }

    /// The loss's configuration, λ from the counts if it is to be.
    fn weighed(
        &self,
        kto: &Kto,
        batcher: &BinaryBatcher,
        train: &[TokenizedBinary],
        tell: Tell<'_>,
    ) -> Result<KtoLossConfig, Error> {
        let Some(balance) = kto.balance else {
            return Ok(kto.config());
        };
        // What counts is what is trained on; with completions in turns, in the first epoch.
        let (config, seed) = (self.settings.sampler.config(), self.settings.seed);
        let sampler = config.init(self.settings.trainer.batch_size, seed)?;
        let seen = sampler.report(&batcher.describe(train), 0)?;
        let (up, down) = (seen.desirable.examples(), seen.undesirable.examples());
        let weights = ClassWeights::from_counts(up, down, balance.class())?;
        tell(&Event::Weights(&weights));
        Ok(weights.apply(kto.config()))
    }

    fn on_thumbs<R: TokenReference<Llama>>(
        self,
        models: (Llama, &R),
        config: Option<KtoLossConfig>,
        batcher: &BinaryBatcher,
        parts: &Parts<TokenizedBinary>,
        tell: Tell<'_>,
    ) -> Result<Report, Error> {
        let mut objective = match (config, as_kto(&self.settings.method)) {
            (Some(config), Some(settings)) => kto(&settings, config)?,
            _ => match &self.settings.method {
                Method::Bco(settings) => bco(settings)?,
                other => {
                    let message = format!("{} is not on thumbs", other.name());
                    return Err(refused("method", message));
                }
            },
        };
        self.llama(models, &mut objective, batcher, parts, tell)
    }

    pub(super) fn pairs(
        self,
        policy: Llama,
        parts: &Parts<TokenizedPreference>,
        tell: Tell<'_>,
    ) -> Result<Report, Error> {
        let batcher = PreferenceBatcher::new(self.folder.tokenizer.pad());
        let (method, seed) = (self.settings.method.clone(), self.settings.seed);
        if let Method::Reward(reward) = &method {
            return self.reward(policy, &mut reward.config().init(), &batcher, parts, tell);
        }
        if !method.runs_reference() {
            let mut objective = on_pairs(&method, seed)?;
            return self.llama(
                (policy, &ReferenceFree),
                &mut objective,
                &batcher,
                parts,
                tell,
            );
        }
        match self.settings.reference.build(&policy) {
            ChosenReference::Model(reference) => {
                let mut objective = on_pairs(&method, seed)?;
                self.llama((policy, &reference), &mut objective, &batcher, parts, tell)
            }
            ChosenReference::Free(reference) => {
                let mut objective = on_pairs(&method, seed)?;
                self.llama((policy, &reference), &mut objective, &batcher, parts, tell)
            }
        }
    }

    pub(super) fn demonstrations(
        self,
        policy: Llama,
        parts: &Parts<TokenizedSft>,
        tell: Tell<'_>,
    ) -> Result<Report, Error> {
        let batcher = SftBatcher::new(self.folder.tokenizer.pad());
        let Method::Sft(sft) = &self.settings.method else {
            return Err(refused("method", "is not on demonstrations"));
        };
        let mut loss = sft.config()?.init();
        match sft.label_smoothing {
            Some(smoothing) if smoothing > 0.0 => self.llama(
                (policy, &ReferenceFree),
                &mut SmoothedSft(loss),
                &batcher,
                parts,
                tell,
            ),
            _ => self.llama((policy, &ReferenceFree), &mut loss, &batcher, parts, tell),
        }
    }

    fn llama<R, L, B>(
        mut self,
        (policy, reference): (Llama, &R),
        objective: &mut L,
        batcher: &B,
        parts: &Parts<B::Example>,
        tell: Tell<'_>,
    ) -> Result<Report, Error>
    where
        R: Reference<Llama>,
        B: Batcher<Example: Prompted>,
        L: Objective<Llama, R, Batch = B::Batch, Output: LossOutput>,
    {
        let run = self.fit((policy, reference), objective, batcher, parts, tell)?;
        let folder = self.folder;
        self.finish(run, |policy, out| folder.save(&policy.valid(), out))
    }

    fn reward(
        mut self,
        backbone: Llama,
        objective: &mut RewardLoss,
        batcher: &PreferenceBatcher,
        parts: &Parts<TokenizedPreference>,
        tell: Tell<'_>,
    ) -> Result<Report, Error> {
        let device = backbone.device();
        let models = (RewardModel::new(backbone, &device), &ReferenceFree);
        let run = self.fit(models, objective, batcher, parts, tell)?;
        let folder = self.folder;
        let save = |policy: &RewardModel<Llama>, out: &Path| {
            folder.save_with(out, |partial| policy.valid().save(partial))
        };
        self.finish(run, save)
    }

    /// Trains; the settings are written beside what the trainer writes.
    fn fit<M, R, L, B>(
        &mut self,
        (policy, reference): (M, &R),
        objective: &mut L,
        batcher: &B,
        parts: &Parts<B::Example>,
        tell: Tell<'_>,
    ) -> Result<Run<M>, Error>
    where
        M: Module,
        R: Reference<M>,
        B: Batcher<Example: Prompted>,
        L: Objective<M, R, Batch = B::Batch, Output: LossOutput>,
    {
        let Parts { train, held_out } = parts;
        let sampler = self.settings.sampler.config();
        let seed = self.settings.seed;
        let drawn = sampler.init(self.settings.trainer.batch_size, seed)?;
        let report = drawn.report(&batcher.describe(train), 0)?;
        let trainer = Trainer::new(self.settings.trainer_config())?.with_sampler(sampler.clone());
        let steps = trainer.total_steps(batcher, train)?;
        // What was left open is settled now.
        let quarter = steps.div_ceil(4).max(1);
        let intervals = &mut self.settings.trainer;
        intervals.evaluate_every.get_or_insert(quarter);
        intervals.checkpoint_every.get_or_insert(quarter);
        let mut trainer = Trainer::new(self.settings.trainer_config())?
            .with_sampler(sampler.clone())
            .with_progress(self.progress)
            .with_hooks(self.hooks.clone())
            .with_output(&self.settings.output.folder)
            .with_held(self.lock.clone(), vec![document(&self.settings)?]);
        if self.start != Start::Anew {
            trainer = trainer.with_resume();
        }
        tell(&Event::Started {
            train: train.len(),
            held_out: held_out.len(),
            steps,
        });
        if sampler != SamplerConfig::new() {
            tell(&Event::Epoch(&report));
        }
        let run = trainer.fit(policy, reference, objective, batcher, train, held_out);
        run.map_err(|error| with_prompt(error, parts, &self.folder.tokenizer))
    }

    fn finish<M>(
        self,
        run: Run<M>,
        save: impl FnOnce(&M, &Path) -> Result<(), Error>,
    ) -> Result<Report, Error> {
        let out = &self.settings.output.folder;
        clear(out)?;
        let model: Option<PathBuf> = match run.interrupted {
            true => None,
            false => {
                let save = |folder: &Path| save(&run.policy, folder);
                let written = write_model(out, self.start, save);
                if written.is_err() {
                    // On a full disk it is in the way of whatever may help.
                    let _ = clear(out);
                }
                Some(written?)
            }
        };
        Ok(Report {
            model,
            settings: self.settings,
            read: self.read,
            steps: run.steps,
            evaluations: run.evaluations,
            interrupted: run.interrupted,
            elapsed: self.clock.elapsed(),
        })
    }
}
