//! What objectives and controllers carry from step to step, as JSON.

use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A state read back; null for an objective without one.
pub(in crate::train) fn restored<S: DeserializeOwned>(state: &Value) -> Result<S, Error> {
    S::deserialize(state).map_err(|error| Error::State {
        message: format!("the state {state} is that of another objective: {error}"),
    })
}

/// A state as JSON.
pub(in crate::train) fn saved(state: impl Serialize) -> Value {
    // Numbers and options of them always have a JSON form.
    serde_json::to_value(state).unwrap_or(Value::Null)
}
