//! What a form of feedback may leave open.

/// What a form may leave open.
#[derive(Clone, Debug)]
pub(super) struct Choices {
    /// OpenAssistant: messages in this language only.
    pub(super) language: Option<String>,
    /// SHP: the least ratio of two scores.
    pub(super) score_ratio: f64,
    /// UltraFeedback: the critic's overall mark instead of the mean of the ratings.
    pub(super) overall_score: bool,
}
