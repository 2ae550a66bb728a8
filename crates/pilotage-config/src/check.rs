//! Rules that one object can break by itself: what Istio's admission webhook rejects or warns about.
//!
//! The verdict (error, warning, fine) is Istio's; the words are ours. An object with an error takes no part in the
//! mesh, its last good version does. [`crate::load`] has already seen to shape: unknown fields, types, enums.

mod any_match;
mod checker;
mod client_tls;
mod connection_pool;
mod cors;
mod destination;
mod destination_rule;
mod direct_response;
mod export_to;
mod faults;
mod gateway;
mod gateway_names;
mod header_operations;
mod hosts;
mod http_match;
mod http_route;
mod l4_routes;
mod load_balancing;
mod locality;
mod mesh;
mod mirrors;
mod names;
mod outlier_detection;
mod percent_format;
mod ports;
mod redirect;
mod retries;
mod rewrite;
mod scope;
mod selector;
mod server_tls;
mod service_entry;
mod sidecar;
mod string_match;
mod unreachable;
mod virtual_service;
mod workload_entry;
mod workload_group;

#[cfg(test)]
mod tests;

use checker::Checker;
pub(crate) use mesh::check_mesh;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::field_path::FieldPath;
use crate::object::{Kind, Object};

/// Checks `object` against every rule that needs no other object.
///
/// Rules are Istio's validation rules for its networking kinds; Kubernetes kinds have been validated by whoever
/// stored them, so nothing is asked of them here.
#[must_use]
pub fn check(object: &Object) -> Vec<Diagnostic> {
    let mut checker = Checker::new(object);
    match &object.body {
        Kind::VirtualService(spec) => virtual_service::check(spec, &mut checker),
        Kind::DestinationRule(spec) => destination_rule::check(spec, &mut checker),
        Kind::Gateway(spec) => gateway::check(spec, &mut checker),
        Kind::ServiceEntry(spec) => service_entry::check(&spec.spec, &mut checker),
        Kind::WorkloadEntry(spec) => workload_entry::check_object(spec, &mut checker),
        Kind::WorkloadGroup(spec) => workload_group::check(spec, &mut checker),
        Kind::Sidecar(spec) => sidecar::check(spec, &mut checker),
        // Read for what traffic needs of them; Istio's own rules for the rest of their fields are not applied.
        Kind::PeerAuthentication(_) => {}
        Kind::RequestAuthentication(_) => checker.problem(
            codes::PIL0014,
            &FieldPath::spec(),
            "requests are not authenticated here yet: those with a bad token are not refused, and claims are not known",
            "has no effect",
        ),
        Kind::ProxyConfig(_) => checker.problem(
            codes::PIL0014,
            &FieldPath::spec(),
            "a ProxyConfig says how Istio starts proxies; the one here is started by its command line",
            "has no effect",
        ),
        Kind::Service(_)
        | Kind::Endpoints(_)
        | Kind::EndpointSlice(_)
        | Kind::Pod(_)
        | Kind::Namespace(_)
        | Kind::Node(_)
        | Kind::Secret(_)
        | Kind::ConfigMap(_)
        | Kind::Deployment(_)
        | Kind::StatefulSet(_)
        | Kind::ReplicaSet(_)
        | Kind::DaemonSet(_) => {}
    }
    checker.finish()
}
