//! Which proxies one process is: a sidecar, and every gateway that the configuration knows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use pilotage_model::labels::{Labels, selects};
use pilotage_model::proxy::of_selector;
use pilotage_model::{ProxyClass, ProxyKind, Snapshot};

/// Names one of the proxies of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProxyId {
    /// The proxy of the workload.
    Sidecar,
    /// The gateway that Gateway objects with this selector are for, as `key=value,…`.
    Gateway(Arc<str>),
}

impl fmt::Display for ProxyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sidecar => f.write_str("sidecar"),
            Self::Gateway(selector) if selector.is_empty() => f.write_str("gateway"),
            Self::Gateway(selector) => write!(f, "gateway {selector}"),
        }
    }
}

/// Which proxies to be.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    /// The workload to stand beside, if any.
    pub sidecar: Option<ProxyClass>,
    /// Whether to be every gateway found.
    pub gateways: bool,
}

impl Identities {
    /// The proxies to be, given everything that is configured.
    #[must_use]
    pub fn proxies(&self, snapshot: &Snapshot) -> BTreeMap<ProxyId, ProxyClass> {
        let mut proxies = BTreeMap::new();
        if let Some(sidecar) = &self.sidecar {
            proxies.insert(ProxyId::Sidecar, sidecar.clone());
        }
        if self.gateways {
            proxies.extend(gateways(snapshot));
        }
        proxies
    }
}

/// One proxy for each selector of Gateway objects. A selector that is a part of another one needs no proxy of its
/// own: the proxy of the other one serves its objects too.
fn gateways(snapshot: &Snapshot) -> BTreeMap<ProxyId, ProxyClass> {
    let mut selectors: BTreeMap<&Labels, &str> = BTreeMap::new();
    for gateway in &*snapshot.gateways {
        selectors.entry(&gateway.spec.selector).or_insert(&gateway.namespace);
    }
    let widest = |selector: &Labels| {
        !selectors.keys().any(|other| *other != selector && selects(selector, other))
    };
    selectors
        .iter()
        .filter(|(selector, _)| widest(selector))
        .map(|(selector, namespace)| {
            let proxy = of_selector(snapshot, ProxyKind::Gateway, selector, namespace);
            (ProxyId::Gateway(text(selector).into()), proxy)
        })
        .collect()
}

fn text(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use pilotage_model::{Inputs, build};

    use super::*;

    fn gateway(name: &str, selector: &str) -> String {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: edge}}\n\
             spec: {{selector: {{{selector}}}, servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, \
             hosts: ['*']}}]}}\n---\n"
        )
    }

    fn proxies(text: &str) -> Vec<(String, String, Labels)> {
        let loaded = pilotage_config::load("a.yaml", text);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let inputs = Inputs {
            objects: loaded.objects.into_iter().map(Arc::new).collect(),
            ..Inputs::default()
        };
        let identities = Identities { sidecar: Some(ProxyClass::default()), gateways: true };
        let proxies = identities.proxies(&build(&inputs).0);
        proxies
            .into_iter()
            .map(|(id, proxy)| (id.to_string(), proxy.namespace.to_string(), proxy.labels))
            .collect()
    }

    #[test]
    fn each_selector_makes_a_proxy_of_its_own_labels() {
        let found = proxies(
            &(gateway("a", "istio: in") + &gateway("b", "istio: in") + &gateway("c", "istio: out")),
        );
        let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["sidecar", "gateway istio=in", "gateway istio=out"]);
        assert_eq!(found[1].1, "edge");
        assert_eq!(found[1].2, Labels::from([("istio".to_owned(), "in".to_owned())]));
    }

    #[test]
    fn a_selector_within_another_needs_no_proxy_of_its_own() {
        let found = proxies(
            &(gateway("a", "istio: in") + &gateway("b", "istio: in, app: x") + &gateway("c", "")),
        );
        let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["sidecar", "gateway app=x,istio=in"]);
    }

    #[test]
    fn the_service_in_front_of_a_gateway_tells_its_namespace_and_labels() {
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: in, namespace: istio-system}\n\
                       spec: {selector: {istio: in, app: in}, ports: [{port: 80, targetPort: 8080}]}\n";
        let found = proxies(&(gateway("a", "istio: in") + service));
        assert_eq!((found[1].1.as_str(), found[1].2.len()), ("istio-system", 2));
        let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: in-1, namespace: pods, labels: {istio: in, x: z}}\n\
                   status: {podIP: 10.0.0.1}\n";
        let found = proxies(&(gateway("a", "istio: in") + service + pod));
        assert_eq!(found[1].1, "pods");
    }
}
