//! Names of clusters in statistics, where the mesh asks for other ones than the names of the clusters.

use pilotage_model::service::{Service, ServicePort, TargetPort};

/// What a pattern may stand for.
pub(super) struct Named<'a> {
    /// The service.
    pub(super) service: &'a Service,
    /// Its port.
    pub(super) port: &'a ServicePort,
    /// The subset; empty for the service as a whole.
    pub(super) subset: &'a str,
    /// The port of the workload, where the cluster leads to one.
    pub(super) target: Option<u16>,
}

/// The pattern with its variables replaced; nothing when there is no pattern.
pub(super) fn expand(pattern: &str, named: &Named<'_>) -> String {
    if pattern.is_empty() {
        return String::new();
    }
    let Named { service, port, subset, target } = named;
    let target = target.or(match port.target {
        TargetPort::Number(number) => Some(number),
        TargetPort::Same | TargetPort::Name(_) => None,
    });
    // Of a Kubernetes service the short form counts, which names it within the mesh.
    let short = if service.is_kubernetes() {
        format!("{}.{}", service.name, service.namespace)
    } else {
        service.host.to_string()
    };
    let replacements = [
        ("%SERVICE%", short),
        ("%SERVICE_NAME%", service.name.to_string()),
        ("%SERVICE_FQDN%", service.host.to_string()),
        ("%SUBSET_NAME%", (*subset).to_owned()),
        ("%TARGET_PORT%", target.unwrap_or(port.number).to_string()),
        ("%SERVICE_PORT%", port.number.to_string()),
        ("%SERVICE_PORT_NAME%", port.name.to_string()),
    ];
    let mut name = pattern.to_owned();
    for (variable, value) in &replacements {
        name = name.replace(variable, value);
    }
    name
}
