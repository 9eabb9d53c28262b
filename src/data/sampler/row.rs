//! What a sampler looks at.

/// What a sampler knows of an example; [`Batcher::describe`](crate::data::Batcher::describe) says
/// it. An option that needs what is not known is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RowInfo {
    /// Thumb up?
    pub class: Option<bool>,
    /// The same for the same prompt, another for another: a hash.
    pub prompt: Option<u64>,
    /// Tokens of the longest sequence that it takes part in, prompt included.
    pub length: Option<usize>,
}

impl RowInfo {
    /// The row of an example without a thumb.
    pub fn new(prompt: u64, length: usize) -> Self {
        Self {
            class: None,
            prompt: Some(prompt),
            length: Some(length),
        }
    }

    /// With a thumb.
    pub fn with_class(mut self, desirable: bool) -> Self {
        self.class = Some(desirable);
        self
    }
}
