//! What the settings of losses must be.

use crate::error::Error;

/// Refuses a weight that is negative or not finite.
pub(super) fn check_weight(field: &'static str, weight: f64) -> Result<(), Error> {
    let ok = weight >= 0.0 && (weight as f32).is_finite();
    Error::check(ok, field, "must be finite and not negative", weight)
}

/// Refuses a β or margin that is not positive, or that f32 cannot hold.
pub(super) fn check_positive(field: &'static str, value: f64) -> Result<(), Error> {
    let ok = value as f32 > 0.0 && (value as f32).is_finite();
    Error::check(ok, field, "must be positive and finite", value)
}
