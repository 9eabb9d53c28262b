//! What has to be the same on every backend: against f64 on flex, or against flex itself where
//! weights are f32.

use burn::module::Module;
use burn::tensor::{Bool, DType, Device, FloatDType, Int, Tensor, TensorData};
use burn_kto::logprob::{log_collisions, uniform_log_probs};
use burn_kto::prelude::*;
use burn_kto::train::Optimizer;
use std::path::Path;
use std::sync::atomic::Ordering;

/// f32 after a sum over a vocabulary, and elsewhere; relative to the largest value.
const VOCABULARY: f64 = 1e-4;
const PLAIN: f64 = 1e-5;
/// f16 and bf16.
const HALF: f64 = 2e-2;

/// The device under test.
fn target() -> Device {
    let choice: DeviceChoice = super::device_name().parse().unwrap();
    choice.open().unwrap_or_else(|error| panic!("{error}"))
}

/// What it is compared with.
fn oracle() -> Device {
    Device::flex()
}

/// A device and the float type to compute in.
#[derive(Clone)]
struct On(Device, DType);

impl On {
    fn target() -> Self {
        Self(target(), DType::F32)
    }

    fn oracle() -> Self {
        Self(oracle(), DType::F64)
    }

    fn tensor<const D: usize>(&self, values: &[f64], shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(values.to_vec(), shape);
        Tensor::from_data(data, (&self.0, self.1))
    }

    /// A leaf of the graph.
    fn leaf<const D: usize>(&self, values: &[f64], shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(values.to_vec(), shape);
        let device = self.0.clone().autodiff();
        Tensor::<D>::from_data(data, (&device, self.1)).require_grad()
    }

    fn int<const D: usize>(&self, values: &[i64], shape: [usize; D]) -> Tensor<D, Int> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &self.0)
    }

    fn flags<const D: usize>(&self, values: &[bool], shape: [usize; D]) -> Tensor<D, Bool> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &self.0)
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Numbers that are exact in f32, between −1 and 1.
fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// NaN is a difference too.
#[track_caller]
fn same(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3_f64, |m, x| m.max(x.abs()));
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        let off = (a - b).abs() / scale;
        assert!(
            off <= tolerance,
            "{what} [{i}]: {a} against {b}, off by {off:e}"
        );
    }
}

const VOCAB: usize = 1000;

#[test]
fn log_probs_and_their_gradients() {
    let logits: Vec<f64> = noise(3 * 5 * VOCAB, 1).iter().map(|x| x * 8.0).collect();
    let targets: Vec<i64> = (0..15)
        .map(|i| if i == 4 { -100 } else { i * 61 % VOCAB as i64 })
        .collect();
    let run = |on: &On| {
        let logits = on.leaf(&logits, [3, 5, VOCAB]);
        let tokens = token_log_probs(logits.clone(), on.int(&targets, [3, 5]));
        let mask: Vec<bool> = (0..15).map(|i| i % 5 != 2).collect();
        let mask = on.flags(&mask, [3, 5]);
        let sums = sequence_log_probs(tokens.clone(), mask.clone());
        let means = average_log_probs(tokens.clone(), mask);
        let uniform = uniform_log_probs(logits.clone());
        let collisions = log_collisions(logits.clone());
        let total = sums.clone().sum() + means.sum() + uniform.clone().sum();
        let grad = logits.grad(&total.backward()).unwrap();
        [
            values(tokens),
            values(sums),
            values(uniform),
            values(collisions),
            values(grad),
        ]
    };
    for (got, expected) in run(&On::target()).iter().zip(&run(&On::oracle())) {
        same("log-probabilities", got, expected, VOCABULARY);
    }
}

/// Log-probabilities and gradients of the fused head.
fn fused(on: &On, shape: [usize; 3], tiles: (usize, usize), bias: bool) -> Vec<Vec<f64>> {
    let [tokens, width, vocab] = shape;
    let hidden = on.leaf(&noise(tokens * width, 2), [tokens, width]);
    let weight = on.leaf(&noise(vocab * width, 3), [vocab, width]);
    let offset = on.leaf(&noise(vocab, 4), [vocab]);
    let targets: Vec<i64> = (0..tokens).map(|i| (i * 37 % vocab) as i64).collect();
    let targets = on.int(&targets, [tokens]);
    let config = FusedLinearLogProbsConfig::new();
    let head = config
        .with_row_tile(tiles.0)
        .with_vocab_tile(tiles.1)
        .init();
    let out = match bias {
        true => head.forward_with_bias(hidden.clone(), weight.clone(), offset.clone(), targets),
        false => head.forward(hidden.clone(), weight.clone(), targets),
    };
    let upstream = on.tensor(&noise(tokens, 5), [tokens]);
    let grads = (out.clone() * upstream).sum().backward();
    let mut all = vec![
        values(out),
        values(hidden.grad(&grads).unwrap()),
        values(weight.grad(&grads).unwrap()),
    ];
    if bias {
        all.push(values(offset.grad(&grads).unwrap()));
    }
    all
}

#[test]
fn the_fused_head_and_its_gradients() {
    for (tiles, bias) in [((7, 64), true), ((7, 64), false), ((1024, 2048), true)] {
        let got = fused(&On::target(), [20, 16, 300], tiles, bias);
        let expected = fused(&On::oracle(), [20, 16, 300], tiles, bias);
        for (got, expected) in got.iter().zip(&expected) {
            same("fused head", got, expected, VOCABULARY);
        }
    }
}

#[test]
fn a_head_whose_logits_no_buffer_holds() {
    // 1300 · 30000 logits are 149 MiB; software Vulkan binds 128.
    let shape = [1300, 8, 30_000];
    let got = fused(&On::target(), shape, (1024, 2048), false);
    let expected = fused(&On::oracle(), shape, (1024, 2048), false);
    for (got, expected) in got.iter().zip(&expected) {
        same("large head", got, expected, VOCABULARY);
    }
}

const N: usize = 4;

/// log π as a leaf of `2N`, log π_ref, lengths, all in halves.
fn input(on: &On) -> (Tensor<1>, PreferenceInput) {
    let policy: Vec<f64> = noise(2 * N, 6).iter().map(|x| x * 10.0 - 20.0).collect();
    let reference: Vec<f64> = noise(2 * N, 7).iter().map(|x| x * 10.0 - 20.0).collect();
    let lengths: Vec<f64> = (0..2 * N).map(|i| (i % 5 + 2) as f64).collect();
    let leaf = on.leaf(&policy, [2 * N]);
    let split = |values: &[f64]| Pair::split(on.tensor(values, [2 * N]));
    let input = PreferenceInput::new(
        Pair::split(leaf.clone()),
        split(&reference),
        split(&lengths),
    );
    (leaf, input)
}

#[test]
fn losses_on_pairs_and_their_gradients() {
    let e = 0.1;
    let variants = [
        DpoVariant::Sigmoid { label_smoothing: e },
        DpoVariant::Hinge,
        DpoVariant::Ipo,
        DpoVariant::ExoPair { label_smoothing: e },
        DpoVariant::NcaPair,
        DpoVariant::Robust { label_smoothing: e },
        DpoVariant::BcoPair,
        DpoVariant::SppoHard,
        DpoVariant::Aot { label_smoothing: e },
        DpoVariant::AotUnpaired { label_smoothing: e },
        DpoVariant::ApoZero,
        DpoVariant::ApoDown,
        DpoVariant::DiscoPop { temperature: 0.05 },
        DpoVariant::SigmoidNorm,
    ];
    type Loss = Box<dyn Fn(PreferenceInput) -> PreferenceOutput>;
    fn of<L: PreferenceLoss + 'static>(loss: L) -> Loss {
        Box::new(move |input| loss.compute(input))
    }
    let dpo = |variant| DpoLossConfig::new().with_variant(variant);
    let mut losses: Vec<(String, Loss)> = Vec::new();
    for variant in variants {
        losses.push((format!("{variant:?}"), of(dpo(variant).init())));
    }
    for divergence in [
        FDivergence::ForwardKl,
        FDivergence::JsDivergence,
        FDivergence::AlphaDivergence { alpha: 0.5 },
    ] {
        // Log-ratios are up to ±20: a β that keeps e^20 in the range where losses have a slope.
        let config = DpoLossConfig::new()
            .with_beta(1e-6)
            .with_f_divergence(divergence.clone());
        losses.push((format!("{divergence:?}"), of(config.init())));
    }
    let sigmoid = DpoVariant::Sigmoid {
        label_smoothing: 0.0,
    };
    let alpha = CpoVariant::AlphaPo {
        alpha: 0.25,
        gamma: 0.1,
    };
    losses.extend([
        (
            "dpop".into(),
            of(dpo(sigmoid).with_chosen_penalty(5.0).init()),
        ),
        ("mpo".into(), of(MixedLossConfig::mpo(0.1).init())),
        ("simpo".into(), of(SimpoLossConfig::new().init())),
        ("cpo".into(), of(CpoLossConfig::new().init())),
        (
            "alphapo".into(),
            of(CpoLossConfig::new().with_variant(alpha).init()),
        ),
        ("orpo".into(), of(OrpoLossConfig::new().init())),
        ("slic".into(), of(SlicLossConfig::new().init())),
    ]);
    for (name, loss) in losses {
        let run = |on: &On| {
            let (leaf, input) = input(on);
            let out = loss(input);
            let grad = leaf.grad(&out.loss.backward()).unwrap();
            [values(out.losses), values(out.chosen_rewards), values(grad)]
        };
        for (got, expected) in run(&On::target()).iter().zip(&run(&On::oracle())) {
            same(&name, got, expected, PLAIN);
        }
    }
}

#[test]
fn losses_on_thumbs_and_the_reference_point() {
    let up: Vec<bool> = (0..2 * N).map(|i| i % 3 == 0).collect();
    let run = |on: &On| {
        let (leaf, input) = input(on);
        let reference = Tensor::cat(vec![input.reference.chosen, input.reference.rejected], 0);
        let z0 = KlEstimatorConfig::new()
            .init()
            .estimate(reference.clone() + 3.5, reference.clone());
        let thumbs = || on.flags(&up, [2 * N]);
        let kto = KtoLossConfig::new().with_undesirable_weight(1.4).init();
        let out = kto.forward(leaf.clone(), reference.clone(), thumbs(), z0.clone());
        let bco = BcoLossConfig::new()
            .init()
            .forward(leaf.clone(), reference, thumbs());
        let total = out.loss + bco.loss;
        let grad = leaf.grad(&total.backward()).unwrap();
        [
            values(z0),
            values(out.losses),
            values(bco.losses),
            values(bco.kl),
            values(grad),
        ]
    };
    for (got, expected) in run(&On::target()).iter().zip(&run(&On::oracle())) {
        same("thumbs", got, expected, PLAIN);
    }
}

#[test]
fn losses_on_tokens_and_rewards() {
    let tokens: Vec<f64> = noise(24, 8).iter().map(|x| x - 1.5).collect();
    let run = |on: &On| {
        let leaf = on.leaf(&tokens, [4, 6]);
        let mask: Vec<bool> = (0..24).map(|i| i % 6 < 2 + i / 6).collect();
        let mask = on.flags(&mask, [4, 6]);
        let side = |start: usize| {
            let of = |t: Tensor<2>| t.narrow(0, start, 2);
            let reference = on.tensor(&[-1.2; 24], [4, 6]);
            Tokens::new(
                of(leaf.clone()),
                of(reference),
                mask.clone().narrow(0, start, 2),
            )
        };
        let config = TokenLevelConfig::new()
            .with_ld_alpha(0.3)
            .with_humanline(Some(Humanline::new()));
        let ld = config
            .init(DpoLossConfig::new().init())
            .forward(side(0), side(2));
        let dft = SftLossConfig::new().with_variant(SftVariant::Dft).init();
        let dft = dft.forward(leaf.clone(), mask.clone());
        let nll = SftLossConfig::new()
            .init()
            .forward(leaf.clone(), mask.clone());
        let rewards = Pair::split(sequence_log_probs(leaf.clone(), mask));
        let reward = RewardLossConfig::new()
            .with_centring(0.01)
            .init()
            .forward(rewards);
        let total = ld.loss + dft.loss + nll.loss + reward.loss;
        let grad = leaf.grad(&total.backward()).unwrap();
        [
            values(ld.losses),
            values(dft.losses),
            values(nll.losses),
            values(reward.losses),
            values(grad),
        ]
    };
    for (got, expected) in run(&On::target()).iter().zip(&run(&On::oracle())) {
        same("tokens", got, expected, PLAIN);
    }
}

fn model(seed: u64, device: &Device) -> Llama {
    LlamaConfig::new(40, 16, 2, 2).init(seed, device)
}

fn feedback() -> Vec<TokenizedBinary> {
    let row = |i: u32| {
        let prompt: Vec<u32> = (0..2 + i % 3).map(|t| 1 + (i + t) % 30).collect();
        TokenizedBinary::new(prompt, vec![31 + i % 8, 33, 0], i.is_multiple_of(2))
    };
    (0..8).map(row).collect()
}

fn preferences() -> Vec<TokenizedPreference> {
    let row =
        |i: u32| TokenizedPreference::new(vec![1 + i, 2 + i], vec![31 + i % 8, 0], vec![35, 36, 0]);
    (0..6).map(row).collect()
}

/// Names and their numbers.
type Named = Vec<(String, Vec<f64>)>;

/// Metrics and weights after one step, on a device.
fn step<L, B>(device: &Device, mut loss: L, window: Vec<B>) -> Named
where
    L: Objective<Llama, Frozen<Llama>, Batch = B>,
    L::Output: LossOutput,
{
    let policy = model(3, device).train();
    let reference = Frozen::new(&model(4, device));
    // A large epsilon, so that no rounding of a tiny gradient becomes a step of full size.
    let config = OptimizerConfig::new().with_epsilon(1e-2);
    let mut optimizer = Optimizer::new(&config, &policy);
    let (policy, report) = train_step(&mut loss, policy, &reference, window, &mut optimizer, 1e-2);
    let mut all: Vec<_> = report
        .metrics
        .means()
        .into_iter()
        .map(|(name, value)| (name.to_string(), vec![value]))
        .collect();
    all.push(("norm of the gradient".into(), vec![report.grad_norm]));
    all.push(("weights".into(), values(policy.valid().head_weight())));
    all
}

#[test]
fn one_step_of_kto_dpo_and_sft() {
    let compare = |run: &dyn Fn(&Device) -> Named| {
        for ((name, got), (_, expected)) in run(&target()).iter().zip(&run(&oracle())) {
            same(name, got, expected, VOCABULARY);
        }
    };
    compare(&|device| {
        let batch = BinaryBatcher::new(0, 32)
            .batch(&feedback(), 1, device)
            .unwrap();
        step(device, KtoLossConfig::new().init(), vec![batch])
    });
    compare(&|device| {
        let batch = PreferenceBatcher::new(0).batch(&preferences(), device);
        step(device, DpoLossConfig::new().init(), vec![batch])
    });
    compare(&|device| {
        let rows: Vec<_> = feedback()
            .into_iter()
            .map(|row| TokenizedSft::new(row.prompt, row.completion))
            .collect();
        step(
            device,
            SftLossConfig::new().init(),
            vec![SftBatcher::new(0).batch(&rows, device)],
        )
    });
}

#[test]
fn greedy_generation() {
    let run = |device: &Device| {
        let config = GenerationConfig::new().with_max_new_tokens(8);
        let model = LlamaConfig::new(40, 16, 2, 2).init(5, device);
        let prompts = [vec![1, 2, 3], vec![7], vec![9, 9, 4, 2, 1]];
        model.generate(&prompts, &config).unwrap()
    };
    assert_eq!(run(&target()), run(&oracle()));
}

#[test]
fn a_cached_reference_says_what_the_frozen_one_does() {
    let model = model(3, &target());
    let batch = PreferenceBatcher::new(0).batch(&preferences(), &target());
    let cached = Cached::new(&model);
    cached.fill([&batch.chosen]);
    let cached = cached.without_model();
    let expected = values(Frozen::new(&model).log_probs(&model, &batch.chosen));
    same(
        "cache",
        &values(cached.log_probs(&model, &batch.chosen)),
        &expected,
        0.0,
    );
}

/// A run of a few steps in `output`, on `device`, from its checkpoint if there is one; stopped
/// after a step if asked.
fn run(device: &Device, output: &Path, stop: bool) -> Run<Llama> {
    let config = TrainerConfig::new(1e-2)
        .with_batch_size(4)
        .with_micro_batch_size(2)
        .with_epochs(2);
    let trainer = Trainer::new(config)
        .unwrap()
        .with_progress(Progress::Silent);
    let trainer = trainer.with_output(output).with_resume();
    trainer.stop_flag().store(stop, Ordering::Relaxed);
    let policy = model(3, device);
    let reference = Frozen::new(&policy);
    let batcher = BinaryBatcher::new(0, 32);
    let mut loss = KtoLossConfig::new().init();
    trainer
        .fit(policy, &reference, &mut loss, &batcher, &feedback(), &[])
        .unwrap()
}

#[test]
fn a_checkpoint_written_on_one_backend_is_read_on_another() {
    let weights = |run: Run<Llama>| {
        assert_eq!((run.steps, run.interrupted), (4, false));
        values(run.policy.valid().head_weight())
    };
    let whole = tempfile::tempdir().unwrap();
    let expected = weights(run(&oracle(), whole.path(), false));
    for (first, second) in [(target(), oracle()), (oracle(), target())] {
        let folder = tempfile::tempdir().unwrap();
        run(&first, folder.path(), true);
        same(
            "resumed",
            &weights(run(&second, folder.path(), false)),
            &expected,
            1e-3,
        );
    }
    // A Hugging Face folder, too.
    let folder = tempfile::tempdir().unwrap();
    model(3, &target()).save(folder.path()).unwrap();
    let loaded = Llama::load(folder.path(), &oracle()).unwrap();
    same(
        "folder",
        &values(loaded.head_weight()),
        &values(model(3, &oracle()).head_weight()),
        0.0,
    );
}

#[test]
fn half_precision_where_it_is_supported_and_an_error_where_it_is_not() {
    let exact = On::oracle();
    let hidden = noise(12 * 8, 9);
    let weight = noise(50 * 8, 10);
    let targets: Vec<i64> = (0..12).collect();
    let run = |on: &On| {
        let hidden = on.leaf(&hidden, [12, 8]);
        let head = FusedLinearLogProbsConfig::new().with_vocab_tile(16).init();
        let out = head.forward(
            hidden.clone(),
            on.tensor(&weight, [50, 8]),
            on.int(&targets, [12]),
        );
        let grad = hidden.grad(&out.clone().sum().backward()).unwrap();
        [values(out), values(grad)]
    };
    let row: (&[u32], &[u32]) = (&[1, 2, 3], &[4, 5, 0]);
    for dtype in [FloatDType::F16, FloatDType::BF16] {
        let device = target();
        let small = model(3, &device);
        let sequences = Sequences::padded([row], 0, &device);
        let full = values(small.log_probs(&sequences));
        if check_dtype(&device, dtype).is_err() {
            let error = small.cast(dtype).unwrap_err().to_string();
            assert!(error.contains("does not compute with"), "{error}");
            println!("{dtype:?} is not supported");
            continue;
        }
        let half = On(device, dtype.into());
        for (got, expected) in run(&half).iter().zip(&run(&exact)) {
            same(&format!("{dtype:?}"), got, expected, HALF);
        }
        let small = small.cast(dtype).unwrap();
        same(
            &format!("{dtype:?} model"),
            &values(small.log_probs(&sequences)),
            &full,
            HALF,
        );
    }
}
