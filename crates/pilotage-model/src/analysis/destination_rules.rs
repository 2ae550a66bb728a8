//! Destination rules for hosts that nobody knows (IST0174), and TLS towards servers whose certificates are not checked
//! against an authority of one's choice (IST0128, IST0129).

use pilotage_config::destination_rule::{ClientTlsMode, ClientTlsSettings, DestinationRule};
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Code, Diagnostic, FieldPath, codes};

use super::known_hosts::KnownHosts;

/// The problems of all destination rules.
pub(super) fn analyze(objects: &[&Object], hosts: &KnownHosts) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for object in objects {
        let Kind::DestinationRule(rule) = &object.body else { continue };
        if hosts.ports(&rule.host, object.namespace()).is_none() {
            let message = format!("no service has the host `{}`", rule.host);
            let path = FieldPath::spec().field("host");
            problems.push(object.value_diagnostic(codes::IST0174, &path, message, "unknown"));
        }
        problems.extend(unchecked(object, rule));
    }
    problems
}

fn unchecked(object: &Object, rule: &DestinationRule) -> Vec<Diagnostic> {
    let Some(policy) = &rule.traffic_policy else { return Vec::new() };
    let path = FieldPath::spec().field("trafficPolicy");
    let for_some = rule.workload_selector.is_some();
    let whole = policy.tls.as_ref().map(|tls| (tls, codes::IST0128, path.field("tls")));
    let ports = policy.port_level_settings.iter().enumerate().filter_map(|(index, port)| {
        let path = path.field("portLevelSettings").index(index).field("tls");
        Some((port.tls.as_ref()?, codes::IST0129, path))
    });
    let all = whole.into_iter().chain(ports);
    all.filter(|(tls, ..)| trusts_anybody(tls, for_some))
        .map(|(tls, code, path)| problem(object, tls, code, &path))
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
