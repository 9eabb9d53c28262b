//! One workload on every backend that was compiled in: how long a KTO step takes, the first and
//! those after it, and how far its numbers are from flex.
//!
//! `cargo run --release --features tch,wgpu --example backends [DEVICE..]`

use burn::module::Module;
use burn::tensor::Device;
use burn_kto::prelude::*;
use burn_kto::train::Optimizer;
use std::error::Error;
use std::time::Instant;

const VOCAB: u32 = 8192;
const BATCH: u32 = 8;
const LENGTH: u32 = 64;
const STEPS: usize = 6;

fn examples() -> Vec<TokenizedBinary> {
    let row = |i: u32| {
        let token = |t: u32| 1 + (i * 977 + t * 61) % (VOCAB - 1);
        let prompt: Vec<u32> = (0..LENGTH / 4).map(token).collect();
        let completion: Vec<u32> = (LENGTH / 4..LENGTH).map(token).collect();
        TokenizedBinary::new(prompt, completion, i.is_multiple_of(2))
    };
    (0..BATCH).map(row).collect()
}

/// Seconds of each step, and loss and gradient norm of the last.
fn run(device: &Device) -> Result<(Vec<f64>, [f64; 2]), Box<dyn Error>> {
    let mut policy = LlamaConfig::new(VOCAB as usize, 128, 4, 4)
        .init(3, device)
        .train();
    let reference = Frozen::new(&policy);
    let mut optimizer = Optimizer::new(&OptimizerConfig::new(), &policy);
    let mut kto = KtoLossConfig::new().init();
    let (data, batcher) = (examples(), BinaryBatcher::new(0, LENGTH as usize));
    let (mut seconds, mut last) = (Vec::new(), [0.0; 2]);
    for step in 0..STEPS {
        let clock = Instant::now();
        let batch = batcher.batch(&data, step as u64, device)?;
        let report;
        (policy, report) = train_step(
            &mut kto,
            policy,
            &reference,
            vec![batch],
            &mut optimizer,
            1e-4,
        );
        // The metrics were read back, so the device has done its work.
        seconds.push(clock.elapsed().as_secs_f64());
        last = [
            report.metrics.get("loss").unwrap_or(f64::NAN),
            report.grad_norm,
        ];
    }
    Ok((seconds, last))
}

fn main() -> Result<(), Box<dyn Error>> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let mut choices = Vec::new();
    for name in &named {
        choices.push(name.parse::<DeviceChoice>()?);
    }
    if choices.is_empty() {
        choices = DeviceChoice::compiled();
    }
    println!(
        "a KTO step: {BATCH} sequences of {LENGTH} tokens and as many mismatched pairs, width 128, 4 layers, vocabulary {VOCAB}"
    );
    println!(
        "{:<12} {:>10} {:>12} {:>12} {:>12}",
        "device", "first", "warm", "loss", "gradient"
    );
    for choice in choices {
        let device = match choice.open() {
            Ok(device) => device,
            Err(error) => {
                println!("{:<12} {error}", choice.to_string());
                continue;
            }
        };
        let (seconds, [loss, norm]) = run(&device)?;
        let warm = seconds[1..].iter().copied().fold(f64::INFINITY, f64::min);
        println!(
            "{:<12} {:>8.2} s {:>9.0} ms {loss:>12.7} {norm:>12.6}",
            choice.to_string(),
            seconds[0],
            1e3 * warm
        );
    }
    Ok(())
}
