//! ROUND_ROBIN: in turn, each endpoint as often as its weight says.

use std::sync::Arc;

use super::Moment;
use crate::endpoint::Endpoint;
use crate::endpoint_set::Group;

pub(super) fn pick<'g>(group: &'g Group, moment: &Moment<'_>) -> Option<&'g Arc<Endpoint>> {
    match moment.growing {
        None => group.next(),
        Some(_) => group.next_by(|e| moment.weight(e)),
    }
}
