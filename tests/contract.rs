//! What outside code is compiled against: names, argument orders and types, through the prelude
//! alone.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use burn_kto::prelude::*;

type LogProbs = fn(Tensor<3>, Tensor<2, Int>) -> Tensor<2>;
type Reduce = fn(Tensor<2>, Tensor<2, Bool>) -> Tensor<1>;
type Fused = fn(&FusedLinearLogProbs, Tensor<2>, Tensor<2>, Tensor<1, Int>) -> Tensor<1>;
type FusedBias =
    fn(&FusedLinearLogProbs, Tensor<2>, Tensor<2>, Tensor<1>, Tensor<1, Int>) -> Tensor<1>;
type Estimate = fn(&KlEstimator, Tensor<1>, Tensor<1>) -> Tensor<1>;
type Kto = fn(&KtoLoss, Tensor<1>, Tensor<1>, Tensor<1, Bool>, Tensor<1>) -> BinaryOutput;
type KtoWeighted =
    fn(&KtoLoss, Tensor<1>, Tensor<1>, Tensor<1, Bool>, Tensor<1>, Tensor<1>) -> BinaryOutput;
type Dpo = fn(&DpoLoss, Pair, Pair) -> PreferenceOutput;
type DpoLengths = fn(&DpoLoss, Pair, Pair, Pair) -> PreferenceOutput;
type Sft = fn(&SftLoss, Tensor<2>, Tensor<2, Bool>) -> SftOutput;

/// Compiles or does not.
const _: (LogProbs, Reduce, Reduce, Fused, FusedBias, Estimate) = (
    token_log_probs,
    sequence_log_probs,
    average_log_probs,
    FusedLinearLogProbs::forward,
    FusedLinearLogProbs::forward_with_bias,
    KlEstimator::estimate,
);
const _: (Kto, KtoWeighted, Dpo, DpoLengths, Sft) = (
    KtoLoss::forward,
    KtoLoss::forward_weighted,
    DpoLoss::forward,
    DpoLoss::forward_with_lengths,
    SftLoss::forward,
);
const _: fn(Tensor<2, Int>, Tensor<2, Bool>, Tensor<2, Bool>) -> Sequences = Sequences::new;
const _: fn(Sequences, Sequences, Tensor<1, Bool>) -> BinaryBatch = BinaryBatch::new;
const _: fn(Sequences, Sequences) -> PreferenceBatch = PreferenceBatch::new;

/// Somebody's model: one required method.
#[derive(Module, Debug)]
struct Uniform {
    vocab: usize,
}

impl CausalLm for Uniform {
    fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2> {
        let [batch, seq] = sequences.tokens.dims();
        let each = -(self.vocab as f64).ln();
        let all = Tensor::full([batch, seq - 1], each, &sequences.tokens.device());
        let scored = sequences.completion_mask.clone().narrow(1, 1, seq - 1);
        all.mask_fill(scored.bool_not(), 0.0)
    }
}

/// Somebody's objective.
struct MeanLogProb;

impl<M: CausalLm, R> Objective<M, R> for MeanLogProb {
    type Batch = Sequences;
    type Output = Tensor<1>;

    fn evaluate(&self, policy: &M, _reference: &R, batch: Sequences) -> Tensor<1> {
        policy.log_probs(&batch).mean()
    }
}

fn sequences() -> Sequences {
    let device = Device::flex();
    let rows: [(&[u32], &[u32]); 2] = [(&[1], &[2, 3]), (&[1, 2], &[3])];
    Sequences::padded(rows, 0, &device)
}

#[test]
fn every_variant_and_divergence_has_its_name() {
    let variants = [
        DpoVariant::Sigmoid {
            label_smoothing: 0.0,
        },
        DpoVariant::Hinge,
        DpoVariant::Ipo,
        DpoVariant::ExoPair {
            label_smoothing: 0.1,
        },
        DpoVariant::NcaPair,
        DpoVariant::Robust {
            label_smoothing: 0.0,
        },
        DpoVariant::BcoPair,
        DpoVariant::SppoHard,
        DpoVariant::Aot {
            label_smoothing: 0.0,
        },
        DpoVariant::AotUnpaired {
            label_smoothing: 0.0,
        },
        DpoVariant::ApoZero,
        DpoVariant::ApoDown,
        DpoVariant::DiscoPop { temperature: 0.05 },
        DpoVariant::SigmoidNorm,
    ];
    for variant in variants {
        let config = DpoLossConfig::new().with_beta(0.1).with_variant(variant);
        config.validate().unwrap();
        config.with_f_divergence(FDivergence::ReverseKl).init();
    }
    let divergences = [
        FDivergence::ReverseKl,
        FDivergence::ForwardKl,
        FDivergence::JsDivergence,
        FDivergence::AlphaDivergence { alpha: 0.5 },
    ];
    for divergence in divergences {
        let config = DpoLossConfig::new().with_f_divergence(divergence);
        config.validate().unwrap();
    }
    let kto = KtoLossConfig::new()
        .with_beta(0.1)
        .with_desirable_weight(1.0);
    kto.with_undesirable_weight(1.0).init();
    KlEstimatorConfig::new().init();
    SftLossConfig::new().init();
    FusedLinearLogProbsConfig::new().init();
}

#[test]
fn a_model_of_ones_own_needs_one_method() {
    let model = Uniform { vocab: 4 };
    let expected = [2.0, 1.0].map(|n: f32| -n * 4.0_f32.ln());
    let got = model.log_probs(&sequences()).into_data();
    assert_eq!(got.try_to_vec::<f32>().unwrap(), expected);
    let reference = Frozen::new(&model);
    let up = Tensor::<1, Bool>::from_data([true, false], &Device::flex());
    let batch = BinaryBatch::new(sequences(), sequences(), up);
    let out = KtoLossConfig::new()
        .init()
        .evaluate(&model, &reference, batch);
    assert_eq!(out.loss.into_scalar::<f32>(), 0.5);
    let batch = PreferenceBatch::new(sequences(), sequences());
    let out = DpoLossConfig::new()
        .init()
        .evaluate(&model, &reference, batch);
    assert!((out.loss.into_scalar::<f32>() - 2.0_f32.ln()).abs() < 1e-6);
    let out = SftLossConfig::new()
        .init()
        .evaluate(&model, &reference, sequences());
    assert!((out.loss.into_scalar::<f32>() - 4.0_f32.ln()).abs() < 1e-6);
    assert_eq!(out.num_tokens.into_scalar::<i64>(), 3);
    let mean = MeanLogProb.evaluate(&model, &reference, sequences());
    assert!((mean.into_scalar::<f32>() + 1.5 * 4.0_f32.ln()).abs() < 1e-6);
}

#[test]
fn what_may_cross_threads_does() {
    fn shared<T: Send + Sync>() {}
    shared::<KtoLoss>();
    shared::<DpoLoss>();
    shared::<KlEstimator>();
    shared::<FusedLinearLogProbs>();
    shared::<Sequences>();
    shared::<BinaryBatch>();
    shared::<PreferenceBatch>();
    shared::<Error>();
    fn object(_: &dyn Tokenizer, _: &dyn ChatTemplate) {}
    object(&ByteTokenizer, &PlainTemplate);
}
