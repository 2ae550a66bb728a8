//! Virtual hosts of a sidecar's route configuration: which rules a host gets, and under which domains.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use pilotage_model::service::{Resolution, ServicePort};
use pilotage_model::virtual_service::VirtualService;
use pilotage_model::{Host, ServiceView};
use pilotage_proto::envoy::config::route::v3::{Route, VirtualHost};

use crate::domains::{Claims, PortSuffix, bracketed};
use crate::egress_index::EgressIndex;
use crate::place::{Place, Services, outbound_cluster};
use crate::{consistent_hash, default_route, http_route, proxy_headers};

/// Hosts that get the same routes on one port.
struct Group<'a> {
    port: u16,
    /// Hosts of a virtual service that are no services here.
    hosts: Vec<&'a str>,
    services: Vec<&'a ServiceView>,
    routes: Rc<Vec<Route>>,
}

/// The virtual hosts of the services in `served`, ordered by name.
///
/// First come the virtual services, oldest first: the first that has routes here for a host has that host for itself.
/// Then every service that is left gets a route to itself.
pub(crate) fn virtual_hosts(
    place: &Place<'_>,
    index: &EgressIndex<'_>,
    candidates: &[usize],
    served: &Services<'_>,
) -> Vec<VirtualHost> {
    let mut groups = Vec::new();
    let mut ruled = BTreeSet::new();
    for position in candidates {
        let Some(service) = index.virtual_services().get(*position) else { continue };
        let routes = Rc::new(http_route::routes(service, place));
        if routes.is_empty() {
            continue;
        }
        for group in groups_of(*position, service, index, served, place.port, &routes) {
            ruled.extend(group.services.iter().map(|view| view.service.host.as_str()));
            groups.push(group);
        }
    }
    for view in served.values().filter(|view| !ruled.contains(view.service.host.as_str())) {
        groups.extend(defaults(view, place));
    }
    let mut hosts = render(groups, place);
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    hosts
}

/// The hosts of a virtual service, by port.
fn groups_of<'a>(
    position: usize,
    service: &'a VirtualService,
    index: &EgressIndex<'_>,
    served: &Services<'a>,
    listener_port: u32,
    routes: &Rc<Vec<Route>>,
) -> Vec<Group<'a>> {
    let (hosts, services) = split_hosts(position, service, index, served);
    let mut by_port: BTreeMap<u16, Vec<&ServiceView>> = BTreeMap::new();
    for view in services {
        for port in http_ports(view, listener_port) {
            by_port.entry(port.number).or_default().push(view);
        }
    }
    // Hosts that are no services have no port; theirs is the usual one.
    if by_port.is_empty() && listener_port == 80 {
        by_port.insert(80, Vec::new());
    }
    by_port
        .into_iter()
        .map(|(port, services)| Group {
            port,
            hosts: hosts.clone(),
            services,
            routes: Rc::clone(routes),
        })
        .collect()
}

/// The hosts of a virtual service that are no services here, and the services it decides about: those it names, and
/// of those that a wildcard covers the ones no other virtual service is closer to.
fn split_hosts<'a>(
    position: usize,
    service: &'a VirtualService,
    index: &EgressIndex<'_>,
    served: &Services<'a>,
) -> (Vec<&'a str>, Vec<&'a ServiceView>) {
    let (mut hosts, mut services) = (Vec::new(), Vec::new());
    let (wildcards, exact): (Vec<&Host>, Vec<&Host>) =
        service.mesh_hosts.iter().partition(|host| host.is_wildcard());
    for host in exact {
        match served.get(host.as_str()) {
            Some(view) => services.push(*view),
            None => hosts.push(host.as_str()),
        }
    }
    for wildcard in wildcards {
        let mut covers_any = false;
        for (host, view) in served {
            if wildcard.matches(&Host::new(host)) {
                covers_any = true;
                if index.owner(host) == Some(position) {
                    services.push(*view);
                }
            }
        }
        if !covers_any {
            hosts.push(wildcard.as_str());
        }
    }
    (hosts, services)
}

/// The ports of a service on which HTTP rules can apply, at a listener of `listener_port` (0: all ports).
fn http_ports(view: &ServiceView, listener_port: u32) -> impl Iterator<Item = &ServicePort> {
    let here =
        move |port: &&ServicePort| listener_port == 0 || u32::from(port.number) == listener_port;
    let http = |port: &&ServicePort| port.protocol.is_http() || port.protocol.is_auto();
    view.service.ports.iter().filter(here).filter(http)
}

/// What a service without rules gets on each of its ports. An alias gets nothing: its target has its names.
fn defaults<'a>(view: &'a ServiceView, place: &Place<'_>) -> Vec<Group<'a>> {
    if matches!(view.service.resolution, Resolution::Alias(_)) {
        return Vec::new();
    }
    let host = view.service.host.as_str().to_ascii_lowercase();
    let group = |port: &ServicePort| {
        let hash = view.rule.as_deref().and_then(|r| consistent_hash::of_service(r, port.number));
        let cluster = outbound_cluster(port.number.into(), "", &host);
        let operation = format!("{host}:{}/*", port.number);
        let route = default_route::to_service(cluster, operation, hash, place.mesh_retries());
        Group {
            port: port.number,
            hosts: Vec::new(),
            services: vec![view],
            routes: Rc::new(vec![route]),
        }
    };
    http_ports(view, place.port).map(group).collect()
}

/// The virtual hosts of all groups; of several with one name or domain the first has it.
fn render(groups: Vec<Group<'_>>, place: &Place<'_>) -> Vec<VirtualHost> {
    let mut claims = Claims::default();
    for view in groups.iter().flat_map(|group| &group.services) {
        claims.reserve(&view.service.host.as_str().to_ascii_lowercase());
    }
    let counts_attempts = proxy_headers::counts_attempts(place.view);
    let mut names = HashSet::new();
    let mut out = Vec::new();
    for Group { port, hosts, services, routes } in groups {
        let ports = match place.port {
            0 => PortSuffix::of_shared_listener(port),
            _ => PortSuffix::None,
        };
        let mut own: Vec<(String, Vec<String>)> = Vec::new();
        for host in hosts {
            let name = format!("{}:{port}", bracketed(host));
            if names.insert(name.clone()) {
                own.push((name, claims.of_host(host, ports)));
            }
        }
        for view in services {
            let host = view.service.host.as_str().to_ascii_lowercase();
            let name = format!("{host}:{port}");
            if names.insert(name.clone()) {
                own.push((name, claims.of_service(&view.service, place.proxy(), ports)));
            }
        }
        own.retain(|(_, domains)| !domains.is_empty());
        let Some((name, domains)) = own.pop() else { continue };
        for (name, domains) in own {
            out.push(virtual_host(name, domains, routes.to_vec(), counts_attempts));
        }
        // Most groups are one host, which need not have a copy.
        let routes = Rc::unwrap_or_clone(routes);
        out.push(virtual_host(name, domains, routes, counts_attempts));
    }
    out
}

/// A virtual host as all of ours are.
pub(crate) fn virtual_host(
    name: String,
    domains: Vec<String>,
    mut routes: Vec<Route>,
    counts_attempts: bool,
) -> VirtualHost {
    // It is kept as long as the rules stay what they are.
    routes.shrink_to_fit();
    VirtualHost {
        name,
        domains,
        routes,
        include_request_attempt_count: counts_attempts,
        ..VirtualHost::default()
    }
}
