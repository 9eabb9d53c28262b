//! `burn-kto align`.

use super::End;
use super::flags::Flags;
use super::interrupt;
use super::output::say;
use burn_kto::Error;
use burn_kto::align::{Alignment, Event, held_out_line};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  burn-kto align --model SmolLM2-135M --data thumbs.jsonl --out runs/kto
  burn-kto align --preset dpo --model DIR --data pairs.jsonl --set method.variant=ipo
  burn-kto align --model hf://HuggingFaceTB/SmolLM2-135M --data 'data/*.jsonl.gz' --method sft
  burn-kto align --config runs/kto/run.toml --out runs/again    the same run once more
  burn-kto align --resume --out runs/kto                        what was interrupted goes on
What a flag says wins over --set, --set over --config, --config over --preset.";

/// A model folder and feedback become an aligned folder.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Go on from the checkpoint in --out, with the settings of its run.toml; or in the folder of
    /// --config RUN/run.toml.
    #[arg(long)]
    resume: bool,

    #[command(flatten)]
    flags: Flags,
}

pub(crate) fn run(options: &Options) -> Result<End, Error> {
    let flags = options.flags.clone();
    let alignment = match options.resume {
        true => Alignment::new(flags.of_run().settings()?).with_resume(),
        false => Alignment::new(flags.settings()?),
    };
    let alignment = alignment.with_hook(interrupt::StopRun);
    let report = alignment.run(&mut |event| {
        // Before, there is nothing to lose: Ctrl-C ends the process.
        if let Event::Started { .. } = event {
            interrupt::watch("step");
        }
        say!("{event}");
    })?;
    let out = report.settings.output.folder.display();
    let Some(model) = report.model else {
        say!(
            "interrupted after step {}; its model: burn-kto export {out} --out DIR; \
             go on with: burn-kto align --config {out}/run.toml --resume",
            report.steps
        );
        return Ok(End::Interrupted);
    };
    // The ones between were shown while they came.
    let (first, last) = (report.evaluations.first(), report.evaluations.last());
    for (step, metrics) in first
        .into_iter()
        .chain(last.filter(|last| Some(*last) != first))
    {
        say!("{}", held_out_line(*step, metrics));
    }
    say!(
        "written {} (weights, config, tokenizer); {out}/run.toml, {out}/metrics.jsonl, \
         {out}/checkpoint; {:.0} s in all",
        model.display(),
        report.elapsed.as_secs_f64()
    );
    if let Some(before) = &report.settings.model {
        let (model, before) = (model.display(), before.display());
        say!("next    burn-kto evaluate --model {model} --compare {before} --data BENCHMARKS");
    }
    Ok(End::Done)
}
