//! Rules of a Sidecar.

use std::collections::BTreeSet;

use super::checker::Checker;
use super::hosts::{self, ScopedHost};
use super::{connection_pool, destination, gateway, names, ports, selector, server_tls};
use crate::codes;
use crate::field_path::FieldPath;
use crate::sidecar::{
    CaptureMode, EgressListener, IngressListener, OutboundTrafficMode, OutboundTrafficPolicy,
    Sidecar, SidecarPort,
};

pub(super) fn check(spec: &Sidecar, checker: &mut Checker<'_>) {
    let at = FieldPath::spec();
    if let Some(workloads) = &spec.workload_selector {
        let at = at.field("workloadSelector").field("labels");
        selector::workload_selector(&workloads.labels, &at, checker);
    }
    let is_empty = spec.egress.is_empty()
        && spec.ingress.is_empty()
        && spec.outbound_traffic_policy.is_none()
        && spec.inbound_connection_pool.is_none();
    if is_empty {
        checker.error(&at, "a Sidecar has to say something", "needs `egress` or `ingress`");
    }
    ingress(&spec.ingress, &at.field("ingress"), checker);
    if let Some(pool) = &spec.inbound_connection_pool {
        connection_pool::check(pool, &at.field("inboundConnectionPool"), checker);
    }
    egress(&spec.egress, &at.field("egress"), checker);
    if let Some(policy) = &spec.outbound_traffic_policy {
        outbound(policy, &at.field("outboundTrafficPolicy"), checker);
    }
}

fn ingress(listeners: &[IngressListener], list: &FieldPath, checker: &mut Checker<'_>) {
    let mut numbers = BTreeSet::new();
    for (index, listener) in listeners.iter().enumerate() {
        let at = list.index(index);
        let Some(port) = &listener.port else {
            checker.error(&at, "an ingress listener needs a port", "needs `port`");
            continue;
        };
        check_port(port, &at.field("port"), checker);
        ports::number(port.number, &at.field("port").field("number"), checker);
        if !numbers.insert(port.number) {
            let at = at.field("port").field("number");
            checker.error(&at, format!("port {} has a listener already", port.number), "again");
        }
        if !listener.bind.is_empty() && !names::is_ip(&listener.bind) {
            let message = format!("`{}` is not an IP address", listener.bind);
            checker.error(&at.field("bind"), message, "not an address");
        }
        default_endpoint(&listener.default_endpoint, &at.field("defaultEndpoint"), checker);
        ingress_tls(listener, port, &at, checker);
        if let Some(pool) = &listener.connection_pool {
            let at = at.field("connectionPool");
            connection_pool::check(pool, &at, checker);
            if pool.http.is_some() && !ports::is_plain_http(&port.protocol) {
                let message =
                    format!("port {} carries no HTTP, so `http` does nothing", port.number);
                checker.warning(&at.field("http"), message, "has no effect");
            }
        }
    }
}

fn ingress_tls(
    listener: &IngressListener,
    port: &SidecarPort,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    use crate::gateway::ServerTlsMode;

    let Some(tls) = &listener.tls else { return };
    let at = at.field("tls");
    let unsupported = [
        ("subjectAltNames", !tls.subject_alt_names.is_empty()),
        ("httpsRedirect", tls.https_redirect),
        ("credentialName", !tls.credential_name.is_empty()),
        ("credentialNames", !tls.credential_names.is_empty()),
        ("tlsCertificates", !tls.tls_certificates.is_empty()),
    ];
    for (field, _) in unsupported.iter().filter(|(_, is_set)| *is_set) {
        checker.error(&at.field(field), format!("a sidecar has no `{field}`"), "gateways only");
    }
    if matches!(tls.mode, ServerTlsMode::IstioMutual | ServerTlsMode::AutoPassthrough) {
        let message = format!("mode {} is for gateways", tls.mode.as_str());
        checker.error(&at.field("mode"), message, "SIMPLE, MUTUAL or OPTIONAL_MUTUAL");
    }
    if !ports::is_tls(&port.protocol) {
        let message = format!("a port of protocol {} has no TLS settings", port.protocol);
        checker.error(&at, message, "not here");
    }
    server_tls::check(tls, &at, checker);
    if !tls.ca_cert_credential_name.is_empty() {
        let message = "a sidecar takes the authorities of its clients from `caCertificates` only";
        checker.problem(
            codes::PIL0010,
            &at.field("caCertCredentialName"),
            message,
            "has no effect",
        );
    }
    if tls.mode == ServerTlsMode::Passthrough {
        let message = "mode PASSTHROUGH leaves TLS to the workload, as without `tls`";
        checker.problem(codes::PIL0010, &at.field("mode"), message, "has no effect");
    }
}

fn default_endpoint(endpoint: &str, at: &FieldPath, checker: &mut Checker<'_>) {
    if endpoint.is_empty() {
        return;
    }
    if let Some(path) = endpoint.strip_prefix("unix://") {
        gateway::unix_path(path, at, checker);
        return;
    }
    let own = ["", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"];
    let fits = endpoint.rsplit_once(':').is_some_and(|(host, port)| {
        own.contains(&host) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if !fits {
        checker.error(
            at,
            format!("`{endpoint}` is not an endpoint of the workload itself"),
            "127.0.0.1:port, 0.0.0.0:port, [::1]:port, [::]:port or unix:///path",
        );
    }
}

fn egress(listeners: &[EgressListener], list: &FieldPath, checker: &mut Checker<'_>) {
    let mut numbers = BTreeSet::new();
    let mut sockets = BTreeSet::new();
    for (index, listener) in listeners.iter().enumerate() {
        let at = list.index(index);
        match &listener.port {
            None if index + 1 < listeners.len() => checker.error(
                &at,
                "the listener without port takes all other ports, so it comes last",
                "has to be the last one",
            ),
            None => {}
            Some(port) if listener.bind.starts_with("unix://") => {
                egress_socket(listener, port, &mut sockets, &at, checker);
            }
            Some(port) => {
                check_port(port, &at.field("port"), checker);
                ports::number(port.number, &at.field("port").field("number"), checker);
                if !numbers.insert(port.number) {
                    let at = at.field("port").field("number");
                    checker.error(
                        &at,
                        format!("port {} has a listener already", port.number),
                        "again",
                    );
                }
            }
        }
        let bind = &listener.bind;
        if !bind.is_empty() && !bind.starts_with("unix://") && !names::is_ip(bind) {
            checker.error(
                &at.field("bind"),
                format!("`{bind}` is not an IP address"),
                "not an address",
            );
        }
        egress_hosts(listener, &at, checker);
    }
}

fn egress_socket<'a>(
    listener: &'a EgressListener,
    port: &SidecarPort,
    sockets: &mut BTreeSet<&'a str>,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    let path = listener.bind.trim_start_matches("unix://");
    gateway::unix_path(path, &at.field("bind"), checker);
    if port.number != 0 {
        let at = at.field("port").field("number");
        checker.error(&at, "a listener on a unix socket has no port number", "has to be 0");
    }
    if !matches!(listener.capture_mode, CaptureMode::Default | CaptureMode::None) {
        let at = at.field("captureMode");
        checker.error(&at, "connections to a unix socket cannot be captured", "DEFAULT or NONE");
    }
    if !sockets.insert(path) {
        checker.error(
            &at.field("bind"),
            format!("socket `{path}` has a listener already"),
            "again",
        );
    }
}

fn egress_hosts(listener: &EgressListener, at: &FieldPath, checker: &mut Checker<'_>) {
    if listener.hosts.is_empty() {
        checker.error(at, "an egress listener imports at least one host", "needs `hosts`");
    }
    let mut seen = BTreeSet::new();
    for (index, text) in listener.hosts.iter().enumerate() {
        let at = at.field("hosts").index(index);
        let host = ScopedHost::parse(text);
        if host.namespace.is_none() {
            checker.error(&at, format!("`{text}` needs a namespace"), "namespace/name, or */name");
            continue;
        }
        host.check_namespace("~", &at, checker);
        host.check_name(&at, checker);
        let whole_namespace = host.namespace.map(|namespace| format!("{namespace}/*"));
        if !seen.insert(text.as_str()) {
            checker.warning(&at, format!("`{text}` is listed twice"), "again");
        } else if host.name != "*" && whole_namespace.is_some_and(|w| listener.hosts.contains(&w)) {
            checker.warning(&at, format!("`{text}` is imported with its whole namespace"), "again");
        }
    }
    let imports = listener.hosts.iter().filter(|host| !host.starts_with('~'));
    if imports.clone().count() > 1 && imports.clone().any(|host| host == "*/*") {
        let at = at.field("hosts");
        checker.warning(
            &at,
            "`*/*` imports everything, so the other hosts add nothing",
            "superfluous",
        );
    }
}

fn check_port(port: &SidecarPort, at: &FieldPath, checker: &mut Checker<'_>) {
    if port.target_port > 0 {
        checker.error(
            &at.field("targetPort"),
            "`targetPort` does nothing in a Sidecar",
            "remove it",
        );
    }
    if !port.name.is_empty() && !names::is_dns_label(&port.name) {
        let message = format!("`{}` is not a name for a port", port.name);
        checker.error(&at.field("name"), message, "letters, digits and dashes");
    }
    if !port.protocol.is_empty() && !ports::is_protocol(&port.protocol) {
        let message = format!("`{}` is not a protocol that Istio knows", port.protocol);
        checker.error(&at.field("protocol"), message, "unknown protocol");
    }
}

fn outbound(policy: &OutboundTrafficPolicy, at: &FieldPath, checker: &mut Checker<'_>) {
    let Some(proxy) = &policy.egress_proxy else { return };
    let at = at.field("egressProxy");
    let message = "the egress proxy of a Sidecar is deprecated, and still works";
    checker.problem(codes::IST0002, &at, message, "route through an egress gateway instead");
    checker.istio("Deprecated: OutboundTrafficPolicy.EgressProxy ignored");
    if policy.mode != OutboundTrafficMode::AllowAny {
        checker.error(
            &at,
            "an egress proxy takes unknown traffic, so it needs mode ALLOW_ANY",
            "ALLOW_ANY only",
        );
    }
    if hosts::host_name(&proxy.host, &at.field("host"), checker) {
        destination::check(proxy, &at, checker);
    }
    if proxy.port.is_none() {
        checker.error(&at, "an egress proxy needs a port", "needs `port`");
    }
}
