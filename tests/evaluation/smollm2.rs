//! A real model, where BURN_KTO_SMOLLM2 names its folder and ../shared has the benchmarks.

use crate::common::shared;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_kto::eval::*;
use burn_kto::prelude::*;

#[test]
fn a_real_model_takes_mmlu_and_gsm8k() {
    let (Some(mmlu), Some(test), Some(train)) = (
        shared("mmlu"),
        shared("gsm8k_test.jsonl"),
        shared("gsm8k_train_head.jsonl"),
    ) else {
        return;
    };
    let Ok(folder) = std::env::var("BURN_KTO_SMOLLM2") else {
        eprintln!("skipped: BURN_KTO_SMOLLM2 names no model folder");
        return;
    };
    let device = Device::flex();
    let tokenizer = HfTokenizer::from_folder(&folder).unwrap();
    let model = Llama::load(&folder, &device).unwrap();
    let subject = LocalModel::new(&model, &tokenizer, 4096, &device)
        .with_stop_tokens(tokenizer.stop_tokens());
    let limit = RunnerConfig::new().with_limit(Some(1));
    let mut on = |_: &EvalProgress| true;

    let mmlu = Mmlu::load(mmlu, MmluPrompt::Harness, 0).unwrap();
    let evaluation = run_task(&mmlu, &subject, "smollm2", &limit, &mut on).unwrap();
    assert_eq!(evaluation.records.len(), 4);
    for record in &evaluation.records {
        // The same from the logits at the last token of the question.
        let ids = tokenizer.encode(&record.request.contexts[0]).unwrap();
        let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();
        let last = ids.len() - 1;
        let shape = [1, ids.len()];
        let tokens = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device);
        let logits = model.logits(tokens).narrow(1, last, 1);
        let logits: Vec<f64> = logits.into_data().iter::<f64>().collect();
        let max = logits.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = logits.iter().map(|x| (x - max).exp()).sum();
        for (continuation, got) in record
            .request
            .continuations
            .iter()
            .zip(&record.response.log_probs)
        {
            let id = tokenizer.encode(continuation).unwrap();
            assert_eq!(id.len(), 1);
            let expected = logits[id[0] as usize] - max - sum.ln();
            assert!(
                (got - expected).abs() < 1e-3,
                "{continuation}: {got} {expected}"
            );
        }
    }

    let gsm8k = Gsm8k::load_derived_chain_of_thought(test, train, Shots::First(8)).unwrap();
    let evaluation = run_task(&gsm8k, &subject, "smollm2", &limit, &mut on).unwrap();
    let record = &evaluation.records[0];
    let text = &record.response.texts[0];
    // Examples work: it ends as they do, and writes no further question.
    assert!(text.contains("answer is") && !text.contains("Q:"), "{text}");
    assert!(record.grade.extracted["flexible"].is_some());
}
