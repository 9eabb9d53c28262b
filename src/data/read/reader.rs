//! Files of feedback.

use crate::data::example::{
    BinaryExample, Example, PreferenceExample, Prompt, ScoredExample, SftExample,
};
use crate::data::read::census::Census;
use crate::data::read::forest::Forest;
use crate::data::read::formats::form::Format;
use crate::data::read::keep::{FromRow, Sink};
use crate::data::read::mapping::Mapping;
use crate::data::read::report::ReadReport;
use crate::data::read::row::names::{MESSAGES, PROMPT};
use crate::data::read::row::parsed::Parsed;
use crate::data::read::row::ranked::RankedPairs;
use crate::data::read::rows::{JsonRow, Known, for_each_row, wrong};
use crate::data::read::settings::ReadSettings;
use crate::data::read::source::files::files;
use crate::data::reason::{DropReason, LeftOutReason};
use crate::error::Error;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// What was read.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The examples, in the order of the files.
    pub examples: Vec<T>,
    /// What became of the rows.
    pub report: ReadReport,
}

/// Reads feedback, whatever its form.
///
/// What is read is a file, a folder (all data files in it and below), or a pattern such as
/// `data/*.jsonl.gz`, sorted by name; or with feature `hub` a data set on the Hugging Face Hub:
/// `hf://owner/name[@revision][/pattern]`. Of a folder, and of the Hub without a pattern, the files
/// of the training split are read: those that the card names, else those whose path says `train`,
/// else those that name no other split. The Hub's cache, `HF_HOME`, `HF_ENDPOINT` and `HF_TOKEN`
/// are used as everywhere. Each row's columns tell its [`Format`]. A row that is wrong is an error
/// with its line; a row that is of no use is dropped and counted.
///
/// | where several answers of a prompt are ranked or rated (OpenAssistant, UltraFeedback) | |
/// |---|---|
/// | [`preferences`](Self::preferences) | pairs by [`RankedPairs`], neighbours by default |
/// | [`binary`](Self::binary) | up above the prompt's median, down below it |
/// | [`scored`](Self::scored) | each, with its rating; of ranks the negative |
/// | [`sft`](Self::sft) | the best |
///
/// ```
/// use burn_kto::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("shp.jsonl");
/// # let row = |other: &str, votes: usize| format!(
/// #     r#"{{"history": "Why?", "human_ref_A": "So.", "human_ref_B": "{other}", "labels": 1,
/// #     "score_A": 9, "score_B": {votes}}}"#).replace('\n', "");
/// # std::fs::write(&path, format!("{}\n{}", row("No.", 3), row("Hm.", 8))).unwrap();
/// let loaded = Reader::new().with_score_ratio(2.0).preferences(&path)?;
/// assert_eq!(loaded.examples[0].chosen, "So.");
/// let report = "read 2 rows (shp), 1 examples; left out 1: scores are too close";
/// assert_eq!(loaded.report.to_string(), report);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Reader {
    pub(in crate::data) settings: ReadSettings,
}

impl Reader {
    /// A reader that reads everything that is of use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes rows of this format only; without, their columns tell.
    pub fn with_format(mut self, format: Format) -> Self {
        self.settings.format = Some(format);
        self
    }

    /// Reads columns of other names: `("prompt", "question")` reads `question` as `prompt`, and
    /// `("prompt", "input.text")` the key `text` inside of `input`. Rows are read as if they had
    /// the known name; the names that are known are those of [`Format::columns`] and the usual
    /// other ones. A column that no row has is an error.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("faq.jsonl");
    /// # std::fs::write(&path, r#"{"frage": "2 + 2 =", "antwort": " 4"}"#).unwrap();
    /// let reader = Reader::new().with_columns([("prompt", "frage"), ("completion", "antwort")]);
    /// assert_eq!(reader.sft(&path)?.examples[0], SftExample::new("2 + 2 =", " 4"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn with_columns<K: Into<String>, C: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = (K, C)>,
    ) -> Self {
        let columns = columns.into_iter();
        let columns = columns.map(|(known, column)| (known.into(), column.into()));
        self.settings.columns = Mapping::new(columns);
        self
    }

    /// Makes a row that would be dropped an error with its line. What you ask to leave out is none.
    pub fn with_strict(mut self) -> Self {
        self.settings.strict = true;
        self
    }

    /// Chooses which pairs are made of ranked answers.
    pub fn with_pairs(mut self, pairs: RankedPairs) -> Self {
        self.settings.pairs = pairs;
        self
    }

    /// Takes messages in this language only, such as `en`, of OpenAssistant.
    pub fn with_language(mut self, language: impl Into<String>) -> Self {
        self.settings.choices.language = Some(language.into());
        self
    }

    /// Takes pairs of which one score is at least so many times the other, of SHP. 1 takes all; its
    /// authors, and the KTO paper, take 2.
    pub fn with_score_ratio(mut self, least: f64) -> Self {
        self.settings.choices.score_ratio = least;
        self
    }

    /// Takes the critic's overall mark instead of the mean of the ratings, of UltraFeedback. It is
    /// known to be wrong in thousands of rows.
    pub fn with_overall_score(mut self) -> Self {
        self.settings.choices.overall_score = true;
        self
    }

    /// Takes at most so many of a prompt, drawn at random; of pairs that become thumbs, so many
    /// pairs. The KTO paper takes 5 of SHP.
    pub fn with_per_prompt(mut self, most: usize) -> Self {
        self.settings.per_prompt = Some(most);
        self
    }

    /// Leaves out what was there before: the same prompt, completion and thumb. Without, duplicates
    /// are counted and kept.
    pub fn without_duplicates(mut self) -> Self {
        self.settings.duplicates = false;
        self
    }

    /// Makes every turn of the assistant in a conversation a demonstration, not only the last. Each
    /// is read as it would be written: what a template leaves out of past turns, such as reasoning,
    /// is left out of its context.
    pub fn with_every_turn(mut self) -> Self {
        self.settings.choices.every_turn = true;
        self
    }

    /// Sets the seed of what is drawn at random.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Reads completions with thumbs. A row with a pair makes two examples: the chosen desirable,
    /// the rejected undesirable.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, and at the first row that is wrong, with its line.
    pub fn binary(&self, path: impl AsRef<Path>) -> Result<Loaded<BinaryExample>, Error> {
        self.load(path.as_ref())
    }

    /// Reads pairs.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, and at the first row that is wrong, with its line.
    pub fn preferences(&self, path: impl AsRef<Path>) -> Result<Loaded<PreferenceExample>, Error> {
        self.load(path.as_ref())
    }

    /// Reads completions with scores. [`ScoreLabels`](crate::data::ScoreLabels) makes thumbs of
    /// them.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, and at the first row that is wrong, with its line.
    pub fn scored(&self, path: impl AsRef<Path>) -> Result<Loaded<ScoredExample>, Error> {
        self.load(path.as_ref())
    }

    /// Reads demonstrations. Of pairs the chosen are taken, of completions with thumbs the
    /// desirable.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, and at the first row that is wrong, with its line.
    pub fn sft(&self, path: impl AsRef<Path>) -> Result<Loaded<SftExample>, Error> {
        self.load(path.as_ref())
    }

    fn load<T: FromRow>(&self, path: &Path) -> Result<Loaded<T>, Error> {
        let (mut report, mut units) = (ReadReport::default(), Vec::new());
        self.scan(path, &mut report, &mut |unit| {
            units.push(unit);
            Ok(())
        })?;
        let census = Census::of(units.iter().flatten());
        census.write(&mut report);
        if !self.settings.duplicates {
            let mut place = 0..;
            let mut first = |_: &T| place.next().is_none_or(|i| !census.again.contains(&i));
            units.iter_mut().for_each(|unit| unit.retain(&mut first));
            units.retain(|unit| !unit.is_empty());
            report.leave_out(LeftOutReason::Duplicate, census.again.len());
        }
        self.cap(&mut units, &mut report);
        let examples: Vec<T> = units.into_iter().flatten().collect();
        report.count(&examples);
        report.check_not_empty(path)?;
        Ok(Loaded { examples, report })
    }

    /// Hands on what belongs together, one row after another.
    pub(in crate::data) fn scan<T: FromRow>(
        &self,
        path: &Path,
        report: &mut ReadReport,
        take: &mut dyn FnMut(Vec<T>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.settings.validate()?;
        let mapping = &self.settings.columns;
        let (mut mapped, mut unclear) = (BTreeSet::new(), None);
        let is_row = |row: &JsonRow| {
            let own = [&MESSAGES, &PROMPT];
            let is_row = |row: &JsonRow| {
                own.iter().any(|column| row.contains_key(column.name)) || Format::of(row).is_some()
            };
            is_row(row) || {
                let mut row = row.clone();
                mapping.apply(&mut row, &mut BTreeSet::new());
                is_row(&row)
            }
        };
        let known = Known {
            is_row: &is_row,
            is_column: &|name| Format::names_of_columns().any(|known| known == name),
        };
        let source = files(path)?;
        report.files_left_out = source.left_out;
        let mut forest = Forest::default();
        for file in source.files {
            report.files += 1;
            let beside = for_each_row(&file, &known, |line, mut row| {
                report.rows += 1;
                report.count_named(mapping.apply(&mut row, &mut mapped));
                if self.is_flat(&row) {
                    let added = forest.add(&file, line, row);
                    return added.map_err(|message| wrong(&file, line, message));
                }
                let taken = self.take(&file, line, &row, report, take, &mut unclear);
                // What the row lacks is what nobody had so far.
                taken.map_err(|error| match (error, mapping.missing(&mapped)) {
                    (Error::Record { message, .. }, Some(missing)) => {
                        wrong(&file, line, format!("{missing}; {message}"))
                    }
                    (error, _) => error,
                })
            })?;
            report.count_unread(beside);
        }
        let (trees, lost) = forest.grow();
        for tree in trees {
            self.take(&tree.file, tree.line, &tree.row, report, take, &mut unclear)?;
        }
        for (file, line) in lost {
            self.sink(&file, line, report, take)
                .dropped(DropReason::NoParent, None)?;
        }
        // Where no row has a verdict, nobody was in doubt: the column says something else.
        if let Some(unclear) = unclear.filter(|_| report.is_without_verdict()) {
            return Err(unclear);
        }
        if let Some(message) = mapping.missing(&mapped).filter(|_| report.rows > 0) {
            return Err(Error::Usage { message });
        }
        self.settings.check_used(report)
    }

    /// Hands on what a row says.
    fn take<T: FromRow>(
        &self,
        file: &Path,
        line: usize,
        row: &JsonRow,
        report: &mut ReadReport,
        take: &mut dyn FnMut(Vec<T>) -> Result<(), Error>,
        unclear: &mut Option<Error>,
    ) -> Result<(), Error> {
        let said = Format::parse(self.settings.format, row, &self.settings.choices);
        let said = said.map_err(|message| wrong(file, line, message))?;
        report.count_said(&said);
        if let ([Parsed::Dropped(DropReason::UnclearVerdict)], Some(got)) =
            (&said.what[..], &said.got)
        {
            unclear.get_or_insert_with(|| wrong(file, line, got));
        }
        let mut sink = self.sink(file, line, report, take);
        said.what.into_iter().try_for_each(|parsed| match parsed {
            Parsed::Dropped(reason) => sink.dropped(reason, said.got.as_deref()),
            Parsed::LeftOut(reason) => sink.left_out(reason, 1),
            Parsed::Kept(feedback) => T::from_row(&self.settings, feedback, &mut sink),
        })
    }

    /// What takes what is made of a row.
    fn sink<'a, T: FromRow>(
        &self,
        file: &'a Path,
        line: usize,
        report: &'a mut ReadReport,
        take: &'a mut dyn FnMut(Vec<T>) -> Result<(), Error>,
    ) -> Sink<'a, T> {
        Sink {
            place: (file, line),
            strict: self.settings.strict,
            report,
            take,
        }
    }

    /// Whether a row is a message of a tree that stands by itself.
    fn is_flat(&self, row: &JsonRow) -> bool {
        let other = |format: Format| format != Format::Oasst;
        !self.settings.format.is_some_and(other) && Forest::takes(row)
    }

    /// Leaves out what is too much of one prompt.
    fn cap<T: Example>(&self, units: &mut Vec<Vec<T>>, report: &mut ReadReport) {
        let Some(most) = self.settings.per_prompt else {
            return;
        };
        let mut of_prompt: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut first: HashMap<&Prompt, usize> = HashMap::new();
        for (i, unit) in units.iter().enumerate() {
            let Some(example) = unit.first() else {
                continue;
            };
            let group = *first.entry(example.prompt()).or_insert(i);
            of_prompt.entry(group).or_default().push(i);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.settings.seed);
        let mut kept = HashSet::new();
        for group in of_prompt.into_values() {
            let n = group.len();
            let drawn = index::sample(&mut rng, n, most.min(n));
            kept.extend(drawn.into_iter().map(|i| group[i]));
        }
        let cut = units.len() - kept.len();
        report.leave_out(LeftOutReason::TooManyOfPrompt, cut);
        let mut place = 0..;
        units.retain(|_| place.next().is_some_and(|i| kept.contains(&i)));
    }
}
