//! From logits to log-probabilities.

use super::*;
use burn_kto::prelude::*;

pub(super) fn logps(mut case: Case<'_>) {
    let dims: [usize; 3] = shape(&case.inputs["logits"]);
    let [rows, seq, _] = dims;
    let logits = leaf(&case.input("logits"), dims);
    let labels = int(&ints(&case.inputs["labels"]), [rows, seq]);
    let targets = labels.narrow(1, 1, seq - 1);
    let mask = targets.clone().not_equal_elem(-100);
    let tokens = token_log_probs(logits.clone().narrow(1, 0, seq - 1), targets);
    let sums = sequence_log_probs(tokens.clone(), mask.clone());
    let means = average_log_probs(tokens.clone(), mask);
    case.value("token_logps", &values(tokens));
    case.value("sum_logps", &values(sums.clone()));
    // Where nothing is scored the peers' mean is NaN; here it is 0.
    let means_expected = floats(&case.expected["avg_logps"]);
    let zeroed = |x: f64| if x.is_nan() { 0.0 } else { x };
    let means_expected: Vec<f64> = means_expected.into_iter().map(zeroed).collect();
    case.value_of("means", &values(means), &means_expected);
    let loss = (sums * vector(&case.input("grad_weights"))).sum();
    let grad = logits.grad(&loss.backward()).unwrap();
    case.gradient("grad_logits_of_weighted_sum", &values(grad));
}
