//! Virtual services with their names resolved.

pub mod destinations;

use std::sync::Arc;

use pilotage_config::object::{Kind, Object};
use pilotage_config::virtual_service::{HttpRoute, TcpRoute, TlsRoute};

use crate::age::Age;
use crate::host::Host;
use crate::mesh::Mesh;
use crate::origin::Origin;
use crate::visibility::{Rank, Visibility};

/// A virtual service whose hosts and destinations are full names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VirtualService {
    /// The name of the object.
    pub name: Arc<str>,
    /// The namespace of the object.
    pub namespace: Arc<str>,
    /// When it was created.
    pub age: Age,
    /// The hosts it is for, completed and in lower case.
    pub hosts: Vec<Host>,
    /// The gateways it applies to, and whether it applies to sidecars.
    pub gateways: Vec<GatewayRef>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Rules for HTTP requests.
    pub http: Vec<Rule<HttpRoute>>,
    /// Rules for TLS connections that are passed through.
    pub tls: Vec<Rule<TlsRoute>>,
    /// Rules for other connections.
    pub tcp: Vec<Rule<TcpRoute>>,
    /// The object.
    pub origin: Origin,
}

/// One rule, its destination hosts completed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule<R> {
    /// The rule.
    pub rule: Arc<R>,
    /// Where it was written.
    pub origin: Origin,
}

/// Where a virtual service applies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GatewayRef {
    /// At all sidecars.
    Mesh,
    /// At the gateways that this object configures.
    Named {
        /// The namespace of the `Gateway` object.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
}

impl GatewayRef {
    /// Reads a reference as a virtual service of `namespace` writes it.
    #[must_use]
    pub fn parse(text: &str, namespace: &str) -> Self {
        if text == "mesh" {
            return Self::Mesh;
        }
        if let Some((owner, name)) = text.split_once('/') {
            let owner = if owner == "." { namespace } else { owner };
            return Self::Named { namespace: owner.into(), name: name.into() };
        }
        // The long-gone spelling `name.namespace.svc.cluster.local`.
        let mut parts = text.split('.');
        let name = parts.next().unwrap_or_default();
        let owner = parts.next().unwrap_or(namespace);
        Self::Named { namespace: owner.into(), name: name.into() }
    }
}

impl VirtualService {
    /// Whether it applies at sidecars.
    #[must_use]
    pub fn is_for_mesh(&self) -> bool {
        self.gateways.contains(&GatewayRef::Mesh)
    }
}

/// All virtual services that can be used on their own, oldest first.
#[must_use]
pub fn build(objects: &[Arc<Object>], mesh: &Mesh) -> Vec<Arc<VirtualService>> {
    let mut all: Vec<_> =
        objects.iter().filter_map(|object| one(object, mesh)).map(Arc::new).collect();
    all.sort_by(|a, b| (a.age, &a.name, &a.namespace).cmp(&(b.age, &b.name, &b.namespace)));
    all
}

fn one(object: &Object, mesh: &Mesh) -> Option<VirtualService> {
    let Kind::VirtualService(spec) = &object.body else { return None };
    if spec.hosts.is_empty() {
        return None;
    }
    let namespace = object.namespace();
    let complete = |host: &str| Host::complete(host, namespace, mesh.domain());
    let mut gateways: Vec<_> =
        spec.gateways.iter().map(|text| GatewayRef::parse(text, namespace)).collect();
    if gateways.is_empty() {
        gateways.push(GatewayRef::Mesh);
    }
    let origin = Origin::of(object.reference());
    let rule_origin = |field: &str, index: usize| origin.at(format!("spec.{field}[{index}]"));
    let http = spec.http.iter().enumerate().map(|(index, rule)| {
        let rule = Arc::new(destinations::complete_http(rule.clone(), &complete));
        Rule { rule, origin: rule_origin("http", index) }
    });
    let tls = spec.tls.iter().enumerate().map(|(index, rule)| {
        let mut rule = rule.clone();
        destinations::complete_routes(&mut rule.route, &complete);
        Rule { rule: Arc::new(rule), origin: rule_origin("tls", index) }
    });
    let tcp = spec.tcp.iter().enumerate().map(|(index, rule)| {
        let mut rule = rule.clone();
        destinations::complete_routes(&mut rule.route, &complete);
        Rule { rule: Arc::new(rule), origin: rule_origin("tcp", index) }
    });
    let default = &mesh.config().default_virtual_service_export_to;
    Some(VirtualService {
        name: object.name().into(),
        namespace: namespace.into(),
        age: Age::new(object.meta.creation_timestamp),
        hosts: spec.hosts.iter().map(|host| complete(host).lower_cased()).collect(),
        gateways,
        visibility: Visibility::of(&spec.export_to, namespace, default),
        http: http.collect(),
        tls: tls.collect(),
        tcp: tcp.collect(),
        origin,
    })
}

/// The virtual services that `namespace` sees, in Istio's order: its own private ones, those exported to it by name,
/// public ones; oldest first within each group. `all` must be sorted by age.
#[must_use]
pub fn visible<'a>(
    all: &'a [Arc<VirtualService>],
    namespace: &str,
    wanted: impl Fn(&VirtualService) -> bool,
) -> Vec<&'a Arc<VirtualService>> {
    let mut ranked: Vec<(Rank, &Arc<VirtualService>)> = all
        .iter()
        .filter(|service| wanted(service))
        .filter_map(|service| {
            Some((service.visibility.rank(&service.namespace, namespace)?, service))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, service)| service).collect()
}

#[cfg(test)]
mod tests {
    use super::GatewayRef;

    #[test]
    fn gateways_are_named_in_four_ways() {
        let named = |namespace: &str, name: &str| GatewayRef::Named {
            namespace: namespace.into(),
            name: name.into(),
        };
        assert_eq!(GatewayRef::parse("mesh", "shop"), GatewayRef::Mesh);
        assert_eq!(GatewayRef::parse("web", "shop"), named("shop", "web"));
        assert_eq!(GatewayRef::parse("infra/web", "shop"), named("infra", "web"));
        assert_eq!(GatewayRef::parse("web.infra.svc.cluster.local", "shop"), named("infra", "web"));
    }
}
