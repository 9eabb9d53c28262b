//! Settings that are refused, each by its name.

use crate::error::Error;
use serde::Serialize;

/// A setting that does not go with another.
pub(super) fn refused(place: &str, message: impl Into<String>) -> Error {
    Error::Setting {
        place: place.into(),
        message: message.into(),
    }
}

/// A setting that was given although the choice beside it does not look at it.
pub(super) fn unused<T>(value: Option<T>, place: &str, of: &str, got: &str) -> Result<(), Error> {
    match value {
        None => Ok(()),
        Some(_) => Err(refused(place, format!("is for {of}, got {got}"))),
    }
}

/// A name as it stands in a file.
pub(super) fn spelled(name: &impl Serialize) -> String {
    let value = serde_json::to_value(name).ok();
    let text = value.as_ref().and_then(|value| value.as_str());
    text.unwrap_or_default().to_string()
}
