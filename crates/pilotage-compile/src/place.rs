//! Where rules are compiled for: one listener of a sidecar, or one server of a gateway, and what is known of services
//! there.

use std::collections::BTreeMap;

use pilotage_config::virtual_service::{Destination, HttpRetry};
use pilotage_model::destination_rule::DestinationRule;
use pilotage_model::service::{Resolution, Service};
use pilotage_model::{ProxyClass, ProxyView, ServiceView};

/// Services by host, in lower case as in routes.
pub(crate) type Services<'a> = BTreeMap<String, &'a ServiceView>;

/// One listener of a sidecar, or one server of a gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The port that rules compare with: that of the listener, or the one a gateway's server declares. 0 for listeners
    /// that serve all ports of all services.
    pub port: u32,
    /// The gateway as rules name it: `mesh`, or `namespace/name`.
    pub gateway: &'a str,
    /// Whether TLS is terminated here.
    pub tls: bool,
    /// What the proxy sees.
    pub view: &'a ProxyView,
    /// The services that destinations mean here; nothing for all that the proxy sees.
    pub services: Option<&'a Services<'a>>,
}

impl<'a> Place<'a> {
    /// The name of the cluster for a destination, whether the cluster exists or not.
    pub(crate) fn cluster(&self, destination: &Destination) -> String {
        let (host, port) = self.target(destination);
        outbound_cluster(port, &destination.subset, host)
    }

    /// A destination as traces show it: `host:port`.
    pub(crate) fn operation(&self, destination: &Destination) -> String {
        let (host, port) = self.target(destination);
        format!("{host}:{port}")
    }

    /// Host and port of the cluster for a destination.
    ///
    /// Sidecars take the port of the listener when none is named, even if the service does not have it; where there is
    /// no such port, or at a gateway, the only port of the service counts.
    fn target<'d>(&self, destination: &'d Destination) -> (&'d str, u32)
    where
        'a: 'd,
    {
        let service = self.service(&destination.host);
        let host = match service.map(|service| &service.resolution) {
            Some(Resolution::Alias(target)) => target.as_str(),
            _ => destination.host.as_str(),
        };
        let named = destination.port.as_ref().map(|port| port.number);
        let of_listener = self.view.proxy.is_sidecar() && self.port != 0;
        let only = || if of_listener { None } else { only_port(service?) };
        (host, named.or_else(only).unwrap_or(self.port))
    }

    fn service(&self, host: &str) -> Option<&'a Service> {
        match self.services {
            Some(services) => services.get(host).map(|view| &*view.service),
            None => self.view.service(host).map(|view| &*view.service),
        }
    }

    /// The destination rule that counts for `host` here.
    pub(crate) fn destination_rule(&self, host: &str) -> Option<&'a DestinationRule> {
        self.view.service(host)?.rule.as_deref()
    }

    /// The proxy.
    pub(crate) fn proxy(&self) -> &'a ProxyClass {
        &self.view.proxy
    }

    /// The retry policy of routes that have none.
    pub(crate) fn mesh_retries(&self) -> Option<&'a HttpRetry> {
        self.view.mesh.config().default_http_retry_policy.as_ref()
    }
}

fn only_port(service: &Service) -> Option<u32> {
    match service.ports.as_slice() {
        [only] => Some(only.number.into()),
        _ => None,
    }
}

/// The name of the cluster for a port and a subset of a host.
pub(crate) fn outbound_cluster(port: u32, subset: &str, host: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}
