//! Destination rules for hosts that nobody knows (IST0174), and TLS towards servers whose certificates are not checked
//! against an authority of one's choice (IST0128, IST0129).

use pilotage_config::destination_rule::{ClientTlsMode, ClientTlsSettings, DestinationRule};
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Code, Diagnostic, FieldPath, codes};

use super::Context;

/// The rules among objects.
pub(super) fn destination_rules<'a>(
    objects: &'a [&'a Object],
) -> impl Iterator<Item = (&'a Object, &'a DestinationRule)> {
    objects.iter().filter_map(|object| match &object.body {
        Kind::DestinationRule(rule) => Some((*object, &**rule)),
        _ => None,
    })
}

/// Rules for hosts that nobody knows.
pub(super) fn unknown_hosts(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (object, rule) in destination_rules(context.objects()) {
        let host = &rule.host;
        if context.hosts.ports(host, object.namespace()).is_none() {
            let message = format!("no service has the host `{host}`");
            let path = FieldPath::spec().field("host");
            let problem = object.value_diagnostic(codes::IST0174, &path, message, "unknown");
            problems.push(problem.istio(format!(
                "The host {host} defined in the DestinationRule does not match any services in the mesh."
            )));
        }
    }
    problems
}

/// Rules that ask for TLS without a way to tell the right server.
pub(super) fn unchecked_certificates(context: &Context<'_>) -> Vec<Diagnostic> {
    destination_rules(context.objects())
        .flat_map(|(object, rule)| unchecked(object, rule))
        .collect()
}

fn unchecked(object: &Object, rule: &DestinationRule) -> Vec<Diagnostic> {
    let Some(policy) = &rule.traffic_policy else { return Vec::new() };
    let path = FieldPath::spec().field("trafficPolicy");
    let for_some = rule.workload_selector.is_some();
    let whole =
        policy.tls.as_ref().map(|tls| (tls, codes::IST0128, path.field("tls"), String::new()));
    let ports = policy.port_level_settings.iter().enumerate().filter_map(|(index, port)| {
        let path = path.field("portLevelSettings").index(index).field("tls");
        let number = port.port.as_ref().map_or(0, |port| port.number);
        Some((port.tls.as_ref()?, codes::IST0129, path, format!(" at port number:{number}")))
    });
    let all = whole.into_iter().chain(ports);
    all.filter(|(tls, ..)| trusts_anybody(tls, for_some))
        .map(|(tls, code, path, port)| {
            let name = object.name();
            let namespace = object.namespace();
            problem(object, tls, code, &path).istio(format!(
                "DestinationRule {namespace}/{name} in namespace {namespace} has TLS mode set to {} but no \
                 caCertificates are set to validate server identity for host: {}{port}",
                tls.mode.as_str(),
                rule.host
            ))
        })
        .collect()
}

/// Whether nothing says who signs the server's certificate. A secret can, for rules that single workloads use.
fn trusts_anybody(tls: &ClientTlsSettings, for_some: bool) -> bool {
    matches!(tls.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual)
        && tls.ca_certificates.is_empty()
        && (tls.credential_name.is_empty() || !for_some)
}

fn problem(object: &Object, tls: &ClientTlsSettings, code: Code, path: &FieldPath) -> Diagnostic {
    let message =
        format!("TLS of mode {} without saying who signs certificates", tls.mode.as_str());
    object
        .value_diagnostic(code, path, message, "no caCertificates")
        .help("set caCertificates; without it the system's authorities count")
}
