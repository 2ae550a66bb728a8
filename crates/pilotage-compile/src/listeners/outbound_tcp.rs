//! Filter chains of a sidecar for traffic that is not read as HTTP: by virtual services' tls and tcp rules, else to the
//! service itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::virtual_service::{L4MatchAttributes, TlsMatchAttributes};
use pilotage_model::labels::{Labels, selects};
use pilotage_model::virtual_service::{GatewayRef, VirtualService};
use pilotage_model::{Host, Origin, Protocol, ProxyView, ServiceView};

use super::filter_chain::{Chain, Matches};
use super::listen_addresses::listen_addresses;
use super::tcp_proxy::TcpPlace;
use crate::origin;

/// The port of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// Its number.
    pub(crate) number: u16,
    /// What it was declared to speak.
    pub(crate) protocol: Protocol,
}

/// The virtual services with tls or tcp rules that a sidecar imports, found by host.
pub(crate) struct Rules<'a> {
    view: &'a ProxyView,
    services: Vec<&'a VirtualService>,
    exact: BTreeMap<&'a Host, Vec<usize>>,
    wildcards: Vec<usize>,
}

impl<'a> Rules<'a> {
    /// Indexes those of `services`, which are in order of precedence.
    pub(crate) fn new(view: &'a ProxyView, services: &'a [Arc<VirtualService>]) -> Self {
        let with_rules = services.iter().filter(|s| !s.tls.is_empty() || !s.tcp.is_empty());
        let services: Vec<&VirtualService> = with_rules.map(Arc::as_ref).collect();
        let mut exact: BTreeMap<&Host, Vec<usize>> = BTreeMap::new();
        let mut wildcards = Vec::new();
        for (at, service) in services.iter().enumerate() {
            if service.mesh_hosts.iter().any(Host::is_wildcard) {
                wildcards.push(at);
            }
            for host in service.mesh_hosts.iter().filter(|host| !host.is_wildcard()) {
                exact.entry(host).or_default().push(at);
            }
        }
        Self { view, services, exact, wildcards }
    }

    /// The virtual services that concern `host`, in order of precedence. All of them count, not only the first.
    fn concerning(&self, host: &Host) -> Vec<&'a VirtualService> {
        if host.is_wildcard() {
            let matching =
                |service: &&&VirtualService| service.mesh_hosts.iter().any(|h| h.matches(host));
            return self.services.iter().filter(matching).copied().collect();
        }
        let mut found: BTreeSet<usize> =
            self.exact.get(host).into_iter().flatten().copied().collect();
        found.extend(self.wildcards.iter().copied().filter(|at| {
            let service = self.services.get(*at);
            service.is_some_and(|service| service.mesh_hosts.iter().any(|h| h.matches(host)))
        }));
        found.into_iter().filter_map(|at| self.services.get(at).copied()).collect()
    }

    /// The chains for one port of a service, at a listener for all addresses or for the service's own. With `range`
    /// they take only what was sent to these addresses.
    pub(crate) fn chains(
        &self,
        service: &ServiceView,
        port: Port,
        range: Option<&str>,
        is_wildcard: bool,
    ) -> Vec<Chain> {
        let rules = self.concerning(&service.service.host);
        let building = Building { view: self.view, service, port, range };
        if port.protocol.is_tls() {
            building.tls_chains(&rules, is_wildcard)
        } else {
            building.tcp_chains(&rules)
        }
    }
}

/// Chains for one port of a service.
struct Building<'a> {
    view: &'a ProxyView,
    service: &'a ServiceView,
    port: Port,
    range: Option<&'a str>,
}

impl<'a> Building<'a> {
    fn place(&self) -> TcpPlace<'a> {
        TcpPlace { view: self.view, port: self.port.number, protocol: self.port.protocol }
    }

    fn range(&self) -> BTreeSet<String> {
        self.range.map(str::to_owned).into_iter().collect()
    }

    /// One chain for each block of a tls rule that can match; without any, the service itself, told apart by its name
    /// where the listener does not do it by address.
    fn tls_chains(&self, rules: &[&'a VirtualService], is_wildcard: bool) -> Vec<Chain> {
        let mut chains = Vec::new();
        let mut destinations = self.range();
        let mut handled = BTreeSet::new();
        for service in rules {
            for rule in &service.tls {
                let blocks = rule.rule.match_.iter();
                for block in blocks.filter(|block| self.may_match_tls(block)) {
                    // As in Istio, these stay for blocks that have none.
                    if !block.destination_subnets.is_empty() {
                        destinations = block.destination_subnets.iter().cloned().collect();
                    }
                    // An equal block cannot be reached.
                    if handled.insert((&block.sni_hosts, &block.destination_subnets)) {
                        let matches = Matches {
                            server_names: block.sni_hosts.clone(),
                            destinations: destinations.clone(),
                            ..Matches::default()
                        };
                        let filters = self.place().to_route(&rule.rule.route, service);
                        chains.push(with_origin(Chain::new(matches, filters), &rule.origin));
                    }
                }
            }
        }
        if chains.is_empty() {
            let shared = !destinations.is_empty()
                || (is_wildcard && listen_addresses(self.view, &self.service.service).is_empty());
            let name = shared.then(|| self.service.service.host.as_str().to_owned());
            let matches = Matches {
                server_names: name.into_iter().collect(),
                destinations,
                ..Matches::default()
            };
            chains.push(self.default_chain(matches));
        }
        chains
    }

    /// One chain for each tcp rule that can match, up to the first without condition; then the service itself.
    fn tcp_chains(&self, rules: &[&'a VirtualService]) -> Vec<Chain> {
        let mut chains = Vec::new();
        let mut is_covered = false;
        for (service, rule) in rules.iter().flat_map(|s| s.tcp.iter().map(move |rule| (s, rule))) {
            let chain = |destinations| {
                let filters = self.place().to_route(&rule.rule.route, service);
                let matches = Matches { destinations, ..Matches::default() };
                with_origin(Chain::new(matches, filters), &rule.origin)
            };
            let blocks: Vec<_> =
                rule.rule.match_.iter().filter(|b| self.may_match_tcp(b)).collect();
            let is_open = rule.rule.match_.is_empty()
                || blocks.iter().any(|block| block.destination_subnets.is_empty());
            if is_open {
                chains.push(chain(self.range()));
                return chains;
            }
            let subnets = blocks.iter().flat_map(|block| block.destination_subnets.iter().cloned());
            let subnets: BTreeSet<String> = subnets.collect();
            if !subnets.is_empty() {
                is_covered |= subnets == self.range();
                chains.push(chain(subnets));
            }
        }
        if !is_covered {
            let matches = Matches { destinations: self.range(), ..Matches::default() };
            chains.push(self.default_chain(matches));
        }
        chains
    }

    /// To the service itself. A listener of a port that the user chose goes to the service's only port.
    fn default_chain(&self, matches: Matches) -> Chain {
        let port = match self.service.service.ports.as_slice() {
            [only] => only.number,
            _ => self.port.number,
        };
        Chain::new(matches, self.place().to_service(self.service, port))
    }

    fn may_match_tls(&self, block: &TlsMatchAttributes) -> bool {
        self.holds(&block.gateways, &block.source_labels, block.port, &block.source_namespace)
    }

    fn may_match_tcp(&self, block: &L4MatchAttributes) -> bool {
        self.holds(&block.gateways, &block.source_labels, block.port, &block.source_namespace)
    }

    /// The conditions that are decided here: they depend on the proxy and the listener, not on the connection.
    fn holds(&self, gateways: &[String], labels: &Labels, port: u32, namespace: &str) -> bool {
        let proxy = &self.view.proxy;
        (gateways.is_empty() || gateways.iter().any(|gateway| gateway == GatewayRef::MESH))
            && selects(labels, &proxy.labels)
            && (port == 0 || port == u32::from(self.port.number))
            && (namespace.is_empty() || *namespace == *proxy.namespace)
    }
}

fn with_origin(mut chain: Chain, from: &Origin) -> Chain {
    chain.metadata = Some(origin::metadata(from, from, None));
    chain
}
