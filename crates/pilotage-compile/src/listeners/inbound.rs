//! Filter chains towards a sidecar's own workload: for each port by what it speaks, and by whether clients come with
//! mTLS, or with TLS that a `Sidecar` object ends.

use std::collections::BTreeMap;

use pilotage_config::gateway::{ServerTlsMode, ServerTlsSettings};
use pilotage_config::security::MutualTlsMode;
use pilotage_config::sidecar::{CaptureMode, IngressListener};
use pilotage_model::{Origin, Protocol, ProxyView};

use super::filter_chain::{Chain, MESH_PROTOCOLS, Matches, PLAIN_HTTP, PLAINTEXT, TLS};
use super::http_connection_manager::{Http, Routes, Side};
use super::listener::{Place, wildcard};
use super::server_tls::{Inside, mesh_tls, server_tls};
use super::tcp_proxy::cluster_filter;
use crate::clusters::names;
use crate::{inbound_route, origin};

/// What proxies of the mesh offer for HTTP.
const MESH_HTTP: [&str; 3] = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
/// What they offer for everything else.
const MESH_TCP: [&str; 2] = ["istio-peer-exchange", "istio"];
/// A port of the workload.
#[derive(Clone, Debug)]
pub(crate) struct InboundPort {
    /// The port that is dialled; nothing stands for all other ports.
    pub(crate) port: Option<u16>,
    /// The port of the service, or 0.
    pub(crate) service_port: u16,
    /// What traces call it: `host:port` of the service.
    pub(crate) operation: String,
    /// What it speaks.
    pub(crate) protocol: Protocol,
    /// Where it leads.
    pub(crate) cluster: String,
    /// Plain traffic, mTLS or both.
    pub(crate) accepts: MutualTlsMode,
    /// TLS that ends here instead. Only where mTLS is not accepted.
    pub(crate) tls: Option<ServerTlsSettings>,
    /// The name of its chains.
    pub(crate) name: String,
    /// The object that lists it.
    pub(crate) origin: Option<Origin>,
    /// The listener of its own, where nothing is redirected to it.
    pub(crate) own_listener: Option<Place>,
}

/// The ports of the workload: those that a `Sidecar` object lists, else those of its services.
pub(crate) fn ports(view: &ProxyView) -> Vec<InboundPort> {
    if let Some(sidecar) = &view.sidecar
        && !sidecar.spec.ingress.is_empty()
    {
        let listed = sidecar.spec.ingress.iter();
        return listed.filter_map(|ingress| listed_port(view, ingress, &sidecar.origin)).collect();
    }
    // Without redirection the proxy would take the ports of the workload itself.
    if view.proxy.is_not_captured() {
        return Vec::new();
    }
    let mut by_port = BTreeMap::new();
    // Of several services with the port the oldest counts.
    for target in view.inbound.targets.iter().filter(|t| t.port.protocol != Protocol::Udp) {
        let port = target.target_port;
        // Left out in a file; the chains for all other ports take its connections.
        if port == 0 {
            continue;
        }
        by_port.entry(port).or_insert_with(|| InboundPort {
            port: Some(port),
            service_port: target.port.number,
            operation: format!("{}:{}", target.service.host, target.port.number),
            protocol: target.port.protocol,
            cluster: names::inbound(port),
            accepts: view.accepts.of_port(port),
            tls: None,
            name: format!("{}_{port}", wildcard(view)),
            origin: None,
            own_listener: None,
        });
    }
    by_port.into_values().collect()
}

fn listed_port(view: &ProxyView, ingress: &IngressListener, from: &Origin) -> Option<InboundPort> {
    let written = ingress.port.as_ref()?;
    let port = u16::try_from(written.number).ok()?;
    let bind = match (ingress.bind.as_str(), view.proxy.addresses.first()) {
        ("", Some(ip)) => ip.to_string(),
        ("", None) => wildcard(view).to_owned(),
        (bind, _) => bind.to_owned(),
    };
    let place = Place { bind, port };
    let is_bound = view.proxy.is_not_captured() || ingress.capture_mode == CaptureMode::None;
    let accepts = view.accepts.of_port(port);
    let protocol = Protocol::parse(&written.protocol);
    // Passing TLS on is what a port does anyway.
    let tls = ingress.tls.as_ref().filter(|tls| tls.mode != ServerTlsMode::Passthrough);
    Some(InboundPort {
        port: Some(port),
        service_port: port,
        operation: format!("{}.{}:{port}", from.object.name, from.object.namespace),
        // What is inside of TLS, even where it is mTLS of the mesh that the port takes.
        protocol: if tls.is_some() { protocol.inside_tls() } else { protocol },
        cluster: names::inbound(port),
        accepts,
        tls: tls.filter(|_| accepts == MutualTlsMode::Disable).cloned(),
        name: place.name(),
        origin: Some(from.clone()),
        own_listener: is_bound.then_some(place),
    })
}

/// The chains of one port.
pub(crate) fn chains(view: &ProxyView, port: &InboundPort) -> Vec<Chain> {
    let building = Building { view, port };
    let speaks_http = port.protocol.is_http();
    let is_auto = port.protocol.is_auto();
    if let Some(tls) = &port.tls {
        let inside = if speaks_http { Inside::Http } else { Inside::Tcp };
        let tls = server_tls(tls, &view.mesh, inside);
        return vec![Chain {
            tls: Some(tls),
            ..building.chain(TLS, Vec::new(), None, speaks_http)
        }];
    }
    let mut chains = Vec::new();
    if speaks_http || is_auto {
        building.add_http(&mut chains, is_auto);
    }
    if !speaks_http {
        building.add_tcp(&mut chains, is_auto);
    }
    chains
}

struct Building<'a> {
    view: &'a ProxyView,
    port: &'a InboundPort,
}

impl Building<'_> {
    fn takes_mtls(&self) -> bool {
        self.port.accepts != MutualTlsMode::Disable
    }

    fn takes_plaintext(&self) -> bool {
        self.port.accepts != MutualTlsMode::Strict
    }

    /// Where plaintext is accepted too, mTLS of the mesh is known by what clients offer; else all TLS is taken for it.
    fn mesh_protocols(&self, wanted: &[&'static str]) -> Vec<&'static str> {
        if self.takes_plaintext() { wanted.to_vec() } else { Vec::new() }
    }

    fn add_http(&self, chains: &mut Vec<Chain>, is_auto: bool) {
        if self.takes_mtls() {
            let protocols =
                if is_auto { MESH_HTTP.to_vec() } else { self.mesh_protocols(&MESH_PROTOCOLS) };
            chains.push(self.chain(TLS, protocols, Some(Inside::Http), true));
        }
        if self.takes_plaintext() {
            let protocols = if is_auto { PLAIN_HTTP.to_vec() } else { Vec::new() };
            chains.push(self.chain(PLAINTEXT, protocols, None, true));
        }
    }

    fn add_tcp(&self, chains: &mut Vec<Chain>, is_auto: bool) {
        if self.takes_mtls() {
            let wanted: &[_] = if is_auto { &MESH_TCP } else { &MESH_PROTOCOLS };
            let protocols = self.mesh_protocols(wanted);
            chains.push(self.chain(TLS, protocols, Some(Inside::Tcp), false));
        }
        if self.takes_plaintext() {
            chains.push(self.chain(PLAINTEXT, Vec::new(), None, false));
            // TLS that is none of the mesh's goes on to the application.
            if self.takes_mtls() {
                chains.push(self.chain(TLS, Vec::new(), None, false));
            }
        }
    }

    fn chain(
        &self,
        transport_protocol: &'static str,
        application_protocols: Vec<&'static str>,
        tls: Option<Inside>,
        is_http: bool,
    ) -> Chain {
        let matches = Matches {
            destination_port: self.port.port,
            transport_protocol,
            application_protocols,
            ..Matches::default()
        };
        let filter = if is_http {
            self.http().filter(self.view)
        } else {
            cluster_filter(self.view, &self.port.cluster)
        };
        Chain {
            name: match (self.port.port, is_http) {
                (None, true) => format!("{}-catchall-http", self.port.name),
                _ => self.port.name.clone(),
            },
            tls: tls.map(|inside| mesh_tls(&self.view.mesh, inside)),
            metadata: self.port.origin.as_ref().map(|o| origin::metadata(o, o, None)),
            ..Chain::new(matches, vec![filter])
        }
    }

    fn http(&self) -> Http {
        let InboundPort { cluster, service_port, operation, protocol, .. } = self.port;
        let config = inbound_route::configuration(
            &self.view.mesh,
            cluster,
            *service_port,
            operation,
            *protocol,
        );
        let stat_prefix = match self.port.port {
            Some(_) => format!("inbound_{};", self.port.name),
            None => format!("{};", self.port.cluster),
        };
        Http {
            stat_prefix,
            routes: Routes::Inline(Box::new(config)),
            ..Http::named(Side::Inbound, "", self.port.protocol)
        }
    }
}
