//! ROUND_ROBIN: in turn, each endpoint as often as its weight says.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::endpoint_set::Group;

pub(super) fn pick(group: &Group) -> Option<&Arc<Endpoint>> {
    group.next()
}
