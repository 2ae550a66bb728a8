//! The tables that a proxy would have, made of configuration: snapshot, view, resources, tables.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use pilotage_engine::cluster::Discovery;
use pilotage_engine::{LiveState, Rejection, Tables};
use pilotage_model::{ProxyClass, ProxyView, Snapshot};
use pilotage_proto::ResourceSet;

use crate::request::Arrival;

/// What names of DNS clusters resolve to, as nobody is asked.
pub const MADE_UP_ENDPOINT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Where hosts lead that nobody knows: only what listens on all addresses of a port takes such connections.
pub const MADE_UP_HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(240, 240, 0, 1));
/// The address of proxies that have none.
const MADE_UP_PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Where clients of gateways come from.
const GATEWAY_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
/// Where clients of inbound traffic come from.
const MESH_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
/// The port that clients connect from.
const CLIENT_PORT: u16 = 40_000;

/// One proxy as configuration makes it, without sockets.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// All that the proxy sees; its `proxy` is the one asked for, completed from its workload.
    pub view: Arc<ProxyView>,
    /// Its tables. What they were made of is [`Tables::accepted`].
    pub tables: Arc<Tables>,
    /// What the engine refused; nothing unless there is a mistake in this program or in names that nobody checks.
    pub rejections: Vec<Rejection>,
}

impl Simulation {
    /// The proxy that `proxy` describes, under the configuration of `snapshot`.
    #[must_use]
    pub fn new(snapshot: &Snapshot, proxy: &ProxyClass) -> Self {
        let view = pilotage_model::view(snapshot, proxy);
        let (tables, rejections) = tables(&pilotage_compile::resources(&view));
        Self { view, tables, rejections }
    }

    /// Where a client's connection to `host` and `port` arrives: for sidecars the address that the name stands for,
    /// for gateways the port that their service leads to, inbound the workload's own port.
    #[must_use]
    pub fn arrival(&self, host: &str, port: u16, inbound: bool) -> Arrival {
        let own = self.view.proxy.addresses.first().copied().unwrap_or(MADE_UP_PROXY);
        let (client, destination) = if !self.view.proxy.is_sidecar() {
            (GATEWAY_CLIENT, SocketAddr::new(own, self.gateway_port(port)))
        } else if inbound {
            (MESH_CLIENT, SocketAddr::new(own, self.workload_port(host, port)))
        } else {
            let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
            let address = literal.or_else(|| self.tables.resolve(host)).unwrap_or(MADE_UP_HOST);
            (own, SocketAddr::new(address, port))
        };
        Arrival { client: SocketAddr::new(client, CLIENT_PORT), destination, inbound }
    }

    /// The port of the gateway's workload for a port that its clients use.
    fn gateway_port(&self, port: u16) -> u16 {
        let mut groups = self.view.gateway.groups.iter();
        let declared =
            groups.find(|group| group.servers.iter().any(|server| server.port == u32::from(port)));
        declared.map_or_else(|| self.workload_port("", port), |group| group.port)
    }

    /// The port of the workload for a port of the service at `host`, else of any service before it.
    fn workload_port(&self, host: &str, port: u16) -> u16 {
        let targets = || {
            let all = self.view.inbound.targets.iter();
            all.filter(|target| target.port.number == port && target.target_port != 0)
        };
        let first_label = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let wanted = first_label(host);
        let named = targets().find(|target| first_label(target.service.host.as_str()) == wanted);
        named.or_else(|| targets().next()).map_or(port, |target| target.target_port)
    }
}

/// The tables that the engine makes of `set`, with what it refused. Names that DNS clusters want resolved get made-up
/// addresses.
#[must_use]
pub fn tables(set: &ResourceSet) -> (Arc<Tables>, Vec<Rejection>) {
    next_tables(&Tables::empty(), set, &LiveState::new())
}

/// The same after `previous`, with live state that outlives them.
#[must_use]
pub fn next_tables(
    previous: &Tables,
    set: &ResourceSet,
    live: &LiveState,
) -> (Arc<Tables>, Vec<Rejection>) {
    let (tables, rejections) = Tables::apply(previous, set, live);
    for name in set.clusters.keys() {
        let Some(cluster) = tables.cluster(name) else { continue };
        let by_name = [Discovery::StrictDns, Discovery::LogicalDns];
        if by_name.contains(&cluster.settings.discovery) {
            for target in cluster.dns_targets() {
                cluster.resolved(target, &[IpAddr::V4(MADE_UP_ENDPOINT)]);
            }
        }
    }
    (tables, rejections)
}
