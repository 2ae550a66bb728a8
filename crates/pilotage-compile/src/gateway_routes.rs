//! Route configurations (RDS) of gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use pilotage_model::gateway::MergedServer;
use pilotage_model::virtual_service::VirtualService;
use pilotage_model::{Host, ProxyView};
use pilotage_proto::envoy::config::route::v3::virtual_host::TlsRequirementType;
use pilotage_proto::envoy::config::route::v3::{Route, RouteConfiguration, VirtualHost};

use crate::place::Place;
use crate::route_configuration::route_configuration;
use crate::virtual_hosts::virtual_host;
use crate::{http_match, http_route, proxy_headers};

/// The route configurations of these names.
pub(crate) fn of_gateway(
    view: &ProxyView,
    names: &BTreeSet<String>,
) -> BTreeMap<String, Arc<RouteConfiguration>> {
    let mut out = BTreeMap::new();
    for name in names {
        let mut hosts = GatewayHosts::new(view);
        view.gateway.servers_of(name).for_each(|server| hosts.add_server(server));
        if let Some(virtual_hosts) = hosts.finish() {
            out.insert(name.clone(), Arc::new(route_configuration(name.clone(), virtual_hosts)));
        }
    }
    out
}

/// The virtual hosts of one route configuration as they grow.
struct GatewayHosts<'a> {
    view: &'a ProxyView,
    /// The port of the first server.
    port: Option<u32>,
    /// All routes; virtual hosts name them by number, so that equal lists are found without comparing routes.
    routes: Vec<Route>,
    /// The routes of a virtual service, compiled once for each gateway, with the port of the first server that asked.
    compiled: BTreeMap<(String, usize), Range<usize>>,
    hosts: BTreeMap<Host, Growing>,
}

#[derive(Default)]
struct Growing {
    port: u32,
    routes: Vec<usize>,
    requires_tls: bool,
}

impl<'a> GatewayHosts<'a> {
    fn new(view: &'a ProxyView) -> Self {
        Self {
            view,
            port: None,
            routes: Vec::new(),
            compiled: BTreeMap::new(),
            hosts: BTreeMap::new(),
        }
    }

    fn add_server(&mut self, server: &MergedServer) {
        let view = self.view;
        let gateway = server.gateway_name();
        let redirects = server.spec.tls.as_ref().is_some_and(|tls| tls.https_redirect);
        self.port.get_or_insert(server.port);
        let all = view.gateway_virtual_services.iter().enumerate();
        for (position, service) in all.filter(|(_, service)| service.is_for_gateway(&gateway)) {
            let hosts = common_hosts(&server.hosts, service);
            if hosts.is_empty() {
                continue;
            }
            let routes = self.routes_of(position, service, &gateway, server);
            if routes.is_empty() {
                continue;
            }
            for host in hosts {
                let host = self.host(host.lower_cased(), server.port);
                host.routes.extend(routes.clone());
                host.requires_tls |= redirects;
            }
        }
        if redirects {
            // Hosts without rules are redirected as well; one with a namespace before it becomes a host that no
            // request can name.
            for host in &server.hosts {
                self.host(Host::new(host), server.port).requires_tls = true;
            }
        }
    }

    fn host(&mut self, host: Host, port: u32) -> &mut Growing {
        self.hosts.entry(host).or_insert_with(|| Growing { port, ..Growing::default() })
    }

    fn routes_of(
        &mut self,
        position: usize,
        service: &VirtualService,
        gateway: &str,
        server: &MergedServer,
    ) -> Range<usize> {
        let key = (gateway.to_owned(), position);
        if let Some(known) = self.compiled.get(&key) {
            return known.clone();
        }
        let tls = server.is_tls();
        let place = Place { port: server.port, gateway, tls, view: self.view, services: None };
        let routes = http_route::routes(service, &place);
        let range = self.routes.len()..self.routes.len() + routes.len();
        self.routes.extend(routes);
        self.compiled.insert(key, range.clone());
        range
    }

    /// The virtual hosts, ordered by name. Hosts with the same routes share one, named after the most specific of
    /// them. Nothing without any server.
    fn finish(self) -> Option<Vec<VirtualHost>> {
        let port = self.port?;
        if self.hosts.is_empty() {
            // Envoy answers 404 where no route is.
            let name = format!("blackhole:{port}");
            return Some(vec![virtual_host(name, vec!["*".to_owned()], Vec::new(), false)]);
        }
        let mut hosts: Vec<(&Host, &Growing)> = self.hosts.iter().collect();
        hosts.sort_by(|a, b| a.0.by_specificity(b.0));
        let mut shared: BTreeMap<(&[usize], bool), usize> = BTreeMap::new();
        let mut out: Vec<VirtualHost> = Vec::new();
        for (host, growing) in hosts {
            let key = (growing.routes.as_slice(), growing.requires_tls);
            if let Some(known) = shared.get(&key).and_then(|at| out.get_mut(*at)) {
                known.domains.push(host.to_string());
                continue;
            }
            shared.insert(key, out.len());
            out.push(self.render(host, growing));
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Some(out)
    }

    fn render(&self, host: &Host, growing: &Growing) -> VirtualHost {
        let mut routes: Vec<Route> =
            growing.routes.iter().filter_map(|at| self.routes.get(*at)).cloned().collect();
        // Several virtual services may each end with a route for everything; these come last.
        let is_last = |route: &Route| route.r#match.as_ref().is_some_and(http_match::is_catch_all);
        routes.sort_by_key(is_last);
        let requirement =
            if growing.requires_tls { TlsRequirementType::All } else { TlsRequirementType::None };
        VirtualHost {
            require_tls: requirement as i32,
            ..virtual_host(
                format!("{host}:{}", growing.port),
                vec![host.to_string()],
                routes,
                proxy_headers::counts_attempts(self.view),
            )
        }
    }
}

/// The hosts that a virtual service and a server have in common, of each pair the narrower one. Letter case counts.
fn common_hosts(server_hosts: &[String], service: &VirtualService) -> Vec<Host> {
    let mut common: Vec<Host> = Vec::new();
    for server_host in server_hosts.iter().filter_map(|host| host_for(host, &service.namespace)) {
        for host in &service.hosts {
            let narrower = if server_host.subset_of(host) {
                &server_host
            } else if host.subset_of(&server_host) {
                host
            } else {
                continue;
            };
            if !common.contains(narrower) {
                common.push(narrower.clone());
            }
        }
    }
    common
}

/// A server's host, if virtual services of `namespace` may use it.
fn host_for(host: &str, namespace: &str) -> Option<Host> {
    match host.split_once('/') {
        Some((owner, host)) if owner == namespace || owner == "*" => Some(Host::new(host)),
        Some(_) => None,
        None => Some(Host::new(host)),
    }
}

#[cfg(test)]
mod tests;
