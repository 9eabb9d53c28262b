//! Rows that are drawn from together.

use rand::Rng;
use rand::seq::SliceRandom;

/// Rows of one source and class, of which an epoch has `share`.
pub(super) struct Group {
    pub(super) source: usize,
    pub(super) class: Option<bool>,
    pub(super) rows: Vec<usize>,
    pub(super) share: usize,
}

impl Group {
    /// So many of the rows as the share is: all of them as often as they fit, and a draw of the
    /// rest.
    pub(super) fn draw(mut self, rng: &mut impl Rng) -> Vec<usize> {
        let len = self.rows.len();
        if !self.share.is_multiple_of(len) {
            self.rows.shuffle(rng);
        }
        self.rows.into_iter().cycle().take(self.share).collect()
    }
}
