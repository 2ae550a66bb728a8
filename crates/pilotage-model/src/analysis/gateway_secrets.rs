//! Gateways without pods, and certificates that a gateway's pods do not find (IST0101) or cannot use (IST0161).

use std::collections::BTreeMap;

use pilotage_config::gateway::Gateway;
use pilotage_config::kubernetes::Secret;
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, Timestamp, codes};

use super::Context;
use super::shared_gateways::gateways;
use crate::certificates;
use crate::labels::selector_text;
use crate::secrets::TlsSecret;

/// Secrets by namespace and name.
type Secrets<'a> = BTreeMap<(&'a str, &'a str), (&'a Object, &'a Secret)>;

/// The problems of all gateways. Secrets are looked for in the namespace of the first pod that the gateway selects.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let secrets: Secrets<'_> = objects
        .iter()
        .filter_map(|object| match &object.body {
            Kind::Secret(secret) => {
                Some(((object.namespace(), object.name()), (*object, &**secret)))
            }
            _ => None,
        })
        .collect();
    let mut problems = Vec::new();
    for (object, gateway) in gateways(objects) {
        match context.pods.selected_by(&gateway.selector).next() {
            Some(pod) => {
                let namespace = pod.namespace();
                problems.extend(of_servers(object, gateway, namespace, &secrets, context.now));
            }
            None => problems.push(without_pods(object, gateway)),
        }
    }
    problems
}

fn without_pods(object: &Object, gateway: &Gateway) -> Diagnostic {
    let selector = selector_text(&gateway.selector);
    let message = format!("no pod has the labels `{}`", selector.replace(',', ", "));
    object
        .value_diagnostic(
            codes::IST0101,
            &FieldPath::spec().field("selector"),
            message,
            "selects nothing",
        )
        .istio(format!("Referenced selector not found: {selector:?}"))
}

/// The secrets that servers name and that are not there, or are no certificate.
fn of_servers(
    object: &Object,
    gateway: &Gateway,
    namespace: &str,
    secrets: &Secrets<'_>,
    now: Option<Timestamp>,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (index, server) in gateway.servers.iter().enumerate() {
        let name = server.tls.as_ref().map_or("", |tls| tls.credential_name.as_str());
        if name.is_empty() {
            continue;
        }
        let wanted = name.split_once('/').unwrap_or((namespace, name));
        let path = FieldPath::spec().field("servers").index(index).field("tls");
        let path = path.field("credentialName");
        match secrets.get(&wanted) {
            None => {
                let message = format!("there is no Secret `{}/{}`", wanted.0, wanted.1);
                problems.push(
                    object
                        .value_diagnostic(codes::IST0101, &path, message, "no such secret")
                        .note("secrets are looked for where the gateway's pods run")
                        .istio(format!("Referenced credentialName not found: {name:?}")),
                );
            }
            Some((secret, values)) => {
                if let Err(reason) = usable(values, now) {
                    problems.push(unusable(object, &path, secret, &reason, namespace));
                }
            }
        }
    }
    problems
}

/// Whether a secret is a certificate with its key that can be used now.
fn usable(secret: &Secret, now: Option<Timestamp>) -> Result<(), String> {
    let Some((certificate, _)) = TlsSecret::new(secret).certificate else {
        return Err("has neither `tls.crt` and `tls.key` nor `cert` and `key`".to_owned());
    };
    certificates::check(&certificate.0, now).map_err(|error| error.to_string())
}

fn unusable(
    object: &Object,
    path: &FieldPath,
    secret: &Object,
    reason: &str,
    namespace: &str,
) -> Diagnostic {
    let message = format!("the Secret `{}/{}` {reason}", secret.namespace(), secret.name());
    let problem = object
        .value_diagnostic(codes::IST0161, path, message, "cannot be used")
        .note("clients of this server fail in the TLS handshake")
        .istio(format!(
            "The credential referenced by the Gateway {} in namespace {namespace} is invalid, which can cause the \
             traffic not to work as expected.",
            object.name()
        ));
    secret.also_value(problem, &FieldPath::from("metadata.name"), "this one")
}
