//! Every objective trains, accumulates, and goes on from a checkpoint.

use super::*;
use burn::module::ModuleVisitor;
use burn::tensor::{Bool, Tensor};
use burn_kto::train::Optimizer;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier, Mutex};

/// Pairs of which the chosen repeats the prompt's last token.
pub(super) fn preferences(n: u32) -> Vec<TokenizedPreference> {
    let row = |i: u32| {
        let asked = 1 + i % 5;
        let other = 1 + (asked + i / 5 % 4) % 5;
        // Of different lengths, so that what looks at lengths has something to see.
        let chosen = [vec![asked, 0], vec![asked, asked, 0]];
        TokenizedPreference::new(
            vec![10 + i % 3, asked],
            chosen[i as usize % 2].clone(),
            vec![other, 0],
        )
    };
    (0..n).map(row).collect()
}

pub(super) fn demonstrations(n: u32) -> Vec<TokenizedSft> {
    let rows = preferences(n).into_iter();
    rows.map(|row| TokenizedSft::new(row.prompt.to_vec(), row.chosen.to_vec()))
        .collect()
}

fn quick() -> TrainerConfig {
    TrainerConfig::new(1e-2)
        .with_epochs(3)
        .with_batch_size(8)
        .with_micro_batch_size(8)
        .with_warmup(0.0)
}

/// First and last held-out value of a metric.
fn trained<M, R, L, B>(
    policy: M,
    reference: &R,
    loss: &mut L,
    batcher: &B,
    data: &[B::Example],
    metric: &str,
) -> (f64, f64)
where
    M: Module,
    R: Reference<M>,
    B: Batcher,
    L: Objective<M, R, Batch = B::Batch>,
    L::Output: LossOutput,
{
    let trainer = Trainer::new(quick())
        .unwrap()
        .with_progress(Progress::Silent);
    let (train, held_out) = data.split_at(data.len() * 4 / 5);
    let run = trainer
        .fit(policy, reference, loss, batcher, train, held_out)
        .unwrap();
    let of = |k: usize| run.evaluations[k].1.get(metric).unwrap();
    (of(0), of(run.evaluations.len() - 1))
}

#[test]
fn every_objective_on_pairs_learns() {
    let data = preferences(100);
    let batcher = PreferenceBatcher::new(0);
    let reference = Frozen::new(&model());
    macro_rules! learns {
        ($($name:literal: $loss:expr),* $(,)?) => {$(
            let metrics = ["rewards/margins", "rewards/accuracies"];
            let [margin, accuracy] = metrics.map(|metric| trained(model(), &reference, &mut $loss, &batcher, &data, metric));
            assert!(margin.1 > margin.0 + 0.05, "{}: margin {margin:?}", $name);
            assert!(accuracy.1 > 0.9, "{}: accuracy {accuracy:?}", $name);
        )*};
    }
    let dpo = || DpoLossConfig::new().with_beta(0.5);
    let ld = TokenLevelConfig::new().with_ld_alpha(0.5);
    let bounded = TokenLevelConfig::new().with_humanline(Some(Humanline::new()));
    learns! {
        "dpo": dpo().init(),
        "dpop": dpo().with_chosen_penalty(5.0).init(),
        "rpo": MixedLossConfig::rpo(0.5, 1.0).init(),
        "mpo": MixedLossConfig::mpo(0.5).init(),
        "simpo": SimpoLossConfig::new().init(),
        "cpo": CpoLossConfig::new().init(),
        "orpo": OrpoLossConfig::new().init(),
        "slic": SlicLossConfig::new().init(),
        "ld-dpo": ld.init(dpo().init()),
        "ld-ipo": ld.init(dpo().with_variant(DpoVariant::Ipo).init()),
        "humanline": bounded.init(dpo().init()),
        "wpo": Wpo(dpo().init()),
        "wpo of ld-rpo": Wpo(ld.init(MixedLossConfig::rpo(0.5, 1.0).init())),
        "beta-dpo": BetaDpoConfig::new().init(dpo().init()),
        "wpo of beta-dpo": Wpo(BetaDpoConfig::new().init(dpo().init())),
    }
}

#[test]
fn every_objective_on_thumbs_learns() {
    let data = feedback(120);
    let batcher = BinaryBatcher::new(0, 64);
    let reference = Frozen::new(&model());
    macro_rules! learns {
        ($($name:literal: $loss:expr),* $(,)?) => {$(
            let (before, after) = trained(model(), &reference, &mut $loss, &batcher, &data, "rewards/margins");
            assert!(before.abs() < 1e-6 && after > 0.2, "{}: {before} -> {after}", $name);
        )*};
    }
    let kto = |scope| {
        KtoLossConfig::new()
            .with_beta(0.5)
            .with_kl(KlEstimatorConfig::new().with_scope(scope))
            .init()
    };
    let bounded = TokenLevelConfig::new().with_humanline(Some(Humanline::new()));
    let average = KlScope::MovingAverage { decay: 0.9 };
    let beta = BetaToTarget {
        metric: "rewards/margins",
        target: 1.0,
        gain: -0.1,
        bounds: (0.1, 1.0),
    };
    let weights = WeightsFromCounts::new(ClassInterval::ThreeHalves, 0.9);
    learns! {
        "kto": kto(KlScope::Window),
        "moving average": kto(average),
        "apo-zero": KtoLossConfig::apo_zero_unpaired().with_beta(0.5).init(),
        "humanline": bounded.init(kto(KlScope::Window)),
        "bco": BcoLossConfig::new().with_beta(0.5).init(),
        "controlled": Controlled::new(kto(KlScope::Window), vec![Box::new(beta), Box::new(weights)]).unwrap(),
    }
}

#[test]
fn dft_and_smoothed_labels_learn() {
    let data = demonstrations(100);
    let batcher = SftBatcher::new(0);
    let loss = |variant| SftLossConfig::new().with_variant(variant).init();
    // p·ln p is no measure of progress, as it is smallest at p = 1/e: the likelihood is.
    let trainer = Trainer::new(quick())
        .unwrap()
        .with_progress(Progress::Silent);
    let (train, held_out) = data.split_at(80);
    let mut dft = loss(SftVariant::Dft);
    let run = trainer.fit(model(), &ReferenceFree, &mut dft, &batcher, train, held_out);
    let policy = run.unwrap().policy;
    let nll = SftLossConfig::new().init();
    let of = |policy: &Llama| {
        let metrics = trainer.evaluate(policy, &ReferenceFree, &nll, &batcher, held_out, &device());
        metrics.unwrap().get("loss").unwrap()
    };
    assert!(
        of(&policy) < 0.8 * of(&model()),
        "{} -> {}",
        of(&model()),
        of(&policy)
    );
    let smoothed = loss(SftVariant::Nll {
        label_smoothing: 0.1,
    });
    let (before, after) = trained(
        model(),
        &ReferenceFree,
        &mut SmoothedSft(smoothed),
        &batcher,
        &data,
        "loss",
    );
    assert!(after < 0.6 * before, "{before} -> {after}");
}

#[test]
fn accumulation_gives_the_gradient_of_the_whole_step() {
    // One step of eight pairs, whole and in parts of three, three and two; plain descent shows the
    // gradient itself.
    let data = preferences(8);
    let step = |size: usize, loss: &mut dyn FnMut(Vec<PreferenceBatch>) -> Llama| {
        let batcher = PreferenceBatcher::new(0);
        let rows: Vec<usize> = (0..8).collect();
        let mut rng = rand_chacha::ChaCha8Rng::from_seed([0; 32]);
        weights(&loss(
            batcher
                .window(&data, &rows, size, &mut rng, &device())
                .unwrap(),
        ))
    };
    use rand_chacha::rand_core::SeedableRng;
    macro_rules! agree {
        ($($name:literal: $loss:expr),* $(,)?) => {$({
            let mut run = |window| {
                let policy = model().train();
                let reference = Frozen::new(&LlamaConfig::new(20, 16, 1, 2).init(4, &device()));
                let config = OptimizerConfig::new().with_epsilon(1e3).with_weight_decay(0.0).with_max_grad_norm(None);
                let mut optimizer = Optimizer::new(&config, &policy);
                train_step(&mut $loss, policy, &reference, window, &mut optimizer, 1e4).0
            };
            let (whole, parts) = (step(8, &mut run), step(3, &mut run));
            let start = weights(&model());
            let off = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let moved = whole.iter().zip(&start).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(moved > 1e-3 && off < 1e-3 * moved, "{}: off by {off}, moved by {moved}", $name);
        })*};
    }
    let ld = TokenLevelConfig::new().with_ld_alpha(0.5);
    agree! {
        "dpo": DpoLossConfig::new().init(),
        "rpo": MixedLossConfig::rpo(0.1, 1.0).init(),
        "orpo": OrpoLossConfig::new().init(),
        "cpo": CpoLossConfig::new().init(),
        "slic": SlicLossConfig::new().init(),
        "ld-rpo": ld.init(MixedLossConfig::rpo(0.1, 1.0).init()),
        "wpo": Wpo(MixedLossConfig::rpo(0.1, 1.0).init()),
    }
}

/// A run in one go and in three parts end at the same weights and the same reference.
fn survives_interruption<R, L, B>(
    reference: impl Fn(&Llama) -> R,
    loss: impl Fn() -> L,
    batcher: &B,
    data: &[B::Example],
) where
    R: Reference<Llama>,
    B: Batcher,
    L: Objective<Llama, R, Batch = B::Batch>,
    L::Output: LossOutput,
{
    let config = quick().with_max_steps(Some(9));
    let run = |output: &Path, stop_at_once: bool| {
        let trainer = Trainer::new(config.clone())
            .unwrap()
            .with_progress(Progress::Silent);
        let trainer = trainer.with_output(output).with_resume();
        trainer.stop_flag().store(stop_at_once, Ordering::Relaxed);
        let mut loss = loss();
        let policy = model();
        let reference = reference(&policy);
        let run = trainer
            .fit(policy, &reference, &mut loss, batcher, data, &[])
            .unwrap();
        assert_eq!(run.interrupted, stop_at_once);
        assert!(
            !trainer.stop_flag().load(Ordering::Relaxed),
            "the flag was taken back"
        );
        (weights(&run.policy), loss.state())
    };
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = run(whole.path(), false);
    run(parts.path(), true);
    run(parts.path(), true);
    let got = run(parts.path(), false);
    assert!(got.0 == expected.0, "to the last bit");
    assert_eq!(got.1, expected.1);
}

#[test]
fn what_objectives_carry_survives_an_interruption() {
    let frozen = Frozen::new;
    let (thumbs, pairs) = (BinaryBatcher::new(0, 64), PreferenceBatcher::new(0));
    let (feedback, preferences) = (feedback(48), preferences(48));
    let scope = KlScope::MovingAverage { decay: 0.5 };
    let average = || {
        KtoLossConfig::new()
            .with_beta(0.5)
            .with_kl(KlEstimatorConfig::new().with_scope(scope))
    };
    survives_interruption(frozen, || average().init(), &thumbs, &feedback);
    survives_interruption(frozen, || BcoLossConfig::new().init(), &thumbs, &feedback);
    let controlled = || {
        let beta = BetaToTarget {
            metric: "kl/raw",
            target: 0.1,
            gain: 1.0,
            bounds: (0.01, 1.0),
        };
        let weights = WeightsFromCounts::new(ClassInterval::FourThirds, 0.5);
        Controlled::new(average().init(), vec![Box::new(beta), Box::new(weights)]).unwrap()
    };
    survives_interruption(frozen, controlled, &thumbs, &feedback);
    let rewards = || {
        let beta = BetaToTarget {
            metric: "rewards/chosen",
            target: 0.05,
            gain: 2.0,
            bounds: (0.01, 1.0),
        };
        Controlled::new(BcoLossConfig::new().init(), vec![Box::new(beta)]).unwrap()
    };
    survives_interruption(frozen, rewards, &thumbs, &feedback);
    let bounded = TokenLevelConfig::new().with_humanline(Some(Humanline::new()));
    survives_interruption(
        frozen,
        || bounded.init(average().init()),
        &thumbs,
        &feedback,
    );
    let beta_dpo = || BetaDpoConfig::new().init(DpoLossConfig::new().init());
    survives_interruption(frozen, beta_dpo, &pairs, &preferences);
    survives_interruption(frozen, || Wpo(beta_dpo()), &pairs, &preferences);
    let moving = |policy: &Llama| MovingConfig::new().with_every(2).with_mix(0.7).init(policy);
    survives_interruption(moving, || DpoLossConfig::new().init(), &pairs, &preferences);
}

#[test]
fn a_state_of_another_objective_is_refused() {
    let mut bco = BcoLossConfig::new().init();
    let error = Objective::<Llama, ReferenceFree>::restore(&mut bco, &serde_json::json!(0.5));
    let error = error.unwrap_err();
    assert!(error.is_state() && error.to_string().contains("another objective"));
    let mut kto = kto();
    let error = Objective::<Llama, ReferenceFree>::restore(&mut kto, &serde_json::json!("x"));
    assert!(error.is_err());
}

/// All float parameters.
fn parameters<M: Module>(module: &M) -> Vec<f32> {
    struct All(Vec<f32>);
    impl ModuleVisitor for All {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f32>());
        }
    }
    let mut all = All(Vec::new());
    module.visit(&mut all);
    all.0
}

#[test]
fn a_moving_reference_mixes_when_it_is_time() {
    let start = model();
    let moving = MovingConfig::new()
        .with_every(3)
        .with_mix(0.25)
        .init(&start);
    let reference = || parameters(moving.frozen().model());
    let shifted = start.clone().map(&mut Shift);
    moving.follow(&shifted, 2);
    assert_eq!(reference(), parameters(&start), "not yet");
    moving.follow(&shifted, 3);
    for (new, old) in reference().iter().zip(parameters(&start)) {
        assert!(
            (new - (old + 0.25)).abs() < 1e-6,
            "a quarter of the way to old + 1"
        );
    }
    let hard = MovingConfig::new().with_every(1).with_mix(1.0).init(&start);
    hard.follow(&shifted.train(), 7);
    for (new, old) in parameters(hard.frozen().model())
        .iter()
        .zip(parameters(&start))
    {
        assert!((new - (old + 1.0)).abs() < 1e-6);
    }
    let row: (&[u32], &[u32]) = (&[1, 2], &[3, 4]);
    let sequences = Sequences::padded([row], 0, &device());
    assert!(!hard.log_probs(&start, &sequences).is_autodiff());
}

#[test]
#[should_panic(expected = "no parameter of the reference is one of the policy's")]
fn a_moving_reference_of_another_model_says_so() {
    let moving = MovingConfig::new().with_every(1).init(&model());
    moving.follow(&model(), 1);
}

#[test]
fn half_precision_policies_are_summed_in_f32() {
    let (policy, device) = (model(), device());
    let row: (&[u32], &[u32]) = (&[1, 2], &[3; 40]);
    let sequences = Sequences::padded([row], 0, &device);
    // Tokens in bf16 of which the sum needs more than 8 bits.
    #[derive(Module, Debug)]
    struct Half {
        full: Llama,
    }
    impl CausalLm for Half {
        fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2> {
            // Not even masked: the sum takes care of that too.
            let tokens = self.full.token_log_probs(sequences);
            tokens.cast(burn::tensor::FloatDType::BF16)
        }
    }
    let full = policy.log_probs(&sequences).into_scalar::<f32>();
    let half = Half { full: policy }.log_probs(&sequences);
    assert_eq!(half.dtype(), burn::tensor::DType::F32);
    let half = half.into_scalar::<f32>();
    // Each token is off by up to 2^-9 of itself, the sum not by more; in bf16 it would be a
    // multiple of 0.5.
    assert!((half / full - 1.0).abs() < 4e-3, "{half} against {full}");
    assert!((half * 2.0).fract() != 0.0, "{half}");
}

#[test]
fn another_loss_or_reference_does_not_continue_a_run() {
    let data = preferences(24);
    let folder = tempfile::tempdir().unwrap();
    let batcher = PreferenceBatcher::new(0);
    let trainer = || {
        let trainer = Trainer::new(quick())
            .unwrap()
            .with_progress(Progress::Silent);
        trainer.with_output(folder.path()).with_resume()
    };
    let frozen = Frozen::new(&model());
    let dpo = |beta| DpoLossConfig::new().with_beta(beta).init();
    trainer()
        .fit(model(), &frozen, &mut dpo(0.1), &batcher, &data, &[])
        .unwrap();
    let text = |result: Result<Run<Llama>, Error>| result.unwrap_err().to_string();
    let other = trainer().fit(model(), &frozen, &mut dpo(0.2), &batcher, &data, &[]);
    assert!(text(other).contains("its loss is"));
    let other = trainer().fit(
        model(),
        &frozen,
        &mut OrpoLossConfig::new().init(),
        &batcher,
        &data,
        &[],
    );
    assert!(text(other).contains("its loss is"));
    let moving = MovingConfig::new().init(&model());
    let other = trainer().fit(model(), &moving, &mut dpo(0.1), &batcher, &data, &[]);
    assert!(text(other).contains("its reference is"));
    // A cache says the same numbers, so it may go on.
    let cached = Cached::new(&model());
    trainer()
        .fit(model(), &cached, &mut dpo(0.1), &batcher, &data, &[])
        .unwrap();
}

#[test]
fn without_pairs_one_prompt_is_enough() {
    let data = vec![feedback(1)[0].clone(); 6];
    let batcher = BinaryBatcher::new(0, 64).without_pairs();
    let trainer = Trainer::new(quick())
        .unwrap()
        .with_progress(Progress::Silent);
    let frozen = Frozen::new(&model());
    let mut apo = KtoLossConfig::apo_zero_unpaired().init();
    trainer
        .fit(model(), &frozen, &mut apo, &batcher, &data, &data[..2])
        .unwrap();
    let mut bco = BcoLossConfig::new().init();
    trainer
        .fit(model(), &frozen, &mut bco, &batcher, &data, &data[..2])
        .unwrap();
    let error = trainer.fit(
        model(),
        &frozen,
        &mut bco,
        &BinaryBatcher::new(0, 64),
        &data,
        &data[..2],
    );
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("held-out examples: z0 needs"), "{error}");
}

/// Adds 1 to every float.
struct Shift;

impl burn::module::ModuleMapper for Shift {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<Tensor<D>>,
    ) -> burn::module::Param<Tensor<D>> {
        param.map(|tensor| tensor + 1.0)
    }
}

#[test]
fn wpo_weighs_by_what_the_policy_would_write() {
    let policy = model();
    let reference = Frozen::new(&LlamaConfig::new(20, 16, 1, 2).init(4, &device()));
    let batch = || PreferenceBatcher::new(0).batch(&preferences(3), &device());
    let dpo = DpoLossConfig::new().init();
    let plain = dpo.evaluate(&policy, &reference, batch());
    let weighted = Wpo(dpo.clone()).evaluate(&policy, &reference, batch());
    let ratio: Vec<f64> = (weighted.losses / plain.losses)
        .into_data()
        .iter::<f64>()
        .collect();
    // By hand, from the probabilities of all 20 tokens at each position.
    let side = |sequences: &Sequences| -> Vec<f64> {
        let [rows, seq] = sequences.dims();
        let logits = Logits::logits(&policy, sequences).into_data();
        let logits: Vec<f64> = logits.iter::<f64>().collect();
        let targets: Vec<i64> = sequences.targets().into_data().iter::<i64>().collect();
        let mask: Vec<bool> = sequences.target_mask().into_data().iter::<bool>().collect();
        let of_row = |row: usize| {
            let positions = (0..seq - 1)
                .map(|t| row * (seq - 1) + t)
                .filter(|p| mask[*p]);
            let log_weight = |p: usize| {
                let exp: Vec<f64> = logits[p * 20..(p + 1) * 20]
                    .iter()
                    .map(|l| l.exp())
                    .collect();
                let total: f64 = exp.iter().sum();
                let collision: f64 = exp.iter().map(|e| (e / total).powi(2)).sum();
                (exp[targets[p] as usize] / total).ln() - collision.ln()
            };
            let all: Vec<f64> = positions.map(log_weight).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        (0..rows).map(of_row).collect()
    };
    let (chosen, rejected) = (side(&batch().chosen), side(&batch().rejected));
    for (i, ratio) in ratio.iter().enumerate() {
        let expected = (chosen[i] + rejected[i]).exp();
        assert!(
            (ratio / expected - 1.0).abs() < 1e-5,
            "{ratio} against {expected}"
        );
    }
}

#[test]
fn modifiers_that_are_off_change_nothing() {
    let policy = model();
    let reference = Frozen::new(&LlamaConfig::new(20, 16, 1, 2).init(4, &device()));
    let off = TokenLevelConfig::new();
    let losses = |out: Tensor<1>| -> Vec<f32> { out.into_data().iter::<f32>().collect() };
    let close = |a: Vec<f32>, b: Vec<f32>| a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6);
    let pairs = || PreferenceBatcher::new(0).batch(&preferences(4), &device());
    let dpo = DpoLossConfig::new().init();
    let plain = dpo.evaluate(&policy, &reference, pairs()).losses;
    let tokens = off.init(dpo).evaluate(&policy, &reference, pairs()).losses;
    assert!(close(losses(plain), losses(tokens)));
    let thumbs = || {
        BinaryBatcher::new(0, 64)
            .batch(&feedback(6), 1, &device())
            .unwrap()
    };
    let plain = kto().evaluate(&policy, &reference, thumbs()).losses;
    let tokens = off
        .init(kto())
        .evaluate(&policy, &reference, thumbs())
        .losses;
    assert!(close(losses(plain), losses(tokens)));
}

#[test]
fn a_fixed_reference_point_asks_for_no_pairs() {
    // A reference that panics when it is asked for the mismatched pairs, which are longer than the
    // completions here.
    #[derive(Debug)]
    struct Never;
    impl<M> Reference<M> for Never {
        fn log_probs(&self, _policy: &M, sequences: &Sequences) -> Tensor<1> {
            assert_eq!(sequences.dims()[1], 4, "asked for mismatched pairs");
            Tensor::zeros([sequences.dims()[0]], &device())
        }
    }
    let rows: [(&[u32], &[u32]); 2] = [(&[1, 2], &[3, 0]), (&[2, 2], &[4, 0])];
    let long: [(&[u32], &[u32]); 2] = [(&[1, 2, 3], &[3, 0]), (&[2, 2, 3], &[4, 0])];
    let up = Tensor::<1, Bool>::from_data([true, false], &device());
    let batch = BinaryBatch::new(
        Sequences::padded(rows, 0, &device()),
        Sequences::padded(long, 0, &device()),
        up,
    );
    let scope = KlScope::Fixed { value: 0.25 };
    let config = KtoLossConfig::new().with_kl(KlEstimatorConfig::new().with_scope(scope));
    let out = config.init().evaluate(&model(), &Never, batch);
    assert_eq!(out.kl.into_scalar::<f32>(), 0.25);
    assert!(out.mismatched.is_none());
}

#[test]
fn weights_of_examples_reach_the_loss() {
    let mut data = feedback(6);
    data[0].weight = 3.0;
    data[1].weight = 0.0;
    let policy = model();
    let reference = Frozen::new(&LlamaConfig::new(20, 16, 1, 2).init(4, &device()));
    let batch =
        |data: &[TokenizedBinary]| BinaryBatcher::new(0, 64).batch(data, 1, &device()).unwrap();
    let losses = |data: &[TokenizedBinary]| -> Vec<f32> {
        let out = kto().evaluate(&policy, &reference, batch(data));
        out.losses.into_data().iter::<f32>().collect()
    };
    let (plain, weighted) = (losses(&feedback(6)), losses(&data));
    assert!(batch(&feedback(6)).weights.is_none());
    assert!(
        (weighted[0] / plain[0] - 3.0).abs() < 1e-5
            && weighted[1] == 0.0
            && weighted[2] == plain[2]
    );
    let bco = BcoLossConfig::new()
        .init()
        .evaluate(&policy, &reference, batch(&data));
    let bco: Vec<f32> = bco.losses.into_data().iter::<f32>().collect();
    assert!(bco[0] > 0.0 && bco[1] == 0.0);
}

/// Two threads that add up what each brings, as often as they like.
#[derive(Debug)]
struct Threads {
    barrier: Barrier,
    total: Mutex<KlSums>,
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            barrier: Barrier::new(2),
            total: Mutex::default(),
        }
    }
}

impl Ranks for Threads {
    fn sum(&self, mine: KlSums) -> KlSums {
        let mut total = self.total.lock().unwrap();
        *total = *total + mine;
        drop(total);
        self.barrier.wait();
        let sum = *self.total.lock().unwrap();
        // The last to leave wipes the slate, and nobody begins anew before.
        if self.barrier.wait().is_leader() {
            *self.total.lock().unwrap() = KlSums::default();
        }
        self.barrier.wait();
        sum
    }
}

#[test]
fn ranks_share_one_reference_point_that_is_clamped_once() {
    let ranks = Arc::new(Threads::default());
    let z0 = |ratio: f32| {
        let tensor = |value: f32| Tensor::<1>::from_data([value], &device());
        let estimator = KlEstimatorConfig::new().init().with_ranks(ranks.clone());
        estimator
            .estimate(tensor(ratio), tensor(0.0))
            .into_scalar::<f32>()
    };
    let (a, b) = std::thread::scope(|scope| {
        let (a, b) = (scope.spawn(|| z0(4.0)), scope.spawn(|| z0(-2.0)));
        (a.join().unwrap(), b.join().unwrap())
    });
    // Clamped on each rank first it would be 2.
    assert_eq!((a, b), (1.0, 1.0));
}

/// A reference for which every sequence has this log-probability.
#[derive(Debug)]
struct Constant(f32);

impl<M> Reference<M> for Constant {
    fn log_probs(&self, _policy: &M, sequences: &Sequences) -> Tensor<1> {
        Tensor::full([sequences.dims()[0]], self.0, &device())
    }
}

#[test]
fn ranks_agree_on_the_moving_average_and_on_what_they_report() {
    let scope = KlScope::MovingAverage { decay: 0.5 };
    let config = KtoLossConfig::new().with_kl(KlEstimatorConfig::new().with_scope(scope));
    let steps = |level: f32, ranks: Arc<Threads>| {
        let policy = model();
        let mut kto = config.init().with_ranks(ranks);
        let mut seen = Vec::new();
        for seed in 0..2 {
            let batcher = BinaryBatcher::new(0, 64);
            let batch = batcher.batch(&feedback(6), seed, &device()).unwrap();
            let out = kto.evaluate(&policy, &Constant(level), batch);
            let mut metrics = Metrics::default();
            metrics.add_output(&out, 1.0);
            Objective::<Llama, Constant>::observe(&mut kto, &metrics);
            let of = |name| metrics.get(name).unwrap();
            seen.push((of("kl"), of("kl/raw"), of("kl/count"), of("kl/std_err")));
        }
        (seen, kto.estimator().average())
    };
    let ranks = Arc::new(Threads::default());
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| steps(-5.0, ranks.clone()));
        let b = scope.spawn(|| steps(-14.0, ranks.clone()));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert_eq!(a, b);
    assert_eq!(a.0[0].2, 12.0, "pairs of both");
}

#[test]
fn the_moving_average_lags_and_is_clamped_after() {
    let scope = KlScope::MovingAverage { decay: 0.75 };
    let mut estimator = KlEstimatorConfig::new().with_scope(scope).init();
    let tensor = |value: f32| Tensor::<1>::from_data([value], &device());
    let z0 = |estimator: &KlEstimator, ratio: f32| {
        estimator
            .estimate(tensor(ratio), tensor(0.0))
            .into_scalar::<f32>()
    };
    assert_eq!(z0(&estimator, 4.0), 4.0, "the first step's own");
    estimator.observe(4.0);
    assert_eq!(z0(&estimator, -8.0), 1.0, "0.75·4 − 0.25·8");
    estimator.observe(-8.0);
    assert_eq!(z0(&estimator, -8.0), 0.0, "0.75·1 − 2 = −1.25, clamped");
    estimator.observe(-8.0);
    assert_eq!(estimator.average(), Some(-1.25));
    estimator.observe(f64::NAN);
    assert_eq!(estimator.average(), Some(-1.25));
}

#[test]
fn what_the_reference_point_is_worth_is_reported() {
    let policy = model();
    let reference = Frozen::new(&LlamaConfig::new(20, 16, 1, 2).init(4, &device()));
    let batcher = BinaryBatcher::new(0, 64);
    let rows: Vec<usize> = (0..8).collect();
    let data = feedback(8);
    use rand_chacha::rand_core::SeedableRng;
    let mut rng = rand_chacha::ChaCha8Rng::from_seed([0; 32]);
    let mut window = batcher
        .window(&data, &rows, 3, &mut rng, &device())
        .unwrap();
    kto().prepare(&policy, &reference, &mut window);
    let mut metrics = Metrics::default();
    let mut ratios = Vec::new();
    for batch in window {
        let (p, r) = (
            policy.log_probs(&batch.mismatched),
            reference.log_probs(&policy, &batch.mismatched),
        );
        ratios.extend((p - r).into_data().iter::<f64>());
        metrics.add_output(&kto().evaluate(&policy, &reference, batch), 1.0);
    }
    let expected = KlSums::of(&ratios).estimate(true).unwrap();
    assert_eq!(metrics.get("kl/count"), Some(8.0), "each pair once");
    assert!((metrics.get("kl/raw").unwrap() - expected.raw).abs() < 1e-6);
    let error = metrics.get("kl/std_err").unwrap();
    assert!((error / expected.standard_error.unwrap() - 1.0).abs() < 1e-4);
    assert_eq!(
        metrics.get("kl/clamped"),
        Some(f64::from(u8::from(expected.clamped)))
    );
    assert!((metrics.get("kl").unwrap() - expected.value).abs() < 1e-6);
    // Without a reference nothing is clamped, whatever the sign of the mean.
    let free = kto().evaluate(
        &policy,
        &ReferenceFree,
        batcher.batch(&data, 1, &device()).unwrap(),
    );
    let mut metrics = Metrics::default();
    metrics.add_output(&free, 1.0);
    assert!(metrics.get("kl/raw").unwrap() < 0.0);
    assert_eq!(metrics.get("kl/clamped"), Some(0.0));
}

#[test]
fn a_reward_model_learns_to_tell_and_its_rewards_become_thumbs() {
    let data = preferences(200);
    let backbone = LlamaConfig::new(20, 32, 2, 4).init(3, &device());
    let reward_model = RewardModel::new(backbone, &device());
    let batch = PreferenceBatcher::new(0).batch(&data[..2], &device());
    let first: Vec<f32> = reward_model
        .rewards(&batch.chosen)
        .into_data()
        .iter::<f32>()
        .collect();
    assert_eq!(first, [0.0, 0.0], "a head of zeros");
    let trainer = Trainer::new(quick().with_epochs(12))
        .unwrap()
        .with_progress(Progress::Silent);
    let (train, held_out) = data.split_at(160);
    let mut loss = RewardLossConfig::new().with_centring(0.01).init();
    let batcher = PreferenceBatcher::new(0);
    let run = trainer
        .fit(
            reward_model,
            &ReferenceFree,
            &mut loss,
            &batcher,
            train,
            held_out,
        )
        .unwrap();
    let accuracy = run
        .evaluations
        .last()
        .unwrap()
        .1
        .get("rewards/accuracies")
        .unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
    let policy = run.policy.valid();
    let batch = batcher.batch(held_out, &device());
    let of = |sequences: &Sequences| -> Vec<f64> {
        policy
            .rewards(sequences)
            .into_data()
            .iter::<f64>()
            .collect()
    };
    let scored = of(&batch.chosen).into_iter().chain(of(&batch.rejected));
    let scored: Vec<_> = scored
        .map(|score| ScoredExample::new("?", "!", score))
        .collect();
    let thumbs = ScoreLabels::new(ScoreThreshold::Mean)
        .apply(&scored)
        .unwrap();
    let right = thumbs
        .examples
        .iter()
        .enumerate()
        .filter(|(i, e)| e.desirable == (*i < 40))
        .count();
    assert!(right >= 68, "{right} of 80");
    // Padding and what stands behind the last token do not matter.
    let row: (&[u32], &[u32]) = (&[10, 1], &[1, 0]);
    let longer: (&[u32], &[u32]) = (&[10, 1], &[1, 0, 5, 5]);
    let alone = policy.rewards(&Sequences::padded([row], 0, &device()));
    let padded = policy.rewards(&Sequences::padded([row, longer], 9, &device()));
    let off = (alone - padded.narrow(0, 0, 1)).abs().into_scalar::<f32>();
    assert!(off < 1e-5);
}
