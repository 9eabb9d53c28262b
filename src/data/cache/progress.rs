//! What a person sees while a cache is built.

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stderr};

/// A bar on a terminal; elsewhere a line every tenth of the way, or every million examples where
/// nobody knows how many there are.
pub(super) struct Display {
    bar: ProgressBar,
    lines: bool,
    every: u64,
}

impl Display {
    pub(super) fn new(shown: bool, total: Option<usize>) -> Self {
        let terminal = stderr().is_terminal();
        let target = if shown && terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let total = total.map(|total| total as u64);
        let bar = ProgressBar::with_draw_target(total, target);
        let style = match total {
            Some(_) => {
                "tokenizing {bar:30} {human_pos}/{human_len} [{elapsed_precise} < {eta_precise}] {per_sec}"
            }
            None => "tokenizing {spinner} {human_pos} [{elapsed_precise}] {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        let every = total.map_or(1_000_000, |total| total.div_ceil(10).max(1));
        Self {
            bar,
            lines: shown && !terminal,
            every,
        }
    }

    pub(super) fn advance(&self, examples: usize) {
        let before = self.bar.position();
        self.bar.inc(examples as u64);
        let now = self.bar.position();
        if self.lines && now / self.every > before / self.every {
            // Nobody reading it is no reason to stop.
            let _ = writeln!(stderr(), "tokenized {} examples", HumanCount(now));
        }
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
