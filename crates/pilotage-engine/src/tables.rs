//! The tables: everything a proxy needs to decide, compiled from one set of resources.

mod apply;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use foldhash::fast::FixedState;
use pilotage_proto::ResourceSet;

use crate::cluster::ClusterTable;
use crate::domains::split_port;
use crate::listener::ListenerTable;
use crate::names::Names;
use crate::route_table::RouteTable;
use crate::secrets::Secret;

/// One generation of routing state. Immutable; a proxy swaps the whole.
#[derive(Debug, Default)]
pub struct Tables {
    /// The resources in force: those that were accepted, each in its last accepted version.
    accepted: ResourceSet,
    listeners: BTreeMap<Arc<str>, Arc<ListenerTable>>,
    by_address: HashMap<SocketAddr, Arc<ListenerTable>, FixedState>,
    routes: HashMap<Arc<str>, Arc<RouteTable>, FixedState>,
    clusters: HashMap<Arc<str>, Arc<ClusterTable>, FixedState>,
    secrets: BTreeMap<Arc<str>, Arc<Secret>>,
    names: Arc<Names>,
}

impl Tables {
    /// No listeners, no routes, no clusters.
    pub fn empty() -> Arc<Self> {
        Arc::default()
    }

    /// The resources in force.
    pub fn accepted(&self) -> &ResourceSet {
        &self.accepted
    }

    /// The listener called `name`.
    pub fn listener(&self, name: &str) -> Option<&Arc<ListenerTable>> {
        self.listeners.get(name)
    }

    /// All listeners by name. Those with `bind_to_port` are to be bound.
    pub fn listeners(&self) -> impl Iterator<Item = &Arc<ListenerTable>> {
        self.listeners.values()
    }

    /// The listener for a captured connection bound for `destination`: the one at exactly that address, else the one
    /// at any address of that port.
    pub fn listener_for_destination(&self, destination: SocketAddr) -> Option<&Arc<ListenerTable>> {
        let any = match destination.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.by_address
            .get(&destination)
            .or_else(|| self.by_address.get(&SocketAddr::new(any, destination.port())))
    }

    /// The route configuration called `name`.
    pub fn route_table(&self, name: &str) -> Option<&Arc<RouteTable>> {
        self.routes.get(name)
    }

    /// All route configurations, ordered by name.
    pub fn route_tables(&self) -> impl Iterator<Item = &Arc<RouteTable>> {
        self.accepted.routes.keys().filter_map(|name| self.routes.get(name.as_str()))
    }

    /// The cluster called `name`.
    pub fn cluster(&self, name: &str) -> Option<&Arc<ClusterTable>> {
        self.clusters.get(name)
    }

    /// All clusters, ordered by name.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<ClusterTable>> {
        self.accepted.clusters.keys().filter_map(|name| self.clusters.get(name.as_str()))
    }

    /// The secret called `name`.
    pub fn secret(&self, name: &str) -> Option<&Arc<Secret>> {
        self.secrets.get(name)
    }

    /// The address that a client of this proxy would reach `host` at.
    pub fn resolve(&self, host: &str) -> Option<IpAddr> {
        self.names.resolve(host)
    }

    /// The name to ask DNS for when `host`, for which there is no address here, is another name of it.
    pub fn canonical_name<'a>(&'a self, host: &'a str) -> &'a str {
        self.names.canonical(host)
    }

    /// Where a request for `authority` would go if it had been captured: for explicit proxying, where nobody says
    /// what the original destination was. The port is that of the authority; without one, 80 if the route
    /// configuration `80` names the host, else the only port whose route configuration does, else `default_port`,
    /// else 80. `None`: the host does not resolve.
    pub fn destination(&self, authority: &str, default_port: Option<u16>) -> Option<SocketAddr> {
        let (host, port) = split_port(authority);
        let address = self.resolve(host)?;
        let port = match port {
            Some(port) => port.parse().ok()?,
            None => self.port_of(host).or(default_port).unwrap_or(80),
        };
        Some(SocketAddr::new(address, port))
    }

    /// The port whose route configuration names `host`: 80 before all others, else the only one.
    fn port_of(&self, host: &str) -> Option<u16> {
        let mut only = None;
        for name in self.accepted.routes.keys() {
            // Route configurations are called `port`, or `host:port` where one service has the port to itself.
            let (service, port) = split_port(name);
            let (named, port) = match port {
                Some(port) => (service.eq_ignore_ascii_case(host), port),
                None => {
                    (self.route_table(name).is_some_and(|table| table.names(host)), name.as_str())
                }
            };
            let Some(port) = port.parse::<u16>().ok().filter(|_| named) else { continue };
            if port == 80 {
                return Some(port);
            }
            if only.replace(port).is_some_and(|other| other != port) {
                only = Some(0);
            }
        }
        only.filter(|port| *port != 0)
    }
}
