//! Who asks, by name: a workload or gateway of the configuration.

use std::collections::BTreeSet;

use pilotage_config::decode::nearest;
use pilotage_config::{Kind, Object};
use pilotage_model::labels::{Labels, selects};
use pilotage_model::proxy::of_selector;
use pilotage_model::{ProxyClass, ProxyKind, Snapshot};

/// Nothing has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no workload or gateway is called `{name}`{}{}", hint(nearest.as_ref()), all(known))]
pub struct UnknownName {
    /// The name.
    pub name: String,
    /// What is most like it.
    pub nearest: Option<String>,
    /// Every name there is, when they are few.
    pub known: Vec<String>,
}

fn hint(nearest: Option<&String>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn all(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (there are {})", known.join(", ")) }
}

/// How many names are listed in an error.
const FEW: usize = 12;

/// The proxy of the workload called `name`: a Gateway object, a Pod or WorkloadEntry, a Deployment and the like, or what
/// a Service selects. `name.namespace` and `namespace/name` are understood; a bare name is looked for in `namespace`
/// first.
///
/// # Errors
/// When nothing has that name.
pub fn named(snapshot: &Snapshot, name: &str, namespace: &str) -> Result<ProxyClass, UnknownName> {
    let wanted = [(namespace, name)];
    let split = name.split_once('/').or_else(|| {
        let (name, namespace) = name.split_once('.')?;
        Some((namespace, name))
    });
    let found = wanted.into_iter().chain(split).find_map(|(namespace, name)| {
        let is_it = |object: &Object| object.name() == name && object.namespace() == namespace;
        find(snapshot, is_it)
    });
    let anywhere = || find(snapshot, |object| object.name() == name);
    found.or_else(anywhere).or_else(|| by_label(snapshot, name)).ok_or_else(|| {
        let known = names(snapshot);
        let like = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        let known = if known.len() <= FEW { known.into_iter().collect() } else { Vec::new() };
        UnknownName { name: name.to_owned(), nearest: like, known }
    })
}

/// All gateways that Gateway objects are for: one for each selector, with the names of its objects.
#[must_use]
pub fn gateways(snapshot: &Snapshot) -> Vec<(Vec<String>, ProxyClass)> {
    let mut found: Vec<(&Labels, Vec<String>, ProxyClass)> = Vec::new();
    for gateway in &*snapshot.gateways {
        let selector = &gateway.spec.selector;
        let name = format!("{}/{}", gateway.namespace, gateway.name);
        match found.iter_mut().find(|(known, ..)| *known == selector) {
            Some((_, names, _)) => names.push(name),
            None => {
                let proxy = of_selector(snapshot, ProxyKind::Gateway, selector, &gateway.namespace);
                found.push((selector, vec![name], proxy));
            }
        }
    }
    found.into_iter().map(|(_, names, proxy)| (names, proxy)).collect()
}

fn find(snapshot: &Snapshot, is_it: impl Fn(&Object) -> bool) -> Option<ProxyClass> {
    let objects = || snapshot.objects.iter().map(|object| &**object).filter(|o| is_it(o));
    objects()
        .filter_map(|object| Some((rank(object)?, object)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, object)| proxy(snapshot, object))
}

/// Which kinds are workloads, and which of several with one name is meant.
fn rank(object: &Object) -> Option<u8> {
    match &object.body {
        Kind::Pod(_) | Kind::WorkloadEntry(_) => Some(0),
        Kind::Deployment(_) | Kind::StatefulSet(_) | Kind::DaemonSet(_) => Some(1),
        Kind::Service(service) if !service.spec.selector.is_empty() => Some(2),
        Kind::Gateway(_) => Some(3),
        _ => None,
    }
}

fn proxy(snapshot: &Snapshot, object: &Object) -> ProxyClass {
    let of_labels =
        |labels: &Labels| of_selector(snapshot, kind(snapshot, labels), labels, object.namespace());
    match &object.body {
        Kind::Gateway(gateway) => {
            of_selector(snapshot, ProxyKind::Gateway, &gateway.selector, object.namespace())
        }
        Kind::Service(service) => of_labels(&service.spec.selector),
        Kind::Deployment(workload) | Kind::StatefulSet(workload) | Kind::DaemonSet(workload) => {
            of_labels(&workload.spec.template.metadata.labels)
        }
        Kind::Pod(pod) => ProxyClass {
            kind: kind(snapshot, &object.meta.labels),
            namespace: object.namespace().into(),
            labels: object.meta.labels.clone(),
            addresses: pod.status.pod_ip.parse().into_iter().collect(),
            service_account: pod.spec.service_account_name.as_str().into(),
            ..ProxyClass::default()
        },
        Kind::WorkloadEntry(entry) => ProxyClass {
            namespace: object.namespace().into(),
            labels: entry.labels.clone(),
            addresses: entry.address.parse().into_iter().collect(),
            service_account: entry.service_account.as_str().into(),
            ..ProxyClass::default()
        },
        _ => ProxyClass::default(),
    }
}

/// A workload that Gateway objects select is a gateway.
fn kind(snapshot: &Snapshot, labels: &Labels) -> ProxyKind {
    let selected = snapshot.gateways.iter().any(|gateway| {
        let selector = &gateway.spec.selector;
        !selector.is_empty() && selects(selector, labels)
    });
    if selected { ProxyKind::Gateway } else { ProxyKind::Sidecar }
}

/// A workload whose label `app`, `istio` or the like is the name.
fn by_label(snapshot: &Snapshot, name: &str) -> Option<ProxyClass> {
    ["app", "app.kubernetes.io/name", "istio"].into_iter().find_map(|key| {
        let label = Labels::from([(key.to_owned(), name.to_owned())]);
        let proxy = of_selector(snapshot, ProxyKind::Sidecar, &label, "");
        // Without a namespace it was made of the label alone.
        let kind = kind(snapshot, &proxy.labels);
        (!proxy.namespace.is_empty()).then_some(ProxyClass { kind, ..proxy })
    })
}

fn names(snapshot: &Snapshot) -> BTreeSet<String> {
    let objects = snapshot.objects.iter().filter(|object| rank(object).is_some());
    objects.map(|object| object.name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pilotage_model::{Inputs, ProxyKind, Snapshot, build};

    use super::{gateways, named};

    fn snapshot() -> Arc<Snapshot> {
        let text = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: edge}
spec: {selector: {istio: in}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop-v1, namespace: shop}
spec: {template: {metadata: {labels: {app: shop, version: v1}}, spec: {serviceAccountName: seller}}}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: in-1, namespace: edge, labels: {istio: in}}
status: {podIP: 10.0.0.1}
";
        let loaded = pilotage_config::load("a.yaml", text);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let objects = loaded.objects.into_iter().map(Arc::new).collect();
        build(&Inputs { objects, ..Inputs::default() }).0
    }

    #[test]
    fn workloads_are_found_by_every_name_they_have() {
        let snapshot = snapshot();
        for name in ["shop-v1", "shop-v1.shop", "shop/shop-v1", "front", "shop"] {
            let proxy = named(&snapshot, name, "default").unwrap();
            assert_eq!((&*proxy.namespace, proxy.kind), ("shop", ProxyKind::Sidecar), "{name}");
            assert_eq!(proxy.labels["version"], "v1", "{name}");
        }
        for name in ["public", "in-1", "in"] {
            let proxy = named(&snapshot, name, "default").unwrap();
            assert_eq!((&*proxy.namespace, proxy.kind), ("edge", ProxyKind::Gateway), "{name}");
            assert_eq!(proxy.addresses.len(), 1, "{name}");
        }
        assert_eq!(gateways(&snapshot)[0].0, ["edge/public"]);
    }

    #[test]
    fn an_unknown_name_comes_with_the_nearest_one() {
        let error = named(&snapshot(), "shop-v2", "default").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no workload or gateway is called `shop-v2`; did you mean `shop-v1`? \
             (there are front, in-1, public, shop-v1)"
        );
    }
}
