//! Who the metrics of a proxy speak for: the `source_*` labels, from the labels that Istio takes for them.

use std::collections::BTreeMap;

use pilotage_proxy::Source;

/// What the metrics of a workload with `labels` say of where requests come from.
pub(crate) fn source_of_workload(labels: &BTreeMap<String, String>, namespace: &str) -> Source {
    let label = |names: &[&str]| {
        names.iter().find_map(|name| labels.get(*name)).cloned().unwrap_or_default()
    };
    Source {
        namespace: namespace.to_owned(),
        app: label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]),
        version: label(&[
            "service.istio.io/canonical-revision",
            "app.kubernetes.io/version",
            "version",
        ]),
        ..Source::default()
    }
}

/// The same for the gateway that has the labels of `selector`, `key=value,…`.
pub(super) fn source_of_gateway(selector: &str) -> Source {
    let pairs = selector.split(',').filter_map(|pair| pair.split_once('='));
    let labels: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let source = source_of_workload(&labels, "");
    match labels.get("istio") {
        Some(role) if source.app.is_empty() => Source { app: role.clone(), ..source },
        _ => source,
    }
}
