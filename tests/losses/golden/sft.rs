//! Demonstrations.

use super::*;
use burn_kto::logprob::uniform_log_probs;
use burn_kto::prelude::*;

pub(super) fn sft(mut case: Case<'_>) {
    let dims: [usize; 3] = shape(&case.inputs["logits"]);
    let [rows, seq, _] = dims;
    let logits = leaf(&case.input("logits"), dims);
    let targets = int(&ints(&case.inputs["labels"]), [rows, seq]).narrow(1, 1, seq - 1);
    let mask = targets.clone().not_equal_elem(-100);
    let predicting = logits.clone().narrow(1, 0, seq - 1);
    let tokens = token_log_probs(predicting.clone(), targets);
    let smoothing = case.number("label_smoothing_factor");
    let variant = match case.inputs["loss_type"].as_str().unwrap() {
        "dft" => SftVariant::Dft,
        "nll" => SftVariant::Nll {
            label_smoothing: smoothing,
        },
        other => panic!("unknown loss type {other}"),
    };
    let loss = SftLossConfig::new().with_variant(variant).init();
    let uniform = uniform_log_probs(predicting);
    let scored: f64 = values(mask.clone().float()).iter().sum();
    let out = match (case.inputs["num_items_in_batch"].as_f64(), smoothing > 0.0) {
        (Some(number), true) => loss.forward_smoothed_over(tokens, uniform, mask, number),
        (Some(number), false) => loss.forward_over(tokens, mask, number),
        (None, true) => loss.forward_smoothed(tokens, uniform, mask),
        (None, false) => loss.forward(tokens, mask),
    };
    case.value("loss", &values(out.loss.clone()));
    assert_eq!(out.num_tokens.into_scalar::<i64>() as f64, scored);
    let grad = values(logits.grad(&out.loss.backward()).unwrap());
    case.gradient("grad_logits", &grad);
}
