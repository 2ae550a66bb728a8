//! Where the rules of a VirtualService apply, as far as its own text says.

use crate::virtual_service::VirtualService;

/// The reserved gateway name that stands for all sidecars.
const MESH: &str = "mesh";

/// Where the rules apply.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    /// It has no hosts: another VirtualService refers to it.
    pub(super) is_delegate: bool,
    /// Sidecars obey it.
    pub(super) is_mesh: bool,
}

impl Scope {
    pub(super) fn of(spec: &VirtualService) -> Self {
        Self {
            is_delegate: spec.hosts.is_empty(),
            is_mesh: spec.gateways.is_empty() || spec.gateways.iter().any(|name| name == MESH),
        }
    }
}
