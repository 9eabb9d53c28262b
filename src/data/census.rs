//! How often the same was said.

use super::example::Example;
use super::report::ReadReport;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

/// Who said what again, by 64-bit hashes: of a million examples two different ones fall together once in thirty million times.
pub(super) struct Census {
    prompts: usize,
    /// Places of examples that were there before, word for word, with the same thumb and score.
    pub(super) again: HashSet<usize>,
    /// How many have another thumb than what was there before.
    contradicted: usize,
}

impl Census {
    pub(super) fn of<T: Example>(examples: &[T]) -> Self {
        let mut prompts = HashSet::new();
        let mut said: HashMap<u64, (Option<bool>, Option<u64>)> = HashMap::new();
        let (mut again, mut contradicted) = (HashSet::new(), 0);
        for (i, example) in examples.iter().enumerate() {
            let mut hasher = DefaultHasher::new();
            example.prompt().hash(&mut hasher);
            prompts.insert(hasher.finish());
            example.answers().hash(&mut hasher);
            let this = (example.thumb(), example.score().map(f64::to_bits));
            match said.entry(hasher.finish()) {
                Entry::Vacant(entry) => {
                    entry.insert(this);
                }
                Entry::Occupied(entry) if *entry.get() == this => {
                    again.insert(i);
                }
                Entry::Occupied(entry) => {
                    contradicted += usize::from(entry.get().0 != this.0);
                }
            }
        }
        Self {
            prompts: prompts.len(),
            again,
            contradicted,
        }
    }

    pub(super) fn write(&self, report: &mut ReadReport) {
        report.prompts = self.prompts;
        report.duplicated = self.again.len();
        report.contradicted = self.contradicted;
    }
}
