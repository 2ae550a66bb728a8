//! `ProxyView` in, Envoy resources out: pure, deterministic, and every reference resolved.
//!
//! One module per concept, each named like the field it compiles; [`resources`] puts them together.

mod address;
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
mod header_operations;
mod http_match;
mod http_route;
mod inbound_route;
mod jwt_claims;
mod listeners;
mod locality;
mod mirrors;
mod names;
mod origin;
mod outbound_policy;
mod percentages;
mod place;
mod proto_ext;
mod proxy_headers;
mod redirect;
mod retries;
mod rewrite;
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

/// The resources of one proxy.
#[must_use]
pub fn resources(view: &ProxyView) -> ResourceSet {
    let mut set = ResourceSet { names: Arc::new(names::build(view)), ..ResourceSet::default() };
    clusters::add(view, &mut set);
    endpoints::add(view, &mut set);
    listeners::add(view, &mut set);
    routes::add(view, &mut set);
    secrets::add(view, &mut set);
    set
}
