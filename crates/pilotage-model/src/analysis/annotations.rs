//! Annotations of Istio on Kubernetes' objects: unknown ones (IST0108), those on objects that do not look at them
//! (IST0107), values that cannot be understood (IST0125), and one that is given up (IST0135).

use pilotage_config::object::{Kind, Object};
use pilotage_config::{Code, Diagnostic, FieldPath, codes};

use super::Context;

/// The annotation that a label has taken the place of.
const INJECT: &str = "sidecar.istio.io/inject";
/// What the annotations of pods begin with, and how they go on.
const OF_PODS: [(&str, &[&str]); 8] = [
    ("ambient.istio.io/", &["bypass-inbound-capture", "redirection"]),
    ("inject.istio.io/", &["templates"]),
    ("istio.io/", &["rev", "reroute-virtual-interfaces"]),
    ("prometheus.istio.io/", &["merge-metrics"]),
    ("proxy.istio.io/", &["config", "overrides"]),
    (
        "readiness.status.sidecar.istio.io/",
        &["applicationPorts", "failureThreshold", "initialDelaySeconds", "periodSeconds"],
    ),
    (
        "sidecar.istio.io/",
        &[
            "agentLogLevel",
            "bootstrapOverride",
            "componentLogLevel",
            "discoveryAddress",
            "enableCoreDump",
            "extraStatTags",
            "inject",
            "interceptionMode",
            "logLevel",
            "nativeSidecar",
            "proxyCPU",
            "proxyCPULimit",
            "proxyImage",
            "proxyImageType",
            "proxyMemory",
            "proxyMemoryLimit",
            "rewriteAppHTTPProbers",
            "statsCompression",
            "statsEvictionInterval",
            "statsHistogramBuckets",
            "statsInclusionPrefixes",
            "statsInclusionRegexps",
            "statsInclusionSuffixes",
            "status",
            "userVolume",
            "userVolumeMount",
        ],
    ),
    (
        "traffic.sidecar.istio.io/",
        &[
            "excludeInboundPorts",
            "excludeInterfaces",
            "excludeOutboundIPRanges",
            "excludeOutboundPorts",
            "includeInboundPorts",
            "includeOutboundIPRanges",
            "includeOutboundPorts",
            "kubevirtInterfaces",
        ],
    ),
];
/// Annotations of other kinds, and the kinds.
const OF_OTHERS: [(&str, &[&str]); 15] = [
    ("alpha.istio.io/canonical-serviceaccounts", &["Service"]),
    ("alpha.istio.io/kubernetes-serviceaccounts", &["Service"]),
    ("gateway.istio.io/controller-version", &["Gateway"]),
    ("gateway.istio.io/name-override", &["Gateway"]),
    ("gateway.istio.io/service-account", &["Gateway"]),
    ("istio.io/autoRegistrationGroup", &["WorkloadEntry"]),
    ("istio.io/connectedAt", &["WorkloadEntry"]),
    ("istio.io/disconnectedAt", &["WorkloadEntry"]),
    ("istio.io/dry-run", &["AuthorizationPolicy"]),
    ("istio.io/workloadController", &["WorkloadEntry"]),
    ("kubernetes.io/ingress.class", &["Ingress"]),
    ("networking.istio.io/exportTo", &["Service"]),
    ("networking.istio.io/traffic-distribution", &["Service", "ServiceEntry", "Namespace"]),
    ("topology.istio.io/controlPlaneClusters", &["Namespace"]),
    ("traffic.istio.io/nodeSelector", &["Service"]),
];
/// Annotations that any object may have.
const OF_ALL: [&str; 1] = ["galley.istio.io/analyze-suppress"];

/// The problems of namespaces, services, pods and deployments, which are the ones that Istio looks at.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for object in context.objects() {
        let kind = match &object.body {
            Kind::Namespace(_) => "Namespace",
            Kind::Service(_) => "Service",
            Kind::Pod(_) => "Pod",
            Kind::Deployment(_) => "Deployment",
            _ => continue,
        };
        for (name, value) in object.meta.annotations.iter().filter(|(name, _)| is_istios(name)) {
            problems.extend(of_annotation(object, kind, name, value));
        }
    }
    problems
}

fn is_istios(name: &str) -> bool {
    let group = name.split_once('/').map_or(name, |(group, _)| group);
    group.ends_with("istio.io") || name == "kubernetes.io/ingress.class"
}

fn of_annotation(object: &Object, kind: &str, name: &str, value: &str) -> Vec<Diagnostic> {
    let Some(kinds) = kinds(name) else {
        let message = format!("Istio knows no annotation `{name}`");
        let problem = problem(object, name, codes::IST0108, message, "unknown");
        return vec![problem.istio(format!("Unknown annotation: {name}"))];
    };
    let mut problems = Vec::new();
    if name == INJECT && !object.meta.labels.contains_key(INJECT) {
        let message = format!("the annotation `{name}` is given up");
        problems.push(
            problem(object, name, codes::IST0135, message, "make it a label")
                .istio(format!("Annotation {name:?} has been deprecated in favor of the {name:?} label and may not work in future Istio versions.")),
        );
    }
    if kinds.is_empty() {
        return problems;
    }
    let list = kinds.join(", ");
    if !kinds.contains(&kind) {
        let message = format!("a {kind} does not look at `{name}`: it is for {list}");
        let told = problem(object, name, codes::IST0107, message, "has no effect");
        let told =
            told.istio(format!("Misplaced annotation: {name} can only be applied to {list}"));
        problems.push(if kind == "Deployment" && kinds.contains(&"Pod") {
            told.help("put it under `spec.template.metadata.annotations`")
        } else {
            told
        });
    } else if let Some(reason) = invalid(name, value) {
        let message = format!("`{name}` cannot be understood: {reason}");
        let told = problem(object, name, codes::IST0125, message, "not obeyed");
        problems.push(told.istio(format!("Invalid annotation {name}: {reason}")));
    }
    problems
}

/// The kinds that look at an annotation, none for all kinds. Nothing when it is unknown.
fn kinds(name: &str) -> Option<&'static [&'static str]> {
    if OF_ALL.contains(&name) {
        return Some(&[]);
    }
    if let Some((_, kinds)) = OF_OTHERS.iter().find(|(known, _)| *known == name) {
        return Some(kinds);
    }
    let of_pods = OF_PODS
        .iter()
        .any(|(group, names)| name.strip_prefix(group).is_some_and(|rest| names.contains(&rest)));
    of_pods.then_some(&["Pod"])
}

/// What is wrong with a list of ports or address ranges.
fn invalid(name: &str, value: &str) -> Option<String> {
    let what = name.strip_prefix("traffic.sidecar.istio.io/")?;
    let mut entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    if value == "*" && what.starts_with("include") {
        return None;
    }
    if what.ends_with("Ports") {
        let wrong = entries.find(|entry| entry.parse::<u16>().is_err())?;
        Some(format!("`{wrong}` is not a port"))
    } else if what.ends_with("IPRanges") {
        let is_range = |entry: &str| {
            let (address, bits) = entry.split_once('/')?;
            let address: std::net::IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            bits.parse::<u8>().ok().filter(|bits| *bits <= most)
        };
        let wrong = entries.find(|entry| is_range(entry).is_none())?;
        Some(format!("`{wrong}` is not a range of addresses"))
    } else {
        None
    }
}

fn problem(object: &Object, name: &str, code: Code, message: String, label: &str) -> Diagnostic {
    let path = FieldPath::from("metadata.annotations").field(name);
    object.diagnostic(code, &path, message, label)
}
