//! RANDOM: any endpoint, whatever its weight.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::endpoint_set::Group;
use crate::env::Env;

pub(super) fn pick<'g>(group: &'g Group, env: &mut Env<'_>) -> Option<&'g Arc<Endpoint>> {
    group.draw(env.random())
}
