//! Where a Secret was looked for that was not found, and where there is one.

use pilotage_config::object::Kind;
use pilotage_control::identities::ProxyId;
use pilotage_control::publish::Known;
use pilotage_proto::ResourceSet;

const SCHEME: &str = "kubernetes://";

/// What to know of the Secret that `problem` of TLS begins with, if it is one that the proxy `id` was not given.
pub(super) fn note(
    problem: &str,
    resources: &ResourceSet,
    known: &Known,
    id: &ProxyId,
) -> Option<String> {
    let name = problem.strip_prefix(SCHEME)?.split(':').next()?;
    if resources.secrets.contains_key(&format!("{SCHEME}{name}")) {
        return None;
    }
    let namespace = &*known.views.get(id)?.proxy.namespace;
    let (wanted, name) = name.split_once('/').unwrap_or((namespace, name));
    let name = name.strip_suffix("-cacert").unwrap_or(name);
    let objects = &known.snapshot.as_ref()?.objects;
    let of_name = objects.iter().filter(|object| object.name() == name);
    let secrets = of_name.filter(|object| matches!(object.body, Kind::Secret(_)));
    let mut found: Vec<&str> = secrets.map(|object| object.namespace()).collect();
    found.sort_unstable();
    if found.contains(&wanted) && wanted == namespace {
        return Some(format!("the Secret `{name}` of namespace `{wanted}` is there"));
    }
    let runs = match id {
        ProxyId::Sidecar => format!("the workload runs in namespace `{namespace}`"),
        ProxyId::Gateway(_) => format!(
            "this gateway runs in namespace `{namespace}`, where its Pod, workload template or Service is, or without \
             these its Gateway object"
        ),
    };
    let there = match found.first() {
        None => format!("there is no Secret `{name}` in any namespace"),
        Some(there) => {
            format!("a Secret `{name}` is in `{there}`, and used by none but proxies there")
        }
    };
    Some(format!("{runs}; {there}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use pilotage_config::object::Kind;
    use pilotage_model::{Inputs, ProxyClass, ProxyKind, build, view};

    use super::*;

    fn known(text: &str) -> (ProxyId, Known) {
        let loaded = pilotage_config::load("a.yaml", text);
        assert!(loaded.objects.iter().all(|object| matches!(object.body, Kind::Secret(_))));
        let objects = loaded.objects.into_iter().map(Arc::new).collect();
        let snapshot = build(&Inputs { objects, ..Inputs::default() }).0;
        let id = ProxyId::Gateway("istio=in".into());
        let proxy = ProxyClass {
            kind: ProxyKind::Gateway,
            namespace: "shop".into(),
            ..ProxyClass::default()
        };
        let view = view(&snapshot, &proxy);
        (id.clone(), Known { snapshot: Some(snapshot), views: BTreeMap::from([(id, view)]) })
    }

    fn secret(name: &str, namespace: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             stringData: {{tls.crt: C, tls.key: K}}\n---\n"
        )
    }

    #[test]
    fn the_namespace_is_told_and_where_else_there_is_one() {
        let set = ResourceSet::default();
        let of = |text: &str, problem: &str| {
            let (id, known) = known(text);
            note(problem, &set, &known, &id).unwrap_or_default()
        };
        let elsewhere = of(&secret("web", "istio-system"), "kubernetes://web: there is none");
        assert!(elsewhere.starts_with("this gateway runs in namespace `shop`"), "{elsewhere}");
        assert!(elsewhere.contains("a Secret `web` is in `istio-system`"), "{elsewhere}");
        let nowhere = of(&secret("other", "shop"), "kubernetes://web-cacert: there is none");
        assert!(nowhere.ends_with("no Secret `web` in any namespace"), "{nowhere}");
        let there = of(&secret("web", "shop"), "kubernetes://web: lacks what is wanted");
        assert_eq!(there, "the Secret `web` of namespace `shop` is there");
        assert_eq!(of("", "/certs/tls.crt: there is no such file"), "");
    }
}
