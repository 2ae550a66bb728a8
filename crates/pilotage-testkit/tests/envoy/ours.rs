//! Our proxy, from the bootstrap that Envoy gets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use pilotage_engine::{LiveState, Severity, Tables};
use pilotage_proto::json;
use pilotage_proxy::bootstrap::Bootstrap;
use pilotage_proxy::{Proxy, ProxyConfig, ProxyHandle};
use pilotage_testkit::differential::Bed;

/// Starts it; says where each listener is bound.
pub(crate) fn start(bed: &Bed, workers: usize) -> (ProxyHandle, BTreeMap<String, SocketAddr>) {
    let (bootstrap, problems) = Bootstrap::read(&json::from_value(&bed.bootstrap()).unwrap());
    assert!(problems.is_empty(), "{problems:#?}");
    let live = Arc::new(LiveState::new());
    let (tables, rejections) = Tables::apply(&Tables::empty(), &bootstrap.resources, &live);
    let refused: Vec<_> = rejections.iter().filter(|r| r.severity == Severity::Rejected).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let config = ProxyConfig { workers, ..bootstrap.proxy_config() };
    let handle = Proxy::start(config, Arc::new(ArcSwap::from(tables)), live).unwrap();
    let bound = handle.listeners().into_iter().map(|l| (l.name.to_string(), l.bound)).collect();
    (handle, bound)
}
