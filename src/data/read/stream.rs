//! Files of feedback, one example after another, for data that is larger than memory.

use crate::data::read::keep::ReadExample;
use crate::data::read::reader::Reader;
use crate::data::read::report::ReadReport;
use crate::error::Error;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

/// Examples that are read while they are asked for: some hundred are in memory at a time. After an
/// error there are no more.
#[derive(Debug)]
pub struct ExampleStream<T> {
    /// `None` after the last one.
    examples: Option<Receiver<Result<T, Error>>>,
    reader: Option<JoinHandle<ReadReport>>,
    report: ReadReport,
}

/// Examples read ahead.
const AHEAD: usize = 256;

impl Reader {
    /// Reads one example after another, of the kinds that [`binary`](Self::binary),
    /// [`preferences`](Self::preferences), [`scored`](Self::scored) and [`sft`](Self::sft) read all
    /// at once. Prompts, duplicates and contradictions are not counted: all that was said would
    /// have to be remembered.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("feedback.jsonl");
    /// # let row = r#"{"prompt": "2 + 2 =", "completion": " 4", "label": true}"#;
    /// # std::fs::write(&path, row).unwrap();
    /// let mut stream = Reader::new().stream::<BinaryExample>(&path)?;
    /// assert_eq!(stream.next().unwrap()?.completion, " 4");
    /// assert!(stream.next().is_none());
    /// assert_eq!(stream.report().rows, 1);
    /// // What goes into a cache need not fit into memory.
    /// # #[cfg(feature = "cache")] {
    /// # let cache = TokenCache::new(folder.path().join("tokens")).silent();
    /// # let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 512);
    /// let key = CacheKey::default().with_source(&Reader::new(), &path)?;
    /// let rows = || Reader::new().stream::<BinaryExample>(&path);
    /// let cached = cache.open_or_build(&encoder, &key, rows)?;
    /// assert_eq!(cached.examples.len(), 1);
    /// # }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`with_per_prompt`](Self::with_per_prompt) and
    /// [`without_duplicates`](Self::without_duplicates) need all rows and are refused; other errors
    /// come as the last item.
    ///
    /// # Panics
    ///
    /// The stream does where its reading thread did: half of a file must not look like all of it.
    pub fn stream<T: ReadExample>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<ExampleStream<T>, Error> {
        let needs = "needs all rows in memory, and these come one after another";
        let most = self.settings.per_prompt.unwrap_or_default();
        Error::check(
            self.settings.per_prompt.is_none(),
            "per_prompt",
            needs,
            most,
        )?;
        Error::check(self.settings.duplicates, "without_duplicates", needs, true)?;
        let (sender, examples) = sync_channel(AHEAD);
        let (settings, path) = (self.clone(), path.as_ref().to_path_buf());
        let reader = thread::spawn(move || {
            let (mut report, mut counts) = (ReadReport::default(), ReadReport::default());
            let stopped = |_| Error::Interrupted {
                message: "nobody reads on".into(),
            };
            let read = settings.scan(&path, &mut report, &mut |unit: Vec<T>| {
                unit.into_iter().try_for_each(|example| {
                    counts.add(&example);
                    sender.send(Ok(example)).map_err(stopped)
                })
            });
            report.take_counts(counts);
            if let Err(error) = read.and_then(|()| report.check_not_empty(&path)) {
                // If nobody reads on, nobody wants to know.
                let _ = sender.send(Err(error));
            }
            report
        });
        Ok(ExampleStream {
            examples: Some(examples),
            reader: Some(reader),
            report: ReadReport::default(),
        })
    }
}

impl<T> ExampleStream<T> {
    /// What became of the rows that were read.
    pub fn report(mut self) -> ReadReport {
        self.finish();
        self.report
    }

    /// Lets the reader end, and passes on its panic: half of a file must not look like all of it.
    fn finish(&mut self) {
        self.examples = None;
        match self.reader.take().map(JoinHandle::join) {
            None => {}
            Some(Ok(report)) => self.report = report,
            Some(Err(panic)) => resume_unwind(panic),
        }
    }
}

impl<T> Iterator for ExampleStream<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.examples.as_ref()?.recv().ok();
        if matches!(next, None | Some(Err(_))) {
            self.finish();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::example::{Example, Prompt, SftExample};
    use crate::data::read::keep::{FromRow, Sink};
    use crate::data::read::row::parsed::Feedback;
    use crate::data::read::settings::ReadSettings;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// A demonstration that cannot be made of a row that asks for `panic`.
    struct Fragile(SftExample);

    impl Example for Fragile {
        fn prompt(&self) -> &Prompt {
            &self.0.prompt
        }

        fn answers(&self) -> [&str; 2] {
            [&self.0.completion, ""]
        }
    }

    impl FromRow for Fragile {
        fn from_row(
            _settings: &ReadSettings,
            feedback: Feedback,
            sink: &mut Sink<'_, Self>,
        ) -> Result<(), Error> {
            let Feedback::Sft(example, _) = feedback else {
                panic!("not a demonstration");
            };
            assert_ne!(example.completion, "panic", "this row is a panic");
            sink.unit(vec![Self(example)])
        }
    }

    #[test]
    fn a_reader_that_panics_does_not_look_like_the_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let row = |text: &str| format!("{{\"prompt\": \"a\", \"completion\": \"{text}\"}}\n");
        std::fs::write(&file, row("b") + &row("c") + &row("panic") + &row("d")).unwrap();
        let stream = || Reader::new().stream::<Fragile>(&file).unwrap();
        let message = |panic: Box<dyn std::any::Any + Send>| {
            let text = panic.downcast_ref::<String>().cloned();
            text.unwrap_or_default()
        };
        let mut examples = stream();
        for completion in ["b", "c"] {
            assert_eq!(examples.next().unwrap().unwrap().0.completion, completion);
        }
        let end = catch_unwind(AssertUnwindSafe(|| examples.next().is_none()));
        let panic = message(end.expect_err("the end of the data"));
        assert!(panic.contains("this row is a panic"), "{panic}");
        // Nor does the report look like that of a whole file.
        let mut examples = stream();
        assert!(examples.by_ref().take(2).all(|example| example.is_ok()));
        let report = catch_unwind(AssertUnwindSafe(|| examples.report().rows));
        assert!(message(report.unwrap_err()).contains("this row is a panic"));
    }
}
