//! Virtual services with their names resolved and their delegates spliced in.

pub(crate) mod delegates;
pub mod destinations;
pub mod hosts;

use std::sync::Arc;

use pilotage_config::object::{Kind, Object};
use pilotage_config::virtual_service::{HttpRoute, TcpRoute, TlsRoute, VirtualService as Spec};

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
    /// The hosts it is for, completed. At gateways letter case counts.
    pub hosts: Vec<Host>,
    /// The same in lower case, as sidecars take them.
    pub mesh_hosts: Vec<Host>,
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
    /// What it says.
    pub(crate) written: Arc<Spec>,
}

/// One rule, its destination hosts completed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule<R> {
    /// The rule.
    pub rule: Arc<R>,
    /// Where it was written.
    pub origin: Origin,
    /// The rule that delegated to the object it was written in, if one did.
    pub root: Option<Origin>,
}

/// Where a virtual service applies: `mesh` for all sidecars, else the `namespace/name` of a `Gateway` object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayRef(Arc<str>);

impl GatewayRef {
    /// The name that means all sidecars.
    pub const MESH: &'static str = "mesh";

    /// Reads a reference as a virtual service of `namespace` writes it.
    #[must_use]
    pub fn parse(text: &str, namespace: &str) -> Self {
        if text == Self::MESH {
            return Self(text.into());
        }
        if let Some((owner, name)) = text.split_once('/') {
            let owner = if owner == "." { namespace } else { owner };
            return Self(format!("{owner}/{name}").into());
        }
        // The long-gone spelling `name.namespace.svc.cluster.local`.
        let mut parts = text.split('.');
        let name = parts.next().unwrap_or_default();
        let owner = parts.next().unwrap_or(namespace);
        Self(format!("{owner}/{name}").into())
    }

    /// `mesh`, or `namespace/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl VirtualService {
    /// Whether it applies at sidecars.
    #[must_use]
    pub fn is_for_mesh(&self) -> bool {
        self.is_for_gateway(GatewayRef::MESH)
    }

    /// Whether it applies at `gateway`: `mesh`, or the `namespace/name` of a `Gateway` object.
    #[must_use]
    pub fn is_for_gateway(&self, gateway: &str) -> bool {
        self.gateways.iter().any(|bound| bound.as_str() == gateway)
    }

    /// One without hosts and rules.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let object = pilotage_config::ObjectRef {
            kind: "VirtualService".into(),
            namespace: "default".into(),
            name: "test".into(),
        };
        Self {
            name: "test".into(),
            namespace: "default".into(),
            age: Age::default(),
            hosts: Vec::new(),
            mesh_hosts: Vec::new(),
            gateways: vec![GatewayRef::parse(GatewayRef::MESH, "default")],
            visibility: Visibility::Public,
            http: Vec::new(),
            tls: Vec::new(),
            tcp: Vec::new(),
            origin: Origin::of(object),
            written: Arc::default(),
        }
    }

    /// Its place among others: oldest first.
    fn order(&self) -> (Age, &str, &str) {
        (self.age, &self.name, &self.namespace)
    }
}

/// All virtual services that can be used on their own, oldest first. Those without hosts serve only as delegates.
///
/// What did not change since `previous`, which was made of the same mesh, is taken from there.
#[must_use]
pub(crate) fn build(
    objects: &[Arc<Object>],
    mesh: &Mesh,
    previous: &[Arc<VirtualService>],
) -> Vec<Arc<VirtualService>> {
    let known = |order: (Age, &str, &str)| {
        let at = previous.binary_search_by(|known| known.order().cmp(&order)).ok()?;
        previous.get(at)
    };
    let (mut kept, mut made) = (Vec::new(), Vec::new());
    for object in objects {
        let Kind::VirtualService(spec) = &object.body else { continue };
        let age = Age::new(object.meta.creation_timestamp);
        match known((age, object.name(), object.namespace())) {
            Some(known) if known.written == *spec && !delegates(spec) => {
                kept.push(Arc::clone(known));
            }
            _ => made.push(one(object, spec, mesh)),
        }
    }
    let (mut roots, delegates): (Vec<_>, Vec<_>) =
        made.into_iter().partition(|one| !one.hosts.is_empty());
    delegates::splice(&mut roots, &delegates);
    kept.extend(roots.into_iter().map(|root| match known(root.order()) {
        Some(known) if **known == root => Arc::clone(known),
        _ => Arc::new(root),
    }));
    kept.sort_by(|a, b| a.order().cmp(&b.order()));
    kept
}

/// Whether rules of other objects count for it.
fn delegates(spec: &Spec) -> bool {
    spec.http.iter().any(|rule| rule.delegate.is_some())
}

fn one(object: &Object, spec: &Arc<Spec>, mesh: &Mesh) -> VirtualService {
    let namespace = object.namespace();
    let complete = |host: &str| Host::complete(host, namespace, mesh.domain());
    let gateway = |text: &String| GatewayRef::parse(text, namespace);
    let mut gateways: Vec<_> = spec.gateways.iter().map(gateway).collect();
    if gateways.is_empty() {
        gateways.push(GatewayRef::parse(GatewayRef::MESH, namespace));
    }
    let hosts: Vec<_> = spec.hosts.iter().map(|host| complete(host)).collect();
    let origin = Origin::of(object.reference());
    let names = destinations::Names { namespace, domain: mesh.domain() };
    VirtualService {
        name: object.name().into(),
        namespace: namespace.into(),
        age: Age::new(object.meta.creation_timestamp),
        mesh_hosts: hosts.iter().map(Host::lower_cased).collect(),
        hosts,
        gateways,
        visibility: Visibility::of(
            &spec.export_to,
            namespace,
            &mesh.config().default_virtual_service_export_to,
        ),
        http: rules(&spec.http, &origin, "http", |written| {
            let mut rule = HttpRoute::clone(written);
            names.complete_http(&mut rule);
            // Where names are written in full, nothing is kept twice.
            if rule == **written { Arc::clone(written) } else { Arc::new(rule) }
        }),
        tls: rules(&spec.tls, &origin, "tls", |written| {
            let mut rule = written.clone();
            names.complete_tls(&mut rule);
            Arc::new(rule)
        }),
        tcp: rules(&spec.tcp, &origin, "tcp", |written| {
            let mut rule = written.clone();
            names.complete_tcp(&mut rule);
            Arc::new(rule)
        }),
        origin,
        written: Arc::clone(spec),
    }
}

fn rules<W, R>(
    written: &[W],
    object: &Origin,
    field: &str,
    completed: impl Fn(&W) -> Arc<R>,
) -> Vec<Rule<R>> {
    let rule = |(index, written): (usize, &W)| {
        let origin = object.at(format!("spec.{field}[{index}]"));
        Rule { rule: completed(written), origin, root: None }
    };
    written.iter().enumerate().map(rule).collect()
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
    fn gateways_are_named_in_five_ways() {
        let parse = |text| GatewayRef::parse(text, "shop").as_str().to_owned();
        assert_eq!(parse("mesh"), "mesh");
        assert_eq!(parse("web"), "shop/web");
        assert_eq!(parse("infra/web"), "infra/web");
        assert_eq!(parse("./web"), "shop/web");
        assert_eq!(parse("web.infra.svc.cluster.local"), "infra/web");
        assert_eq!(parse("web.infra"), "infra/web");
    }
}
