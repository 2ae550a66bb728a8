//! Listeners of a sidecar for the traffic of its application: which service ports need which listener, and which share
//! one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use pilotage_config::sidecar::{CaptureMode, EgressListener as Written};
use pilotage_model::registry::Endpoints;
use pilotage_model::service::{Resolution, Service, ServiceAddress};
use pilotage_model::sidecar::EgressListener;
use pilotage_model::{Protocol, ProxyView, ServiceView};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::TrafficDirection;
use pilotage_proto::envoy::config::listener::v3::Listener;

use super::filter_chain::{Chain, Matches};
use super::http_connection_manager::{Http, Side};
use super::listen_addresses::listen_addresses;
use super::listener::{self, NO_PORT, Place};
use super::outbound_tcp::{Port, Rules};
use super::virtual_outbound;

/// Adds the listeners.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    let mut drafts = Drafts { view, by_place: BTreeMap::new() };
    for egress in &view.egress {
        let rules = Rules::new(view, &egress.virtual_services);
        match egress.written.as_deref().and_then(|written| Some((written, written.port.as_ref()?)))
        {
            Some((written, port)) => {
                let number = u16::try_from(port.number).unwrap_or_default();
                let protocol = Protocol::parse(&port.protocol);
                drafts.add_declared(egress, written, number, protocol, &rules);
            }
            None => drafts.add_all_ports(egress, &rules),
        }
    }
    for (place, draft) in drafts.by_place {
        let listener = draft.build(view, &place);
        set.listeners.insert(listener.name.clone(), Arc::new(listener));
    }
}

/// Whether no traffic is redirected to the proxy, so that its listeners have to be real ones.
fn is_bound(view: &ProxyView, written: Option<&Written>) -> bool {
    view.proxy.is_not_captured()
        || written.is_some_and(|written| written.capture_mode == CaptureMode::None)
}

/// The listeners as they grow.
struct Drafts<'a> {
    view: &'a ProxyView,
    by_place: BTreeMap<Place, Draft>,
}

/// A listener as it grows.
#[derive(Default)]
struct Draft {
    /// Its port was written by the user, who does not want other services there.
    is_declared: bool,
    is_bound: bool,
    http: Option<Http>,
    /// Even a single kind of traffic is told apart from others.
    is_sniffed: bool,
    tcp: Vec<Chain>,
    taken: BTreeSet<Matches>,
}

/// One service port and where it is to be reached.
struct Wanted<'a> {
    service: &'a ServiceView,
    port: Port,
    /// The address to listen on; nothing means that of the service or all.
    bind: Option<String>,
    is_bound: bool,
    is_declared: bool,
}

impl<'a> Drafts<'a> {
    /// The listener of an egress entry with a port: one port for all its services.
    fn add_declared(
        &mut self,
        egress: &'a EgressListener<Arc<ServiceView>>,
        written: &Written,
        number: u16,
        protocol: Protocol,
        rules: &Rules<'a>,
    ) {
        let is_bound = is_bound(self.view, Some(written)) || written.bind.starts_with("unix://");
        let bind = match written.bind.as_str() {
            "" if is_bound => Some(listener::loopback(self.view).to_owned()),
            "" => None,
            bind => Some(bind.to_owned()),
        };
        for service in &egress.services {
            let port = Port { number, protocol };
            let bind = bind.clone();
            self.add(&Wanted { service, port, bind, is_bound, is_declared: true }, rules);
        }
    }

    /// The listeners of an egress entry without a port: those of its services.
    fn add_all_ports(&mut self, egress: &'a EgressListener<Arc<ServiceView>>, rules: &Rules<'a>) {
        let written = egress.written.as_deref();
        let is_bound = is_bound(self.view, written);
        let bind = match written.map(|written| written.bind.as_str()).unwrap_or_default() {
            "" if is_bound => Some(listener::loopback(self.view).to_owned()),
            "" => None,
            bind => Some(bind.to_owned()),
        };
        for service in &egress.services {
            for port in &service.service.ports {
                if port.protocol == Protocol::Udp {
                    continue;
                }
                let port = Port { number: port.number, protocol: port.protocol };
                let wanted =
                    Wanted { service, port, bind: bind.clone(), is_bound, is_declared: false };
                if bind.is_none() && is_per_endpoint(service, port.protocol) {
                    self.add_per_endpoint(&wanted, rules);
                } else {
                    self.add(&wanted, rules);
                }
            }
        }
    }

    /// Listeners for the endpoints of a service without addresses, whose clients dial the endpoints. One that nothing
    /// is known about gets a listener for all addresses.
    fn add_per_endpoint(&mut self, wanted: &Wanted<'a>, rules: &Rules<'a>) {
        let service = &wanted.service.service;
        let addresses = endpoint_addresses(service, &wanted.service.endpoints, wanted.port.number);
        if addresses.is_empty() && !service.is_kubernetes() && service.selector.is_empty() {
            self.add(wanted, rules);
            return;
        }
        for address in addresses {
            // What the workload sends to itself does not pass the proxy.
            if self.view.proxy.addresses.first() == Some(&address) {
                continue;
            }
            let bind = Some(address.to_string());
            self.add(&Wanted { bind, ..*wanted }, rules);
        }
    }

    fn add(&mut self, wanted: &Wanted<'a>, rules: &Rules<'a>) {
        let service = &wanted.service.service;
        if matches!(service.resolution, Resolution::Alias(_)) {
            return;
        }
        let wildcard = listener::wildcard(self.view);
        if let Some(bind) = &wanted.bind {
            self.add_at(wanted, bind, None, rules);
        } else if wanted.port.protocol.is_http() {
            self.add_at(wanted, wildcard, None, rules);
        } else {
            let addresses = listen_addresses(self.view, service);
            if addresses.is_empty() {
                self.add_at(wanted, wildcard, None, rules);
            }
            for address in addresses {
                match address {
                    ServiceAddress::Ip(ip) => self.add_at(wanted, &ip.to_string(), None, rules),
                    // A range shares the listener for all addresses, with a condition on the address.
                    ServiceAddress::Cidr(range) => {
                        self.add_at(wanted, wildcard, Some(&range), rules);
                    }
                }
            }
        }
    }

    fn add_at(&mut self, wanted: &Wanted<'a>, bind: &str, range: Option<&str>, rules: &Rules<'a>) {
        let view = self.view;
        let place = Place { bind: bind.to_owned(), port: wanted.port.number };
        let is_wildcard = bind == listener::wildcard(view);
        let draft = match self.by_place.entry(place.clone()) {
            Entry::Occupied(entry) if entry.get().is_declared && !wanted.is_declared => return,
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Draft {
                is_declared: wanted.is_declared,
                is_bound: wanted.is_bound,
                ..Draft::default()
            }),
        };
        let protocol = wanted.port.protocol;
        if protocol.is_http() || protocol.is_auto() {
            draft.add_http(wanted, &place, is_wildcard);
        }
        if !protocol.is_http() {
            let chains = rules.chains(wanted.service, wanted.port, range, is_wildcard);
            draft.add_tcp(chains);
        }
    }
}

impl Draft {
    /// Adds the requests for a service. The services of a port share one route configuration; only one whose protocol
    /// is found out and that has an address of its own has its own.
    fn add_http(&mut self, wanted: &Wanted<'_>, place: &Place, is_wildcard: bool) {
        let service = &wanted.service.service;
        let Port { number, protocol } = wanted.port;
        let has_own_routes = protocol.is_auto() && !is_wildcard;
        self.is_sniffed |= protocol.is_auto() || (is_wildcard && protocol != Protocol::HttpProxy);
        if self.http.is_none() || (has_own_routes && self.tcp.is_empty()) {
            let routes = if place.port == NO_PORT {
                place.bind.clone()
            } else if has_own_routes {
                format!("{}:{number}", service.host)
            } else {
                number.to_string()
            };
            let mut http = Http::named(Side::Outbound, routes, protocol);
            http.stat_prefix = format!("outbound_{};", place.name());
            self.http = Some(http);
        }
        if let Some(http) = &mut self.http
            && service.resolution == Resolution::DynamicDns
        {
            http.dynamic_host.get_or_insert_with(|| service.host.as_str().to_owned());
        }
    }

    /// Adds chains, unless an older service took their connections.
    fn add_tcp(&mut self, chains: Vec<Chain>) {
        let mut new = Vec::new();
        for chain in chains {
            if !self.taken.contains(&chain.matches.canonical()) {
                new.push(chain);
            }
        }
        // The chains of one service do not shut each other out.
        self.taken.extend(new.iter().map(|chain| chain.matches.canonical()));
        self.tcp.extend(new);
    }

    fn build(self, view: &ProxyView, place: &Place) -> Listener {
        let mut chains = self.tcp;
        if let Some(http) = &self.http {
            let told_apart = self.is_sniffed || !chains.is_empty();
            let matches = if told_apart { Matches::plain_http() } else { Matches::default() };
            chains.push(Chain::new(matches, vec![http.filter(view)]));
        }
        for chain in &mut chains {
            chain.limits_handshake = true;
        }
        let mut listener = place.listener(TrafficDirection::Outbound);
        if !self.is_bound {
            listener.bind_to_port = Some(false);
        } else {
            listener.max_connections_to_accept_per_socket_event = Some(1);
        }
        let is_http = self.http.is_some();
        set_fallback(&mut listener, view, chains);
        if is_http {
            listener::limit_inspection(&mut listener, view);
        } else {
            listener::await_inspection(&mut listener);
        }
        listener::inspect(&mut listener);
        listener
    }
}

/// Distributes the chains: the one without conditions is the last resort when there are others; where there is none,
/// connections that no chain takes are treated like those to unknown hosts.
fn set_fallback(listener: &mut Listener, view: &ProxyView, chains: Vec<Chain>) {
    let mut chains: Vec<_> = chains.into_iter().map(Chain::build).collect();
    match chains.iter().position(|chain| chain.filter_chain_match.is_none()) {
        Some(at) if chains.len() > 1 => listener.default_filter_chain = Some(chains.remove(at)),
        Some(_) => {}
        None => listener.default_filter_chain = Some(virtual_outbound::fallback_chain(view)),
    }
    listener.filter_chains = chains;
}

/// Whether clients of the service dial its endpoints, and the protocol does not name the host.
fn is_per_endpoint(service: &ServiceView, protocol: Protocol) -> bool {
    let service = &service.service;
    service.resolution == Resolution::Passthrough
        && service.addresses.is_empty()
        && (protocol.is_tcp_like() || protocol.is_auto())
}

/// The addresses of a port's endpoints, each once. Endpoints that are names have no listener.
fn endpoint_addresses(service: &Service, endpoints: &Endpoints, port: u16) -> Vec<IpAddr> {
    let Some(port) = service.port(port) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let of_port = endpoints.all.iter().filter(|endpoint| {
        endpoint.service_port_name == port.name
            && endpoint.service_port.is_none_or(|number| number == port.number)
    });
    of_port.filter_map(|endpoint| endpoint.address.ip()).filter(|ip| seen.insert(*ip)).collect()
}
