//! Runs that would go wrong without a word, or panic: errors, before anything is trained.

use super::*;
use burn::module::{Lora, ParamGroup};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn trainer(config: TrainerConfig) -> Trainer {
    let trainer = Trainer::new(config).unwrap();
    trainer.with_progress(Progress::Silent)
}

/// The error of a run of KTO on `data`.
fn refused<R: Reference<Llama>>(
    policy: Llama,
    reference: &R,
    mut loss: KtoLoss,
    batcher: &BinaryBatcher,
    data: &[TokenizedBinary],
) -> String {
    let trainer = trainer(config());
    let run = trainer.fit(policy, reference, &mut loss, batcher, data, &[]);
    run.unwrap_err().to_string()
}

#[test]
fn several_ranks_would_train_several_models() {
    #[derive(Debug)]
    struct Two;
    impl Ranks for Two {
        fn sum(&self, mine: KlSums) -> KlSums {
            mine + mine
        }
    }
    let (policy, data) = (model(), feedback(40));
    let (reference, batcher) = (Frozen::new(&policy), BinaryBatcher::new(0, 64));
    let sharded = trainer(config()).with_sampler(SamplerConfig::new().with_ranks(2));
    let run = sharded.fit(policy.clone(), &reference, &mut kto(), &batcher, &data, &[]);
    assert_eq!(
        run.unwrap_err().to_string(),
        "ranks must be 1 in training: gradients are not summed over ranks, each would train a \
         model of its own, got 2"
    );
    let pooled = kto().with_ranks(Arc::new(Two));
    let error = refused(policy, &reference, pooled, &batcher, &data);
    assert!(
        error.contains("gradients are not summed over ranks"),
        "{error}"
    );
}

#[test]
fn what_a_model_cannot_read_is_an_error() {
    let policy = model();
    let reference = Frozen::new(&policy);
    let batcher = BinaryBatcher::new(0, 2000);
    let with = |row: TokenizedBinary| {
        let mut data = feedback(8);
        data[5] = row;
        refused(policy.clone(), &reference, kto(), &batcher, &data)
    };
    // The pad token is 0; what is padding does not matter.
    let beyond = with(TokenizedBinary::new(vec![1], vec![20], true));
    assert_eq!(beyond, "step 0: the model has token ids up to 19, got 20");
    let long = with(TokenizedBinary::new(vec![1; 600], vec![2], true));
    assert_eq!(
        long,
        "step 0: the model reads at most 512 tokens, got a sequence of 601"
    );
    let empty = with(TokenizedBinary::new(vec![1], vec![], true));
    assert!(
        empty.contains("has no scored token: is its completion empty?"),
        "{empty}"
    );
}

#[test]
fn held_out_examples_are_named() {
    let (policy, data) = (model(), feedback(40));
    let reference = Frozen::new(&policy);
    let held_out = [
        TokenizedBinary::new(vec![1], vec![2], true),
        TokenizedBinary::new(vec![2], vec![99], false),
    ];
    let batcher = BinaryBatcher::new(0, 64);
    let run = trainer(config()).fit(policy, &reference, &mut kto(), &batcher, &data, &held_out);
    assert_eq!(
        run.unwrap_err().to_string(),
        "held-out examples: the model has token ids up to 19, got 99"
    );
}

#[test]
fn combinations_that_make_no_sense_are_errors() {
    let (policy, data) = (model(), feedback(16));
    let frozen = Frozen::new(&policy);
    let (batcher, apart) = (
        BinaryBatcher::new(0, 64),
        BinaryBatcher::new(0, 64).without_pairs(),
    );
    let error = refused(policy.clone(), &AdapterOff, kto(), &batcher, &data);
    assert!(
        error.contains("AdapterOff needs a policy with LoRA adapters, got none"),
        "{error}"
    );
    let error = refused(policy.clone(), &frozen, kto(), &apart, &data);
    assert!(
        error.contains("z0 is estimated from mismatched pairs"),
        "{error}"
    );
    let fixed = KtoLossConfig::apo_zero_unpaired().init();
    let error = refused(policy.clone(), &ReferenceFree, fixed, &apart, &data);
    assert!(error.contains("a fixed z0 needs a reference"), "{error}");
    let cached = Cached::new(&policy).without_model();
    let error = refused(policy.clone(), &cached, kto(), &batcher, &data);
    assert!(
        error.contains("8 of 8 sequences are not in the cache and its model was dropped"),
        "{error}"
    );
    let moving = MovingConfig::new().init(&LlamaConfig::new(20, 16, 1, 2).init(3, &device()));
    let error = refused(policy.clone(), &moving, kto(), &batcher, &data);
    assert!(
        error.contains("Moving has to be made of the policy that it follows"),
        "{error}"
    );
    // What does make sense is none of these.
    let group = ParamGroup::from_regex("q_proj").unwrap();
    let adapted = policy.apply_lora(Lora::new(2, 4.0).set_param_group(group));
    let run = trainer(config()).fit(adapted, &AdapterOff, &mut kto(), &batcher, &data, &[]);
    assert_eq!(run.unwrap().steps, 2);
}

#[test]
fn more_epochs_than_can_be_laid_out_are_refused_at_once() {
    let data = feedback(40);
    let policy = model();
    let reference = Frozen::new(&policy);
    let sampler = SamplerConfig::new().with_one_per_prompt(true);
    let fit = |config: TrainerConfig| {
        let trainer = trainer(config).with_sampler(sampler.clone());
        let batcher = BinaryBatcher::new(0, 64);
        trainer.fit(policy.clone(), &reference, &mut kto(), &batcher, &data, &[])
    };
    let forever = config().with_epochs(1 << 40);
    assert_eq!(
        fit(forever.clone()).unwrap_err().to_string(),
        "epochs must be at most 100000 with one_per_prompt, got 1099511627776"
    );
    assert_eq!(fit(forever.with_max_steps(Some(3))).unwrap().steps, 3);
}

/// A run of two steps of KTO or another loss, stopped after the first; what it left.
fn stopped<L>(folder: &Path, policy: Llama, loss: &mut L) -> Run<Llama>
where
    L: Objective<Llama, Frozen<Llama>, Batch = BinaryBatch>,
    L::Output: LossOutput,
{
    let trainer = trainer(config()).with_output(folder);
    trainer.stop_flag().store(true, Ordering::Relaxed);
    let reference = Frozen::new(&policy);
    let batcher = BinaryBatcher::new(0, 64);
    let run = trainer.fit(policy, &reference, loss, &batcher, &feedback(16), &[]);
    let run = run.unwrap();
    assert!(run.interrupted && run.steps == 1);
    run
}

fn resumed<R: Reference<Llama>, L>(
    folder: &Path,
    policy: Llama,
    reference: &R,
    loss: &mut L,
) -> Result<Run<Llama>, Error>
where
    L: Objective<Llama, R, Batch = BinaryBatch>,
    L::Output: LossOutput,
{
    let trainer = trainer(config()).with_output(folder).with_resume();
    let batcher = BinaryBatcher::new(0, 64);
    trainer.fit(policy, reference, loss, &batcher, &feedback(16), &[])
}

#[test]
fn a_run_goes_on_with_the_models_that_it_began_with() {
    let other = || LlamaConfig::new(20, 16, 1, 2).init(4, &device());
    let folder = tempfile::tempdir().unwrap();
    let left = stopped(folder.path(), model(), &mut kto()).policy;
    let go_on = |policy: Llama, reference: &Frozen<Llama>| {
        resumed(folder.path(), policy, reference, &mut kto())
    };
    let error = go_on(model(), &Frozen::new(&other())).unwrap_err();
    assert!(
        error.to_string().contains("they are not the same model"),
        "{error}"
    );
    let error = go_on(other(), &Frozen::new(&model())).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it began with other weights of the policy"),
        "{error}"
    );
    // A reference made of the policy as it was left would be another one too. The step was small,
    // so this is a policy that was trained further.
    let error = go_on(other(), &Frozen::new(&other())).unwrap_err();
    assert!(
        error.to_string().contains("they are not the same model"),
        "{error}"
    );
    // The policy may be the one that the run left, the reference may be computed in other ways.
    let cached = Cached::new(&model());
    let run = resumed(folder.path(), left, &cached, &mut kto()).unwrap();
    assert_eq!(run.steps, 2);
}

#[test]
fn a_run_remembers_what_it_began_with_whatever_it_goes_on_with() {
    let config = config().with_max_steps(Some(4));
    let config = config.with_epochs(4);
    let folder = tempfile::tempdir().unwrap();
    let one_more = |policy: Llama| {
        let trainer = trainer(config.clone()).with_output(folder.path());
        let trainer = match folder.path().join("checkpoint").exists() {
            true => trainer.with_resume(),
            false => trainer,
        };
        trainer.stop_flag().store(true, Ordering::Relaxed);
        let (reference, batcher) = (Frozen::new(&model()), BinaryBatcher::new(0, 64));
        trainer.fit(policy, &reference, &mut kto(), &batcher, &feedback(16), &[])
    };
    let left = one_more(model()).unwrap().policy;
    one_more(left).unwrap();
    // What it goes on with is another step's, a restart has the base again.
    one_more(model()).unwrap();
    let trained_on = LlamaConfig::new(20, 16, 1, 2).init(9, &device());
    assert!(one_more(trained_on).is_err());
}

#[test]
fn what_is_refused_in_the_middle_costs_no_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut data = feedback(40);
    // Step 5 is the last; the order is that of the data.
    data[39] = TokenizedBinary::new(vec![1], vec![], true);
    let trainer = trainer(config()).with_output(folder.path());
    let sampler = SamplerConfig::new();
    let policy = model();
    let (reference, batcher) = (Frozen::new(&policy), BinaryBatcher::new(0, 64));
    let trainer = trainer.with_sampler(sampler);
    let run = trainer.fit(policy, &reference, &mut kto(), &batcher, &data, &[]);
    let error = run.unwrap_err().to_string();
    let step: usize = error["step ".len()..]
        .split(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(error.contains("no scored token"), "{error}");
    if step > 0 {
        let (_, saved) = burn_kto::train::saved_policy(folder.path(), model()).unwrap();
        assert_eq!(saved, step);
    }
}

#[test]
fn an_objective_that_was_trained_with_goes_on() {
    fn both<L>(mut new: impl FnMut() -> L)
    where
        L: Objective<Llama, Frozen<Llama>, Batch = BinaryBatch>,
        L::Output: LossOutput,
    {
        let (once, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let reference = Frozen::new(&model());
        stopped(once.path(), model(), &mut new());
        let fresh = resumed(once.path(), model(), &reference, &mut new()).unwrap();
        let mut used = new();
        stopped(again.path(), model(), &mut used);
        let reused = resumed(again.path(), model(), &reference, &mut used).unwrap();
        assert_eq!(weights(&fresh.policy), weights(&reused.policy));
    }
    let average = KlScope::MovingAverage { decay: 0.5 };
    let average = KlEstimatorConfig::new().with_scope(average);
    both(|| BcoLossConfig::new().init());
    both(|| KtoLossConfig::new().with_kl(average.clone()).init());
    both(|| {
        let beta = BetaToTarget {
            metric: "kl/raw",
            target: 2.0,
            gain: 0.5,
            bounds: (0.01, 0.9),
        };
        let weights = WeightsFromCounts::new(ClassInterval::ThreeHalves, 0.9);
        Controlled::new(kto(), vec![Box::new(beta), Box::new(weights)]).unwrap()
    });
}

#[test]
fn another_setting_of_the_loss_is_named() {
    let folder = tempfile::tempdir().unwrap();
    stopped(folder.path(), model(), &mut kto());
    let reference = Frozen::new(&model());
    let with = |config: KtoLossConfig| {
        let run = resumed(folder.path(), model(), &reference, &mut config.init());
        let error = run.unwrap_err().to_string();
        let (_, what) = error.split_once("belongs to another run: ").unwrap();
        what.split("; a run goes on").next().unwrap().to_string()
    };
    let same = KtoLossConfig::new().with_beta(0.5);
    assert_eq!(
        with(same.clone().with_beta(0.25)),
        "its loss is another: beta 0.5, this run's 0.25"
    );
    assert_eq!(
        with(same.clone().with_undesirable_weight(1.5)),
        "its loss is another: undesirable_weight 1.0, this run's 1.5"
    );
    let scope = KlScope::MovingAverage { decay: 0.5 };
    assert_eq!(
        with(same.with_kl(KlEstimatorConfig::new().with_scope(scope))),
        "its loss is another: scope Window, this run's MovingAverage"
    );
    let bco = &mut BcoLossConfig::new().init();
    let run = resumed(folder.path(), model(), &reference, bco);
    let error = run.unwrap_err().to_string();
    assert!(
        error.contains("its loss is KtoLoss, this run's BcoLoss"),
        "{error}"
    );
}
