//! References: the frozen-clone trap, agreement at step 0, and what each strategy keeps.

use burn::module::{Lora, Module, Param, ParamGroup};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Bool, Device, Int, Tensor};
use burn_kto::prelude::*;

/// The smallest language model: the next token depends on this one only.
#[derive(Module, Debug)]
struct Bigram {
    table: Param<Tensor<2>>,
}

impl Bigram {
    fn new(seed: u64, device: &Device) -> Self {
        // Values by hand, so that nothing is lazy and nothing depends on global state.
        let values: Vec<f32> = (0..36)
            .map(|i| ((i as f32 + seed as f32) * 0.7).sin())
            .collect();
        let table = Tensor::<1>::from_data(values.as_slice(), device).reshape([6, 6]);
        Self {
            table: Param::from_tensor(table),
        }
    }
}

impl CausalLm for Bigram {
    fn token_log_probs(&self, sequences: &Sequences) -> Tensor<2> {
        let [batch, seq] = sequences.dims();
        let context = sequences.tokens.clone().narrow(1, 0, seq - 1);
        let flat = context.reshape([batch * (seq - 1)]);
        let logits = self
            .table
            .val()
            .select(0, flat)
            .reshape([batch, seq - 1, 6]);
        let log_probs = token_log_probs(logits, sequences.targets());
        log_probs.mask_fill(sequences.target_mask().bool_not(), 0.0)
    }
}

/// Policy and frozen reference in one module, the reference first: where a plain clone would be
/// trained instead of the policy.
#[derive(Module, Debug)]
struct Both {
    reference: Frozen<Bigram>,
    policy: Bigram,
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn batch() -> BinaryBatch {
    let device = Device::flex();
    let rows: [(&[u32], &[u32]); 3] = [(&[0, 1], &[2, 3]), (&[1], &[4, 5, 2]), (&[2, 2], &[0])];
    let mismatched: [(&[u32], &[u32]); 3] =
        [(&[0, 1], &[4, 5, 2]), (&[1], &[0]), (&[2, 2], &[2, 3])];
    BinaryBatch::new(
        Sequences::padded(rows, 0, &device),
        Sequences::padded(mismatched, 0, &device),
        Tensor::<1, Bool>::from_data([true, false, true], &device),
    )
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// One AdamW step of burn's own optimizer on the whole module.
fn step(both: Both) -> Both {
    let kto = KtoLossConfig::new().init();
    let out = kto.evaluate(&both.policy, &both.reference, batch());
    let grads = GradientsParams::from_grads(out.loss.backward(), &both);
    AdamWConfig::new().init().step(0.01, both, grads)
}

#[test]
fn an_optimizer_moves_the_policy_and_never_the_frozen_reference() {
    let policy = Bigram::new(1, &device());
    let before = values(policy.table.val());
    let both = step(Both {
        reference: Frozen::new(&policy),
        policy,
    });
    assert_ne!(
        values(both.policy.table.val()),
        before,
        "the policy must move"
    );
    let reference = both.reference.model().table.val();
    assert!(!reference.is_autodiff());
    assert_eq!(values(reference), before, "the reference must not");
}

#[test]
fn a_plain_clone_would_have_been_trained_instead() {
    // The trap itself, so that this file says when burn no longer has it.
    #[derive(Module, Debug)]
    struct Trap {
        reference: Bigram,
        policy: Bigram,
    }
    let policy = Bigram::new(1, &device());
    let before = values(policy.table.val());
    let trap = Trap {
        reference: policy.clone().no_grad(),
        policy,
    };
    let loss = trap.policy.log_probs(&batch().completions).sum();
    let grads = GradientsParams::from_grads(loss.backward(), &trap);
    let trap = AdamWConfig::new().init().step(0.01, trap, grads);
    assert_eq!(values(trap.policy.table.val()), before);
    assert_ne!(values(trap.reference.table.val()), before);
}

#[test]
fn a_frozen_reference_shows_no_parameter_and_no_record() {
    let policy = Bigram::new(1, &device());
    let both = Both {
        reference: Frozen::new(&policy),
        policy: policy.clone(),
    };
    assert_eq!(both.num_params(), policy.num_params());
    assert_eq!(both.clone().into_record().len(), policy.into_record().len());
    assert!(both.to_string().contains("frozen"));
}

#[test]
fn frozen_survives_moves_and_mode_changes_off_autodiff() {
    let frozen = Frozen::new(&Bigram::new(1, &device()));
    let moved = frozen
        .clone()
        .fork(&device())
        .train()
        .to_device(&device())
        .valid();
    let tensor = moved.model().table.val();
    assert!(!tensor.is_autodiff());
    assert_eq!(values(tensor), values(frozen.model().table.val()));
}

#[test]
fn all_references_agree_at_step_zero() {
    let base = Bigram::new(1, &device());
    let sequences = batch().completions;
    let frozen = Frozen::new(&base).log_probs(&base, &sequences);
    let cached = Cached::new(&base).log_probs(&base, &sequences);
    assert_eq!(values(frozen.clone()), values(cached));
    let all = ParamGroup::from_regex("table").unwrap();
    let adapted = base.apply_lora(Lora::new(2, 4.0).set_param_group(all));
    let off = AdapterOff.log_probs(&adapted, &sequences);
    assert!(!off.is_autodiff());
    assert_eq!(values(frozen), values(off));
}

#[test]
fn adapter_off_stays_the_base_while_the_adapter_learns() {
    let base = Bigram::new(1, &device());
    let sequences = batch().completions;
    let expected = values(Frozen::new(&base).log_probs(&base, &sequences));
    let group = ParamGroup::from_regex("table").unwrap();
    let mut policy = base.apply_lora(Lora::new(2, 4.0).set_param_group(group));
    let mut optimizer = AdamWConfig::new().init();
    for _ in 0..3 {
        let loss = policy.log_probs(&sequences).sum().neg();
        let grads = GradientsParams::from_grads(loss.backward(), &policy);
        policy = optimizer.step(0.05, policy, grads);
    }
    assert_ne!(values(policy.valid().log_probs(&sequences)), expected);
    assert_eq!(values(AdapterOff.log_probs(&policy, &sequences)), expected);
}

#[test]
fn after_sft_of_an_adapter_the_reference_is_the_adapted_policy() {
    let base = Bigram::new(1, &device());
    let sequences = batch().completions;
    let of_base = values(base.valid().log_probs(&sequences));
    let group = ParamGroup::from_regex("table").unwrap();
    let mut policy = base.apply_lora(Lora::new(2, 4.0).set_param_group(group));
    let mut optimizer = AdamWConfig::new().init();
    let mut learn = |policy: Bigram, sign: f32| {
        let loss = policy.log_probs(&sequences).sum() * sign;
        let grads = GradientsParams::from_grads(loss.backward(), &policy);
        optimizer.step(0.05, policy, grads)
    };
    for _ in 0..3 {
        policy = learn(policy, -1.0);
    }
    let of_sft = values(policy.valid().log_probs(&sequences));
    let reference = Frozen::new(&policy);
    // The same adapter goes on learning, now something else.
    for _ in 0..3 {
        policy = learn(policy, 1.0);
    }
    let of_policy = values(policy.valid().log_probs(&sequences));
    assert!(of_policy != of_sft && of_sft != of_base);
    assert_eq!(values(reference.log_probs(&policy, &sequences)), of_sft);
    assert_eq!(values(AdapterOff.log_probs(&policy, &sequences)), of_base);
}

#[test]
#[should_panic(expected = "AdapterOff needs a policy with LoRA adapters, got none")]
fn adapter_off_refuses_a_policy_without_adapters() {
    let policy = Bigram::new(1, &device());
    AdapterOff.log_probs(&policy, &batch().completions);
}

#[test]
fn the_cache_remembers_whatever_the_padding() {
    let model = Bigram::new(1, &device());
    let cached = Cached::new(&model);
    let device = Device::flex();
    let narrow = Sequences::padded([(&[0_u32, 1][..], &[2_u32, 3][..])], 0, &device);
    let wide: [(&[u32], &[u32]); 2] = [(&[0, 1], &[2, 3]), (&[0, 1, 1], &[2, 3, 4])];
    let wide = Sequences::padded(wide, 5, &device);
    cached.fill([&narrow]);
    assert_eq!(cached.len(), 1);
    assert!(cached.covers(&narrow) && !cached.covers(&wide));
    let log_probs = values(cached.log_probs(&model, &wide));
    assert_eq!(cached.len(), 2, "the first row was known");
    assert_eq!(log_probs[0], values(cached.log_probs(&model, &narrow))[0]);
    // The same tokens with another scored part are another question.
    let other = Sequences::padded([(&[0_u32][..], &[1_u32, 2, 3][..])], 0, &device);
    assert!(!cached.covers(&other));
}

#[test]
fn the_cache_keeps_the_old_model_while_the_policy_moves() {
    let policy = Bigram::new(1, &device());
    let sequences = batch().completions;
    let cached = Cached::new(&policy);
    let expected = values(Frozen::new(&policy).log_probs(&policy, &sequences));
    let moved = Bigram::new(2, &device());
    assert_eq!(values(cached.log_probs(&moved, &sequences)), expected);
}

#[test]
#[should_panic(expected = "1 of 1 sequences are not in the cache and its model was dropped")]
fn a_cache_without_model_says_what_is_missing() {
    let model = Bigram::new(1, &device());
    let cached = Cached::new(&model).without_model();
    let row = Sequences::padded([(&[0_u32][..], &[1_u32][..])], 0, &Device::flex());
    cached.log_probs(&model, &row);
}

#[test]
fn reference_free_kto_subtracts_the_unclamped_mean() {
    let policy = Bigram::new(1, &device());
    let kto = KtoLossConfig::new().with_beta(0.1).init();
    let out = kto.evaluate(&policy, &ReferenceFree, batch());
    let log_probs = values(policy.valid().log_probs(&batch().completions));
    let mismatched = values(policy.valid().log_probs(&batch().mismatched));
    let kl = mismatched.iter().sum::<f32>() / 3.0;
    assert!(kl < 0.0);
    assert!((out.kl.into_scalar::<f32>() - kl).abs() < 1e-5);
    let s = [1.0, -1.0, 1.0];
    for ((loss, log_prob), s) in values(out.losses).into_iter().zip(log_probs).zip(s) {
        let expected = 1.0 / (1.0 + (s * 0.1 * (log_prob - kl)).exp());
        assert!((loss - expected).abs() < 1e-6);
    }
}

#[test]
fn step_zero_losses_are_known_without_computing() {
    let policy = Bigram::new(1, &device());
    let reference = Frozen::new(&policy);
    let kto = KtoLossConfig::new().with_desirable_weight(1.5).init();
    let out = kto.evaluate(&policy, &reference, batch());
    assert!((out.loss.into_scalar::<f32>() - (0.75 + 0.5 + 0.75) / 3.0).abs() < 1e-6);
    let completions = batch().completions;
    let pairs = PreferenceBatch::new(completions, batch().mismatched);
    let out = DpoLossConfig::new()
        .init()
        .evaluate(&policy, &reference, pairs);
    assert!((out.loss.into_scalar::<f32>() - std::f32::consts::LN_2).abs() < 1e-6);
}

#[test]
fn a_step_leaves_no_gradient_on_the_reference_point() {
    let policy = Bigram::new(1, &device());
    let reference = Frozen::new(&Bigram::new(3, &device()));
    let out = KtoLossConfig::new()
        .init()
        .evaluate(&policy, &reference, batch());
    assert!(!out.kl.is_autodiff() && !out.rewards.is_autodiff() && !out.losses.is_autodiff());
    assert!(out.loss.is_autodiff());
}

#[test]
fn targets_and_masks_shift_together() {
    let device = Device::flex();
    let tokens = Tensor::<2, Int>::from_data([[1, 2, 3]], &device);
    let all = Tensor::<2, Bool>::from_data([[true; 3]], &device);
    let scored = Tensor::<2, Bool>::from_data([[true, false, true]], &device);
    let sequences = Sequences::new(tokens, all, scored);
    assert_eq!(
        sequences.scored_positions(),
        [1],
        "position 0 has no prediction"
    );
}
