//! first
use burn::tensor::Device;
use burn_kto::eval::*;
use burn_kto::prelude::*;
use std::path::PathBuf;
fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().collect();
    let (model, data, limit) = (PathBuf::from(&args[1]), PathBuf::from(&args[2]), args[3].parse().unwrap());
    let device = Device::default();
    let tok = HfTokenizer::from_folder(&model)?;
    let llama = Llama::load(&model, &device)?;
    let subject = LocalModel::new(&llama, &tok, 2048, &device).with_stop_tokens(tok.stop_tokens());
    let mut p = |p: &EvalProgress| { eprintln!("{p:?}"); true };
    let clock = std::time::Instant::now();
    let mmlu = Mmlu::load(data.join("mmlu"), MmluPrompt::Harness, 0)?;
    let e = run_task(&mmlu, &subject, "smollm2", &RunnerConfig::new().with_limit(Some(limit)).with_records("/tmp/eval-first/mmlu.jsonl"), &mut p)?;
    println!("{:#?} {:?}", e.report, clock.elapsed());
    let g = Gsm8k::load_derived_chain_of_thought(data.join("gsm8k_test.jsonl"), data.join("gsm8k_train_head.jsonl"), Shots::First(8))?;
    let e = run_task(&g, &subject, "smollm2", &RunnerConfig::new().with_limit(Some(limit)).with_records("/tmp/eval-first/gsm8k.jsonl"), &mut p)?;
    println!("{:#?} {:?}", e.report, clock.elapsed());
    Ok(())
}
