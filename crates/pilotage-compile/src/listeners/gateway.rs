//! Listeners of a gateway: for each address and port the chains of the servers there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use pilotage_config::gateway::ServerTlsMode;
use pilotage_config::virtual_service::{L4MatchAttributes, TlsMatchAttributes};
use pilotage_model::gateway::{MergedServer, ServerGroup};
use pilotage_model::virtual_service::VirtualService;
use pilotage_model::{Host, Origin, Protocol, ProxyView};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::TrafficDirection;
use pilotage_proto::envoy::config::listener::v3::{Filter, Listener};

use super::filter_chain::{Chain, MESH_PROTOCOLS, Matches};
use super::http_connection_manager::{Http, Side};
use super::listener::{self, NO_PORT, Place, wildcard};
use super::server_tls::{Inside, server_tls};
use super::tcp_proxy::{TcpPlace, cluster_filter};
use crate::clusters::names;
use crate::origin;

/// Adds the listeners. One without chains would take connections and close them; there is none then.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    let mut building = Building { view, claimed_names: BTreeMap::new() };
    let mut by_place: BTreeMap<Place, Vec<Chain>> = BTreeMap::new();
    for group in &view.gateway.groups {
        let bind = if group.bind.is_empty() { wildcard(view) } else { &group.bind };
        let port = if bind.starts_with("unix://") { NO_PORT } else { group.port };
        let chains = building.chains(group);
        by_place.entry(Place { bind: bind.to_owned(), port }).or_default().extend(chains);
    }
    for (place, chains) in by_place {
        if !chains.is_empty() {
            let listener = build(view, &place, chains);
            set.listeners.insert(listener.name.clone(), Arc::new(listener));
        }
    }
}

fn build(view: &ProxyView, place: &Place, chains: Vec<Chain>) -> Listener {
    let mut listener = place.listener(TrafficDirection::Outbound);
    listener.max_connections_to_accept_per_socket_event = Some(1);
    listener.filter_chains =
        chains.into_iter().map(|chain| Chain { limits_handshake: true, ..chain }.build()).collect();
    let topology = view.mesh.proxy_config().and_then(|config| config.gateway_topology.as_ref());
    if topology.is_some_and(|topology| topology.proxy_protocol.is_some()) {
        listener.listener_filters.push(listener::proxy_protocol());
    }
    listener::inspect(&mut listener);
    listener
}

struct Building<'a> {
    view: &'a ProxyView,
    /// Server names that passthrough chains of a port take, with the address of the last server that claimed them.
    claimed_names: BTreeMap<(u16, String), String>,
}

impl<'a> Building<'a> {
    fn chains(&mut self, group: &'a ServerGroup) -> Vec<Chain> {
        if group.protocol.is_http() {
            // All plain HTTP servers of the group share one route configuration.
            return group
                .servers
                .first()
                .and_then(|server| self.http_chain(server))
                .into_iter()
                .collect();
        }
        let mut chains = Vec::new();
        for server in &group.servers {
            if server.is_http() {
                chains.extend(self.http_chain(server));
            } else if server.is_passthrough() {
                chains.extend(self.passthrough_chains(group, server));
            } else {
                chains.extend(self.tcp_chain(server));
            }
        }
        chains
    }

    /// Requests, after TLS where the server has it.
    fn http_chain(&self, server: &MergedServer) -> Option<Chain> {
        let routes = server.route_name.as_deref()?;
        let mut http = Http::named(Side::Gateway, routes, server.protocol);
        http.stat_prefix = format!("outbound_{routes};");
        Some(self.terminated(server, Inside::Http, vec![http.filter(self.view)]))
    }

    /// Connections by the tcp rules of virtual services, after TLS where the server has it. Without a rule there is
    /// nowhere to go, and no chain.
    fn tcp_chain(&self, server: &'a MergedServer) -> Option<Chain> {
        let (filters, from) = self.bound_to(server).find_map(|service| {
            let rule = service.tcp.iter().find(|rule| {
                let blocks = &rule.rule.match_;
                blocks.is_empty() || blocks.iter().any(|block| matches_tcp(block, server))
            })?;
            let filters = place(self.view, server).to_route(&rule.rule.route, service);
            Some((filters, &rule.origin))
        })?;
        let mut chain = self.terminated(server, Inside::Tcp, filters);
        chain.metadata = Some(origin::metadata(from, from, None));
        Some(chain)
    }

    /// A chain for the server's names and with its certificate; for everything at a plain server.
    fn terminated(&self, server: &MergedServer, inside: Inside, filters: Vec<Filter>) -> Chain {
        let Some(tls) = server.spec.tls.as_ref().filter(|_| server.is_tls()) else {
            return Chain::new(Matches::default(), filters);
        };
        let matches = Matches { server_names: server.host_names(), ..Matches::default() };
        Chain {
            tls: Some(server_tls(tls, &self.view.mesh, inside)),
            ..Chain::new(matches, filters)
        }
    }

    /// TLS that goes on: to the destination that the server name spells out, or by the tls rules of virtual services.
    fn passthrough_chains(&mut self, group: &ServerGroup, server: &'a MergedServer) -> Vec<Chain> {
        let mode = server.spec.tls.as_ref().map(|tls| tls.mode).unwrap_or_default();
        if mode == ServerTlsMode::AutoPassthrough {
            return self.spelled_out_chains(server);
        }
        let services: Vec<_> = self.bound_to(server).collect();
        let mut chains = Vec::new();
        for service in services {
            for rule in &service.tls {
                for block in &rule.rule.match_ {
                    if matches_tls(block, server)
                        && self.claim(group.port, &server.spec.bind, &block.sni_hosts)
                    {
                        let place = place(self.view, server);
                        let filters = place.to_route(&rule.rule.route, service);
                        chains.push(by_name(&block.sni_hosts, filters, &rule.origin));
                    }
                }
            }
        }
        chains
    }

    /// Whether none of `names` is taken at this address and port; then they are from now on.
    fn claim(&mut self, port: u16, bind: &str, names: &[String]) -> bool {
        let key = |name: &String| (port, name.clone());
        let is_taken =
            |name: &String| self.claimed_names.get(&key(name)).is_some_and(|b| b == bind);
        if names.iter().any(is_taken) {
            return false;
        }
        for name in names {
            match self.claimed_names.entry(key(name)) {
                Entry::Occupied(mut entry) => bind.clone_into(entry.get_mut()),
                Entry::Vacant(entry) => bind.clone_into(entry.insert(String::new())),
            }
        }
        true
    }

    /// A chain for each cluster of the mesh's own services, known by the server name that proxies of the mesh use
    /// between networks.
    fn spelled_out_chains(&self, server: &MergedServer) -> Vec<Chain> {
        let hosts: Vec<Host> = server.host_names().iter().map(|name| Host::new(name)).collect();
        let mut chains = Vec::new();
        for service in self.view.clusters.iter().filter(|view| !view.service.mesh_external) {
            let host = &service.service.host;
            if !hosts.is_empty() && !hosts.iter().any(|wanted| host.subset_of(wanted)) {
                continue;
            }
            let subsets = service.rule.as_ref().map(|rule| rule.subsets.as_slice());
            let subsets =
                subsets.unwrap_or_default().iter().map(|(subset, _)| subset.name.as_str());
            let subsets: Vec<&str> = std::iter::once("").chain(subsets).collect();
            for port in service.service.ports.iter().filter(|p| p.protocol != Protocol::Udp) {
                for subset in &subsets {
                    let cluster = names::sni(port.number, subset, host.as_str());
                    let matches = Matches {
                        server_names: vec![cluster.clone()],
                        application_protocols: MESH_PROTOCOLS.to_vec(),
                        ..Matches::default()
                    };
                    chains.push(Chain::new(matches, vec![cluster_filter(self.view, &cluster)]));
                }
            }
        }
        chains
    }

    /// The virtual services that name the server's object and have a host in common with the server, in order of
    /// precedence.
    fn bound_to(
        &self,
        server: &'a MergedServer,
    ) -> impl Iterator<Item = &'a VirtualService> + use<'a> {
        let gateway = server.gateway_name();
        let services = self.view.gateway_virtual_services.iter().map(Arc::as_ref);
        services.filter(move |service| {
            service.is_for_gateway(&gateway)
                && service.hosts.iter().any(|host| is_served(host, service, server))
        })
    }
}

fn place<'a>(view: &'a ProxyView, server: &MergedServer) -> TcpPlace<'a> {
    let port = u16::try_from(server.port).unwrap_or_default();
    TcpPlace { view, port, protocol: server.protocol }
}

fn by_name(names: &[String], filters: Vec<Filter>, from: &Origin) -> Chain {
    let matches = Matches { server_names: names.to_vec(), ..Matches::default() };
    Chain { metadata: Some(origin::metadata(from, from, None)), ..Chain::new(matches, filters) }
}

/// Whether a host of a virtual service and one of the server can mean the same.
fn is_served(host: &Host, service: &VirtualService, server: &MergedServer) -> bool {
    server.hosts.iter().any(|served| match served.split_once('/') {
        Some((namespace, name)) => {
            *namespace == *service.namespace && Host::new(name).matches(host)
        }
        None => Host::new(served).matches(host),
    })
}

/// At gateways only port and gateway of a block count; the rest says what sidecars do.
fn matches_tcp(block: &L4MatchAttributes, server: &MergedServer) -> bool {
    matches(block.port, &block.gateways, server)
}

fn matches_tls(block: &TlsMatchAttributes, server: &MergedServer) -> bool {
    matches(block.port, &block.gateways, server)
}

fn matches(port: u32, gateways: &[String], server: &MergedServer) -> bool {
    (port == 0 || port == server.port)
        && (gateways.is_empty() || gateways.contains(&server.gateway_name()))
}
