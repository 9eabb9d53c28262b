//! What a form of feedback may leave open.

/// What a form may leave open.
#[derive(Clone, Debug)]
pub(in crate::data) struct Choices {
    /// OpenAssistant: messages in this language only.
    pub(in crate::data) language: Option<String>,
    /// SHP: the least ratio of two scores.
    pub(in crate::data) score_ratio: f64,
    /// UltraFeedback: the critic's overall mark instead of the mean of the ratings.
    pub(in crate::data) overall_score: bool,
    /// Conversations: every turn is a demonstration.
    pub(in crate::data) every_turn: bool,
}
