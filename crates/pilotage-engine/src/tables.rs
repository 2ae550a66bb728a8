//! The tables: everything a proxy needs to decide, compiled from one set of resources.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use foldhash::fast::FixedState;
use pilotage_proto::ResourceSet;

use crate::cluster::ClusterTable;
use crate::listener::ListenerTable;
use crate::live_state::LiveState;
use crate::names::SharedNames;
use crate::rejection::Rejection;
use crate::route_table::RouteTable;

/// One generation of routing state. Immutable; a proxy swaps the whole.
#[derive(Debug, Default)]
pub struct Tables {
    listeners: BTreeMap<Arc<str>, Arc<ListenerTable>>,
    by_address: HashMap<SocketAddr, Arc<ListenerTable>, FixedState>,
    routes: HashMap<Arc<str>, Arc<RouteTable>, FixedState>,
    clusters: HashMap<Arc<str>, Arc<ClusterTable>, FixedState>,
    names: SharedNames,
}

impl Tables {
    /// No listeners, no routes, no clusters.
    pub fn empty() -> Arc<Self> {
        Arc::default()
    }

    /// The listener called `name`.
    pub fn listener(&self, name: &str) -> Option<&Arc<ListenerTable>> {
        self.listeners.get(name)
    }

    /// All listeners by name. Those with `bind_to_port` are to be bound.
    pub fn listeners(&self) -> impl Iterator<Item = &Arc<ListenerTable>> {
        self.listeners.values()
    }

    /// The route configuration called `name`.
    pub fn route_table(&self, name: &str) -> Option<&Arc<RouteTable>> {
        self.routes.get(name)
    }

    /// The cluster called `name`.
    pub fn cluster(&self, name: &str) -> Option<&Arc<ClusterTable>> {
        self.clusters.get(name)
    }

    /// The address that a client of this proxy would reach `host` at.
    pub fn resolve(&self, host: &str) -> Option<IpAddr> {
        self.names.resolve(host)
    }
}

impl Tables {
    /// The next generation: `previous` changed to what `set` says. Each resource is taken or refused by itself; a
    /// refused one keeps its previous form, and an unchanged one is not compiled again.
    pub fn apply(
        previous: &Self,
        set: &ResourceSet,
        live: &LiveState,
    ) -> (Arc<Self>, Vec<Rejection>) {
        let _ = (previous, set, live);
        (Self::empty(), Vec::new())
    }

    /// The listener for a captured connection bound for `destination`: the one at exactly that address, else the one
    /// at any address of that port.
    pub fn listener_for_destination(&self, destination: SocketAddr) -> Option<&Arc<ListenerTable>> {
        let any = match destination.ip() {
            IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        self.by_address
            .get(&destination)
            .or_else(|| self.by_address.get(&SocketAddr::new(any, destination.port())))
    }

    /// Where a request for `authority` would go if it had been captured: for explicit proxying, where nobody says
    /// what the original destination was. The port is that of the authority; without one, 80 if the route
    /// configuration `80` names the host, else the only port whose route configuration does, else `default_port`,
    /// else 80. `None`: the host does not resolve.
    pub fn destination(&self, authority: &str, default_port: Option<u16>) -> Option<SocketAddr> {
        let _ = default_port;
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        Some(SocketAddr::new(self.resolve(host)?, port.parse().unwrap_or(80)))
    }
}
