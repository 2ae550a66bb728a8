//! `ProxyView` in, Envoy resources out: pure, deterministic, and every reference resolved.
//!
//! One module per concept, each named like the field it compiles; [`resources`] puts them together.

mod address;
mod auto_passthrough;
mod clusters;
mod consistent_hash;
mod cors;
mod default_route;
mod direct_response;
mod dns_cache;
mod domains;
mod egress_index;
mod endpoints;
mod faults;
mod gateway_routes;
mod header_names;
mod header_operations;
mod http_match;
mod http_route;
mod inbound_route;
pub mod jwt_claims;
mod listeners;
mod local_cluster;
mod locality;
mod mirrors;
mod names;
mod origin;
mod outbound_policy;
mod percentages;
mod place;
mod previous;
mod proto_ext;
mod proxy_headers;
mod redirect;
mod retries;
mod rewrite;
mod route_configuration;
mod routes;
mod secrets;
mod string_match;
#[cfg(test)]
mod testing;
mod timeouts;
mod virtual_hosts;

use std::sync::Arc;

use pilotage_model::ProxyView;
use pilotage_proto::ResourceSet;

use self::previous::Kept;
pub use self::previous::Previous;

/// The resources of one proxy.
#[must_use]
pub fn resources(view: &ProxyView) -> ResourceSet {
    compile(view, None)
}

/// The same, in less time: what cannot have changed since `previous` is taken from there, and what turns out to be
/// equal is the very same.
#[must_use]
pub fn resources_after(previous: Previous<'_>, view: &ProxyView) -> ResourceSet {
    let set = compile(view, Kept::of(previous, view).as_ref());
    previous::shared(previous.resources, set)
}

fn compile(view: &ProxyView, kept: Option<&Kept<'_>>) -> ResourceSet {
    let names = match kept.filter(|kept| kept.names) {
        Some(kept) => Arc::clone(&kept.resources.names),
        None => Arc::new(names::build(view)),
    };
    let mut set = ResourceSet { names, ..ResourceSet::default() };
    clusters::add(view, kept, &mut set);
    endpoints::add(view, kept, &mut set);
    local_cluster::add(view, &mut set);
    match kept.filter(|kept| kept.listeners) {
        Some(kept) => set.listeners.clone_from(&kept.resources.listeners),
        None => listeners::add(view, &mut set),
    }
    match kept.filter(|kept| kept.routes) {
        Some(kept) => set.routes.clone_from(&kept.resources.routes),
        None => routes::add(view, &mut set),
    }
    secrets::add(view, &mut set);
    set
}
