//! Durations of the protos.

use std::time::Duration;

use pilotage_proto::Duration as Proto;

use crate::rejection::FieldError;

/// `proto` as a duration.
///
/// # Errors
/// When it is negative.
pub(crate) fn duration(field: &str, proto: &Proto) -> Result<Duration, FieldError> {
    Duration::try_from(*proto).map_err(|_| FieldError::new(field, "must not be negative"))
}

/// An optional duration.
pub(crate) fn optional(field: &str, proto: Option<&Proto>) -> Result<Option<Duration>, FieldError> {
    proto.map(|proto| duration(field, proto)).transpose()
}

/// An optional limit, of which zero means that there is none, and that has `default` when it is not set.
pub(crate) fn limit(
    field: &str,
    proto: Option<&Proto>,
    default: Option<Duration>,
) -> Result<Option<Duration>, FieldError> {
    Ok(match optional(field, proto)? {
        None => default,
        Some(limit) => (!limit.is_zero()).then_some(limit),
    })
}
