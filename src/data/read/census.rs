//! How often the same was said.

use crate::data::example::Example;
use crate::data::read::report::ReadReport;
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

/// What was said of an answer: a thumb or a side, a score and a weight.
type Verdict = (Option<bool>, [Option<u64>; 2]);

/// Who said what again, by 64-bit hashes: of a million examples two different ones fall together
/// once in thirty million times.
pub(in crate::data) struct Census {
    prompts: usize,
    /// Places of examples that were there before, word for word, with the same thumb, score and
    /// weight.
    pub(in crate::data) again: HashSet<usize>,
    /// How many have another thumb than what was there before.
    contradicted: usize,
}

impl Census {
    pub(in crate::data) fn of<'e, T: Example + 'e>(examples: impl Iterator<Item = &'e T>) -> Self {
        let mut prompts = HashSet::new();
        let mut verdicts: HashMap<u64, Vec<Verdict>> = HashMap::new();
        let (mut again, mut contradicted) = (HashSet::new(), 0);
        for (i, example) in examples.enumerate() {
            let mut hasher = DefaultHasher::new();
            example.prompt().hash(&mut hasher);
            prompts.insert(hasher.finish());
            example.answers().hash(&mut hasher);
            let numbers = [example.score(), example.weight()];
            let this = (example.verdict(), numbers.map(|n| n.map(f64::to_bits)));
            let before = verdicts.entry(hasher.finish()).or_default();
            if before.contains(&this) {
                again.insert(i);
                continue;
            }
            contradicted += usize::from(before.iter().any(|(verdict, _)| *verdict != this.0));
            before.push(this);
        }
        Self {
            prompts: prompts.len(),
            again,
            contradicted,
        }
    }

    pub(in crate::data) fn write(&self, report: &mut ReadReport) {
        report.prompts = self.prompts;
        report.duplicated = self.again.len();
        report.contradicted = self.contradicted;
    }
}
