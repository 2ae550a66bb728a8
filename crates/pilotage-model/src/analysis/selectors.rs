//! Selectors of gateways and sidecars that no pod satisfies, and secrets that a gateway's pods do not find (IST0101).

use std::collections::BTreeSet;

use pilotage_config::gateway::Gateway;
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use crate::labels::{Labels, selects};

/// The problems of all gateways and sidecars.
pub(super) fn analyze(objects: &[&Object]) -> Vec<Diagnostic> {
    let pods: Vec<&Object> =
        objects.iter().copied().filter(|object| matches!(object.body, Kind::Pod(_))).collect();
    let secrets: BTreeSet<(&str, &str)> = objects
        .iter()
        .filter(|object| matches!(object.body, Kind::Secret(_)))
        .map(|object| (object.namespace(), object.name()))
        .collect();
    let mut problems = Vec::new();
    for object in objects {
        match &object.body {
            Kind::Gateway(gateway) => {
                let pod = pods.iter().find(|pod| selects(&gateway.selector, &pod.meta.labels));
                match pod {
                    Some(pod) => {
                        problems.extend(missing_secrets(
                            object,
                            gateway,
                            pod.namespace(),
                            &secrets,
                        ));
                    }
                    None => problems.push(unselective(object, "selector", &gateway.selector)),
                }
            }
            Kind::Sidecar(sidecar) => {
                let Some(selector) = &sidecar.workload_selector else { continue };
                let own = |pod: &&&Object| pod.namespace() == object.namespace();
                let found = |pod: &&Object| selects(&selector.labels, &pod.meta.labels);
                if !selector.labels.is_empty() && !pods.iter().filter(own).any(found) {
                    problems.push(unselective(object, "workloadSelector", &selector.labels));
                }
            }
            _ => {}
        }
    }
    problems
}

fn unselective(object: &Object, field: &str, selector: &Labels) -> Diagnostic {
    let labels = selector.iter().map(|(key, value)| format!("{key}={value}"));
    let labels = labels.collect::<Vec<_>>().join(", ");
    let message = format!("no pod has the labels `{labels}`");
    let path = FieldPath::spec().field(field);
    object.value_diagnostic(codes::IST0101, &path, message, "selects nothing")
}

/// The secrets that the servers of a gateway name and that are not in the namespace of its pods.
fn missing_secrets(
    object: &Object,
    gateway: &Gateway,
    namespace: &str,
    secrets: &BTreeSet<(&str, &str)>,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (index, server) in gateway.servers.iter().enumerate() {
        let name = server.tls.as_ref().map_or("", |tls| tls.credential_name.as_str());
        let wanted = name.split_once('/').unwrap_or((namespace, name));
        if name.is_empty() || secrets.contains(&wanted) {
            continue;
        }
        let message = format!("there is no Secret `{}/{}`", wanted.0, wanted.1);
        let path = FieldPath::spec().field("servers").index(index).field("tls");
        let path = path.field("credentialName");
        problems.push(
            object
                .value_diagnostic(codes::IST0101, &path, message, "no such secret")
                .note("secrets are looked for where the gateway's pods run"),
        );
    }
    problems
}
