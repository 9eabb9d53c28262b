//! What turns knobs.

use super::knobs::Knobs;
use crate::error::Error;
use crate::train::metrics::Metrics;
use serde_json::Value;
use std::fmt::Debug;

/// Turns the knobs of a loss after each optimizer step.
pub trait Controller: Debug + Send {
    /// Checks its settings; nothing by default.
    ///
    /// # Errors
    ///
    /// If one is out of its range.
    fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The knobs as they should stand, from where they do and what the step reported.
    fn next(&mut self, knobs: Knobs, metrics: &Metrics) -> Knobs;

    /// The state that it carries from step to step, for a checkpoint; null by default.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Goes on from such a state.
    ///
    /// # Errors
    ///
    /// [`Error::State`] if the state is that of another controller.
    fn restore(&mut self, state: &Value) -> Result<(), Error> {
        let _ = state;
        Ok(())
    }
}
