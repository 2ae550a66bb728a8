//! Route configurations (RDS) of sidecars.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::sidecar::EgressListener as Written;
use pilotage_model::virtual_service::GatewayRef;
use pilotage_model::{Protocol, ProxyView};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::route::v3::{Route, RouteConfiguration, VirtualHost};

use crate::egress_index::EgressIndex;
use crate::outbound_policy::{self, OutboundPolicy};
use crate::place::{Place, Services};
use crate::route_configuration::route_configuration;
use crate::virtual_hosts::{virtual_host, virtual_hosts};
use crate::{default_route, gateway_routes, proxy_headers};

/// Adds the route configurations that the listeners in `set` refer to.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    let names = set.referred_routes();
    set.routes = if view.proxy.is_sidecar() {
        of_sidecar(view, &names)
    } else {
        gateway_routes::of_gateway(view, &names)
    };
}

fn of_sidecar(
    view: &ProxyView,
    names: &BTreeSet<String>,
) -> BTreeMap<String, Arc<RouteConfiguration>> {
    let indexes: Vec<_> = view.egress.iter().map(EgressIndex::new).collect();
    let mut out = BTreeMap::new();
    for name in names {
        let wanted = Wanted::parse(name);
        let Some(index) =
            indexes.iter().find(|index| wanted.is_served_by(index.listener().written.as_deref()))
        else {
            continue;
        };
        let hosts = wanted.virtual_hosts(view, index);
        out.insert(name.clone(), Arc::new(route_configuration(name.clone(), hosts)));
    }
    out
}

/// What the name of a sidecar's route configuration asks for.
enum Wanted<'n> {
    /// All services of one port.
    Port(u16),
    /// One service on one port, where the protocol is found out per connection.
    Service { host: &'n str, port: u16 },
    /// All services of all ports, at a Unix socket or an explicit proxy port.
    Everything(&'n str),
}

impl<'n> Wanted<'n> {
    fn parse(name: &'n str) -> Self {
        if let Ok(port) = name.parse() {
            return Self::Port(port);
        }
        match name.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) => Self::Service { host, port },
            _ => Self::Everything(name),
        }
    }

    /// Whether the configuration is that of `listener`, or of the listener for everything that has none of its own.
    fn is_served_by(&self, listener: Option<&Written>) -> bool {
        let Some((listener, port)) = listener.and_then(|l| Some((l, l.port.as_ref()?))) else {
            return true;
        };
        match self {
            Self::Port(wanted) | Self::Service { port: wanted, .. } => {
                port.number == u32::from(*wanted)
            }
            Self::Everything(bind) => port.number == 0 && listener.bind == *bind,
        }
    }

    fn virtual_hosts(&self, view: &ProxyView, index: &EgressIndex<'_>) -> Vec<VirtualHost> {
        let written = index.listener().written.as_ref().and_then(|written| written.port.as_ref());
        let explicit_proxy =
            written.is_some_and(|port| Protocol::parse(&port.protocol) == Protocol::HttpProxy);
        let port = match self {
            Self::Port(port) | Self::Service { port, .. } if !explicit_proxy => *port,
            _ => 0,
        };
        let services = index.services(port);
        let place = Place {
            port: port.into(),
            gateway: GatewayRef::MESH,
            tls: false,
            view,
            services: Some(services),
        };
        if let Self::Service { host, .. } = self {
            return sniffed(host, services, &place, index);
        }
        // Only at port 80 do hosts count that are no services.
        let candidates: Vec<usize> = if port == 80 {
            (0..index.virtual_services().len()).collect()
        } else {
            index.concerning(services)
        };
        let mut hosts = virtual_hosts(&place, index, &candidates, services);
        let route = unknown_host(view, &place);
        let counts_attempts = proxy_headers::counts_attempts(view);
        let everything = vec!["*".to_owned()];
        hosts.push(virtual_host(route.name.clone(), everything, vec![route], counts_attempts));
        hosts
    }
}

/// The one virtual host of a service whose listener is its own, so that all requests are for it.
fn sniffed(
    host: &str,
    services: &Services<'_>,
    place: &Place<'_>,
    index: &EgressIndex<'_>,
) -> Vec<VirtualHost> {
    let served: Services<'_> =
        services.get(host).map(|view| (host.to_owned(), *view)).into_iter().collect();
    let mut hosts = virtual_hosts(place, index, &index.concerning_host(host), &served);
    let name = format!("{host}:{}", place.port);
    hosts.retain(|host| host.name == name);
    for host in &mut hosts {
        host.domains = vec!["*".to_owned()];
    }
    hosts
}

/// What happens to requests for hosts that are not known.
fn unknown_host(view: &ProxyView, place: &Place<'_>) -> Route {
    match outbound_policy::of(view) {
        OutboundPolicy::RegistryOnly => default_route::answer("block_all", 502),
        OutboundPolicy::AllowAny => {
            default_route::to_cluster("allow_any", "PassthroughCluster".to_owned())
        }
        OutboundPolicy::EgressProxy(to) => {
            default_route::to_cluster("allow_any", place.cluster(&to))
        }
        OutboundPolicy::AllowAnyDynamicDns => {
            let cluster = "AllowAnyDynamicDNSCluster".to_owned();
            default_route::to_cluster("allow_any_dynamic_dns", cluster)
        }
    }
}

#[cfg(test)]
mod tests;
