//! What the control loop reacts to.

use crate::source::Batch;

/// Everything that happens to a control loop.
#[derive(Debug)]
pub enum Event {
    /// A source has changes.
    Batch(Batch),
    /// Stop, without publishing anything further.
    Stop,
}
