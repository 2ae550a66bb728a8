//! Ports of Kubernetes services whose protocol cannot be told from their declaration (IST0118), and ports of aliases
//! that take more traffic than meant (IST0150).

use pilotage_config::kubernetes::service::IntOrString;
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::known_hosts::protocol_of;
use super::{Context, SYSTEM_NAMESPACES};
use crate::protocol::Protocol;

/// The problems of all services outside of the system's namespaces.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for object in context.objects() {
        let Kind::Service(service) = &object.body else { continue };
        if SYSTEM_NAMESPACES.contains(&object.namespace()) {
            continue;
        }
        let is_alias = service.spec.type_ == "ExternalName";
        for (index, port) in service.spec.ports.iter().enumerate() {
            let path = FieldPath::spec().field("ports").index(index);
            if is_alias && (port.name.is_empty() || protocol_of(port) == Protocol::Tcp) {
                problems.push(catches_all(object, &path.field("name"), port.port));
            }
            if !protocol_of(port).is_auto() {
                continue;
            }
            let target = match &port.target_port {
                Some(IntOrString::Int(number)) => number.to_string(),
                Some(IntOrString::String(name)) => name.clone(),
                None => port.port.to_string(),
            };
            let message = format!(
                "the name `{}` of port {} does not say what the port speaks",
                port.name, port.port
            );
            problems.push(
                object
                    .value_diagnostic(codes::IST0118, &path.field("name"), message, "")
                    .help("begin the name with the protocol (`http-…`, `grpc-…`, `tcp-…`), or set appProtocol")
                    .istio(format!(
                        "Port name {} (port: {}, targetPort: {target}) doesn't follow the naming convention of Istio port.",
                        port.name, port.port
                    )),
            );
        }
    }
    problems
}

fn catches_all(object: &Object, path: &FieldPath, port: u32) -> Diagnostic {
    let message =
        format!("port {port} of an alias without address takes all connections to that port");
    object
        .value_diagnostic(codes::IST0150, path, message, "TCP")
        .help("name the port `http-…` or `tls-…`, so that hosts can be told apart")
        .istio(
            "Port name for ExternalName service is invalid. Proxy may prevent tcp named ports and unmatched traffic for \
             ports serving TCP protocol from being forwarded correctly",
        )
}
