//! Injected faults.

use std::time::Duration;

use crate::fraction::Fraction;

/// Fault of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Delay and the share of requests that get it.
    pub delay: Option<(Duration, Fraction)>,
}
