//! The progress of a download.

use hf_hub::progress::{DownloadEvent, ProgressEvent, ProgressHandler};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::sync::Mutex;

/// Shows a download on standard error.
pub(crate) struct Bar {
    bar: ProgressBar,
    done: Mutex<HashMap<String, u64>>,
}

impl Bar {
    pub(crate) fn new(name: &str) -> Self {
        let bar = ProgressBar::no_length();
        let style =
            "{prefix}  {binary_bytes}/{binary_total_bytes}  {wide_bar}  {binary_bytes_per_sec}";
        let style = ProgressStyle::with_template(style);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_string());
        Self {
            bar,
            done: Mutex::default(),
        }
    }
}

impl ProgressHandler for Bar {
    fn on_progress(&self, event: &ProgressEvent) {
        let ProgressEvent::Download(event) = event else {
            return;
        };
        match event {
            DownloadEvent::Start { total_bytes, .. } => self.bar.set_length(*total_bytes),
            DownloadEvent::Progress { files } => {
                let Ok(mut done) = self.done.lock() else {
                    return;
                };
                for file in files {
                    done.insert(file.filename.clone(), file.bytes_completed);
                }
                self.bar.set_position(done.values().sum());
            }
            DownloadEvent::AggregateProgress {
                bytes_completed, ..
            } => self.bar.set_position(*bytes_completed),
            DownloadEvent::Complete => self.bar.finish_and_clear(),
        }
    }
}
