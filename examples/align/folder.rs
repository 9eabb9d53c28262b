//! A Hugging Face folder and a feedback file become an aligned folder.

use crate::reading;
use crate::{Method, Options, ReferenceKind, stop_on_interrupt};
use burn::module::Module;
use burn_kto::prelude::*;
use clap::ValueEnum;
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(options: &Options, model: &Path, data: &Path) -> Result<(), Error> {
    let clock = Instant::now();
    // What can be wrong is looked at before anything slow.
    options.trainer(1.0).validate()?;
    options.sampler()?;
    check_share(options.held_out)?;
    let checkpoint = options.out.join("checkpoint");
    if checkpoint.exists() && !options.resume {
        return Err(Error::Checkpoint {
            path: checkpoint,
            message: "a run is there: go on with --resume, or choose another --out".into(),
        });
    }
    if same_folder(&options.out.join("model"), model) || same_folder(&options.out, model) {
        return Err(Error::Model {
            path: model.into(),
            message: "what comes out would be written into it: choose another --out".into(),
        });
    }
    let method = options.method;
    let thumbs = matches!(method, Method::Kto | Method::ApoZero | Method::Bco);
    let weighs = matches!(method, Method::Kto | Method::ApoZero);
    let compares = thumbs || matches!(method, Method::Dpo | Method::Rpo);
    let (for_thumbs, for_kto) = (
        "is for thumbs: kto, apo-zero, bco",
        "is for kto and apo-zero",
    );
    let with_reference = "is for kto, apo-zero, bco, dpo and rpo: others have no reference";
    let (teaches, for_sft) = (method == Method::Sft, "is for demonstrations: sft");
    let of_thumbs = options.sampling.of_thumbs();
    let of_thumbs = of_thumbs.map(|(field, given)| (field, given, thumbs, for_thumbs));
    let others = [
        ("threshold", options.threshold.is_some(), thumbs, for_thumbs),
        ("balance", options.balance, weighs, for_kto),
        (
            "desirable-weight",
            options.desirable_weight != 1.0,
            weighs,
            for_kto,
        ),
        (
            "undesirable-weight",
            options.undesirable_weight != 1.0,
            weighs,
            for_kto,
        ),
        ("beta", options.beta.is_some(), !teaches, "is not for sft"),
        (
            "reference",
            options.reference != ReferenceKind::Frozen,
            compares,
            with_reference,
        ),
        ("every-turn", options.reading.every_turn, teaches, for_sft),
        (
            "generation-marks",
            options.reading.generation_marks,
            teaches,
            for_sft,
        ),
    ];
    for (field, given, heard, reason) in of_thumbs.into_iter().chain(others) {
        refuse(given && !heard, field, reason, options)?;
    }
    let device = options.device.open()?;
    let tokenizer = HfTokenizer::from_folder(model)?;
    let jinja = JinjaTemplate::from_folder(model)?;
    let template: &dyn ChatTemplate = match &jinja {
        Some(template) => template,
        None => &PlainTemplate,
    };
    let policy = Llama::load(model, &device)?;
    policy.check_tokenizer(&tokenizer)?;
    println!(
        "model  {}: {} parameters",
        model.display(),
        policy.num_params()
    );
    let longest = policy.config().max_length();
    let max_length = options.max_length.map_or(longest.min(512), |n| n as usize);
    if max_length > longest {
        return Err(Error::Config {
            field: "max-length",
            reason: "must not be more than the model reads",
            value: format!("{max_length} for a model of {longest}"),
        });
    }
    let encoder = Encoder::new(&tokenizer, template, max_length).with_max_prompt_length(
        options
            .max_prompt_length
            .map_or(max_length / 2, |n| n as usize),
    );
    let encoder = options.reading.encoder(encoder);
    let reader = options.reading.reader(options.seed);
    let key = options
        .cache
        .as_ref()
        .map(|_| CacheKey::default().with_source(&reader, data));
    let job = Job {
        key: key.transpose()?,
        options,
        encoder,
        pad: tokenizer.pad(),
        max_length,
        policy,
    };
    let aligned = match options.method {
        Method::Kto | Method::ApoZero | Method::Bco => job.thumbs(data)?,
        Method::Dpo => job.dpo(data)?,
        Method::Rpo => job.rpo(data)?,
        Method::Simpo => job.simpo(data)?,
        Method::Cpo => job.cpo(data)?,
        Method::Orpo => job.orpo(data)?,
        Method::Sft => job.sft(data)?,
    };
    let folder = options.out.join("model");
    aligned.save(&folder)?;
    Llama::copy_tokenizer(model, &folder)?;
    println!(
        "written {0} (weights, config, tokenizer); {1}/metrics.jsonl, {1}/checkpoint; {2:.0} s in all",
        folder.display(),
        options.out.display(),
        clock.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Whether both are there and one.
fn same_folder(a: &Path, b: &Path) -> bool {
    let (a, b) = (std::fs::canonicalize(a), std::fs::canonicalize(b));
    matches!((a, b), (Ok(a), Ok(b)) if a == b)
}

/// Refuses an option that the method would ignore.
fn refuse(
    ignored: bool,
    field: &'static str,
    reason: &'static str,
    options: &Options,
) -> Result<(), Error> {
    if !ignored {
        return Ok(());
    }
    Err(Error::Config {
        field,
        reason,
        value: options
            .method
            .to_possible_value()
            .map_or_else(String::new, |v| v.get_name().into()),
    })
}

struct Job<'a> {
    options: &'a Options,
    encoder: Encoder<'a>,
    pad: u32,
    max_length: usize,
    policy: Llama,
    /// Of what is cached, made before the data is read.
    key: Option<CacheKey>,
}

impl Job<'_> {
    fn thumbs(self, data: &Path) -> Result<Llama, Error> {
        let options = self.options;
        let beta = options.beta.unwrap_or(0.1);
        let config = match options.method {
            Method::ApoZero => KtoLossConfig::apo_zero_unpaired(),
            _ => KtoLossConfig::new(),
        };
        let config = config
            .with_beta(beta)
            .with_desirable_weight(options.desirable_weight)
            .with_undesirable_weight(options.undesirable_weight);
        config.validate()?;
        let examples = match options.threshold {
            Some(threshold) => {
                let loaded = self.reader().scored(data)?;
                reading::told(&loaded.report);
                let labelled = ScoreLabels::new(threshold).apply(&loaded.examples)?;
                println!("       {labelled}");
                labelled.examples
            }
            None => {
                let loaded = self.reader().binary(data)?;
                reading::told(&loaded.report);
                loaded.examples
            }
        };
        let (train, held_out) = self.split(examples, |e| &e.prompt);
        let (mut train, mut held_out) = self.encoded(train, held_out)?;
        if options.method == Method::Kto
            && held_out
                .windows(2)
                .all(|pair| pair[0].prompt == pair[1].prompt)
            && !held_out.is_empty()
        {
            println!("       one prompt is too few to hold out for KTO: trained on instead");
            train.append(&mut held_out);
        }
        let up = train.iter().filter(|example| example.desirable).count();
        if up == 0 || up == train.len() {
            println!("       all thumbs point one way: there is nothing to tell apart");
        }
        let batcher = BinaryBatcher::new(self.pad, self.max_length);
        let batcher = match options.method {
            Method::Kto => batcher,
            _ => batcher.without_pairs(),
        };
        if options.method == Method::Bco {
            let mut bco = BcoLossConfig::new().with_beta(beta).init();
            return self.align(&mut bco, &batcher, &train, &held_out, 5e-6);
        }
        let config = if options.balance {
            let interval = ClassInterval::ThreeHalves;
            // What counts is what is trained on; with completions in turns, in the first epoch.
            let seen = options.sampler()?.report(&batcher.describe(&train), 0)?;
            let (up, down) = (seen.desirable.examples(), seen.undesirable.examples());
            let weights = ClassWeights::from_counts(up, down, interval)?;
            println!("       {weights}");
            weights.apply(config)
        } else {
            config
        };
        self.align(&mut config.init(), &batcher, &train, &held_out, 5e-6)
    }

    fn dpo(self, data: &Path) -> Result<Llama, Error> {
        let config = DpoLossConfig::new().with_beta(self.options.beta.unwrap_or(0.1));
        config.validate()?;
        self.pairs(data, config.init(), 5e-7)
    }

    fn rpo(self, data: &Path) -> Result<Llama, Error> {
        let config = MixedLossConfig::rpo(self.options.beta.unwrap_or(0.1), 1.0);
        config.validate()?;
        self.pairs(data, config.init(), 5e-7)
    }

    fn simpo(self, data: &Path) -> Result<Llama, Error> {
        let config = SimpoLossConfig::new().with_beta(self.options.beta.unwrap_or(2.0));
        config.validate()?;
        self.pairs(data, config.init(), 5e-7)
    }

    fn cpo(self, data: &Path) -> Result<Llama, Error> {
        let config = CpoLossConfig::new().with_beta(self.options.beta.unwrap_or(0.1));
        config.validate()?;
        self.pairs(data, config.init(), 5e-7)
    }

    fn orpo(self, data: &Path) -> Result<Llama, Error> {
        let config = OrpoLossConfig::new().with_beta(self.options.beta.unwrap_or(0.1));
        config.validate()?;
        self.pairs(data, config.init(), 5e-6)
    }

    fn pairs<L: PreferenceLoss>(
        self,
        data: &Path,
        mut loss: L,
        learning_rate: f64,
    ) -> Result<Llama, Error> {
        let loaded = self.reader().preferences(data)?;
        reading::told(&loaded.report);
        let (train, held_out) = self.split(loaded.examples, |e| &e.prompt);
        let (train, held_out) = self.encoded(train, held_out)?;
        let batcher = PreferenceBatcher::new(self.pad);
        if L::REFERENCE {
            self.align(&mut loss, &batcher, &train, &held_out, learning_rate)
        } else {
            let reference = ReferenceFree;
            self.fit(
                &reference,
                &mut loss,
                &batcher,
                &train,
                &held_out,
                learning_rate,
            )
        }
    }

    fn sft(self, data: &Path) -> Result<Llama, Error> {
        let loaded = self.reader().sft(data)?;
        reading::told(&loaded.report);
        let (train, held_out) = self.split(loaded.examples, |e| &e.prompt);
        let (train, held_out) = self.encoded(train, held_out)?;
        let batcher = SftBatcher::new(self.pad);
        self.fit(
            &ReferenceFree,
            &mut SftLossConfig::new().init(),
            &batcher,
            &train,
            &held_out,
            2e-5,
        )
    }

    fn reader(&self) -> Reader {
        self.options.reading.reader(self.options.seed)
    }

    /// Token ids of what is trained on and what is held out; from the cache, if there is one.
    #[allow(clippy::type_complexity)] // two lists of the same kind
    fn encoded<E: Encode<Tokenized: CacheRow>>(
        &self,
        train: Vec<E>,
        held_out: Vec<E>,
    ) -> Result<(Vec<E::Tokenized>, Vec<E::Tokenized>), Error> {
        let options = self.options;
        let held = held_out.len();
        let told = |report: &EncodeReport, origin: &str| {
            println!("       {report}{origin}");
            match report.dropped.first_key_value() {
                Some((why, _)) if options.reading.strict => Err(Error::Dataset {
                    message: format!("--strict: an example had to be dropped: {why}"),
                }),
                _ => Ok(()),
            }
        };
        let part = |name: &str, examples: Vec<E>| {
            let (Some(folder), Some(key)) = (&options.cache, &self.key) else {
                let encoded = E::encode(&examples, &self.encoder)?;
                told(&encoded.report, "")?;
                return Ok::<_, Error>(encoded.examples);
            };
            // All that decides which examples these are.
            let key = key
                .clone()
                .with("limit", format!("{:?}", options.limit))
                .with("threshold", format!("{:?}", options.threshold))
                .with("held out", options.held_out)
                .with("seed", options.seed)
                .with("part", name);
            let rows = || Ok(examples.into_iter().map(Ok));
            let cached = TokenCache::new(folder).open_or_build(&self.encoder, &key, rows)?;
            let origin = if cached.built { "" } else { "; from the cache" };
            told(&cached.report, origin)?;
            Ok(cached.examples)
        };
        let (train, held_out) = (part("train", train)?, part("held out", held_out)?);
        if train.is_empty() {
            let message = format!(
                "no example is left to train on: {held} were held out, for others see above"
            );
            return Err(Error::Dataset { message });
        }
        Ok((train, held_out))
    }

    fn split<T>(&self, mut examples: Vec<T>, prompt: impl Fn(&T) -> &Prompt) -> (Vec<T>, Vec<T>) {
        examples.truncate(self.options.limit.unwrap_or(usize::MAX));
        hold_out(examples, self.options.held_out, self.options.seed, prompt)
    }

    /// With the reference that was asked for.
    fn align<L, B>(
        self,
        loss: &mut L,
        batcher: &B,
        train: &[B::Example],
        held_out: &[B::Example],
        learning_rate: f64,
    ) -> Result<Llama, Error>
    where
        B: Batcher,
        L: Objective<Llama, Frozen<Llama>, Batch = B::Batch>
            + Objective<Llama, Cached<Llama>, Batch = B::Batch>
            + Objective<Llama, ReferenceFree, Batch = B::Batch>,
        <L as Objective<Llama, Frozen<Llama>>>::Output: LossOutput,
        <L as Objective<Llama, Cached<Llama>>>::Output: LossOutput,
        <L as Objective<Llama, ReferenceFree>>::Output: LossOutput,
    {
        match self.options.reference {
            ReferenceKind::Frozen => {
                let reference = Frozen::new(&self.policy);
                self.fit(&reference, loss, batcher, train, held_out, learning_rate)
            }
            ReferenceKind::Cached => {
                let reference = Cached::new(&self.policy);
                self.fit(&reference, loss, batcher, train, held_out, learning_rate)
            }
            ReferenceKind::Free => self.fit(
                &ReferenceFree,
                loss,
                batcher,
                train,
                held_out,
                learning_rate,
            ),
        }
    }

    fn fit<R, L, B>(
        self,
        reference: &R,
        loss: &mut L,
        batcher: &B,
        train: &[B::Example],
        held_out: &[B::Example],
        learning_rate: f64,
    ) -> Result<Llama, Error>
    where
        R: Reference<Llama>,
        B: Batcher,
        L: Objective<Llama, R, Batch = B::Batch>,
        L::Output: LossOutput,
    {
        let options = self.options;
        let config = options.trainer(learning_rate);
        let sampler = options.sampler()?;
        let report = sampler.report(&batcher.describe(train), 0)?;
        let sampler = sampler.config();
        let steps = Trainer::new(config.clone())?
            .with_sampler(sampler.clone())
            .total_steps(batcher, train)?;
        let every = options
            .every
            .map_or(steps.div_ceil(4).max(1), |n| n as usize);
        let every = Some(every);
        let config = config
            .with_evaluate_every(every)
            .with_checkpoint_every(every);
        println!(
            "train  {} examples in {steps} steps, {} held out",
            train.len(),
            held_out.len()
        );
        if *sampler != SamplerConfig::new() {
            println!("       {report}");
        }
        let mut trainer = Trainer::new(config)?
            .with_sampler(sampler.clone())
            .with_output(&options.out);
        if options.resume {
            trainer = trainer.with_resume();
        }
        stop_on_interrupt(trainer.stop_flag());
        let run = trainer.fit(self.policy, reference, loss, batcher, train, held_out)?;
        if run.interrupted {
            println!("interrupted after step {}; go on with --resume", run.steps);
        }
        for (step, metrics) in &run.evaluations {
            let part = |name| Some(format!("{name} {:.4}", metrics.get(name)?));
            let known = [
                part("loss"),
                metrics.z0().map(|z0| z0.to_string()),
                part("rewards/margins"),
                part("rewards/accuracies"),
            ];
            let known: Vec<String> = known.into_iter().flatten().collect();
            println!("step {step:>5}  held out: {}", known.join("  "));
        }
        Ok(run.policy)
    }
}

fn check_share(share: f64) -> Result<(), Error> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(Error::Config {
        field: "held-out",
        reason: "must be in [0, 1)",
        value: share.to_string(),
    })
}
