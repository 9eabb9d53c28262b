//! Losses on sequences, and the fused head against logits. `cargo bench`; compare within one run,
//! machines are noisy.

use burn::tensor::{Bool, Device, Distribution, Int, Tensor};
use burn_kto::prelude::*;
use divan::Bencher;

fn main() {
    divan::main();
}

fn leaf<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let device = Device::flex().autodiff();
    Tensor::random(shape, Distribution::Default, &device).require_grad()
}

/// Forward and backward.
#[divan::bench(args = [32, 1024])]
fn kto(bencher: Bencher<'_, '_>, batch: usize) {
    let (policy, device) = (leaf([batch]), Device::flex());
    let loss = KtoLossConfig::new().init();
    let reference = policy.clone().inner();
    let thumbs = Tensor::<1, Bool>::full([batch], true, &device);
    let kl = Tensor::<1>::zeros([1], &device);
    bencher.bench(|| {
        let (reference, thumbs) = (reference.clone(), thumbs.clone());
        let out = loss.forward(policy.clone(), reference, thumbs, kl.clone());
        policy.grad(&out.loss.backward())
    });
}

/// Forward and backward.
#[divan::bench(args = [32, 1024])]
fn dpo(bencher: Bencher<'_, '_>, pairs: usize) {
    let policy = leaf([2 * pairs]);
    let loss = DpoLossConfig::new().init();
    let reference = policy.clone().inner();
    bencher.bench(|| {
        let both = Pair::split(policy.clone());
        let out = loss.forward(both, Pair::split(reference.clone()));
        policy.grad(&out.loss.backward())
    });
}

const HEAD: [usize; 3] = [256, 256, 16_384];

fn head() -> (Tensor<2>, Tensor<2>, Tensor<1, Int>) {
    let [tokens, width, vocab] = HEAD;
    let targets: Vec<i64> = (0..tokens).map(|i| (i * 61 % vocab) as i64).collect();
    let targets = Tensor::<1, Int>::from_data(&targets[..], &Device::flex());
    (leaf([tokens, width]), leaf([vocab, width]), targets)
}

/// 256 tokens, width 256, vocabulary 16384, forward and backward.
#[divan::bench(sample_count = 10)]
fn fused_head(bencher: Bencher<'_, '_>) {
    let (hidden, weight, targets) = head();
    let head = FusedLinearLogProbsConfig::new().init();
    bencher.bench(|| {
        let out = head.forward(hidden.clone(), weight.clone(), targets.clone());
        weight.grad(&out.sum().backward())
    });
}

/// The same from logits.
#[divan::bench(sample_count = 10)]
fn head_with_logits(bencher: Bencher<'_, '_>) {
    let (hidden, weight, targets) = head();
    bencher.bench(|| {
        let logits = hidden.clone().matmul(weight.clone().transpose());
        let tokens = token_log_probs(logits.unsqueeze(), targets.clone().unsqueeze());
        weight.grad(&tokens.sum().backward())
    });
}
