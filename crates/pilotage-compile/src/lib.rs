//! `ProxyView` in, Envoy resources out: pure, deterministic, and every reference resolved.
//!
//! One module per concept, each named like the field it compiles; [`resources`] puts them together.

mod address;
mod clusters;
mod endpoints;
mod listeners;
mod locality;
mod names;
mod origin;
mod proto_ext;
mod routes;
mod secrets;

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
    set
}
