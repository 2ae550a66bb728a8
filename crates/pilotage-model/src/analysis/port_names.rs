//! Ports of Kubernetes services whose protocol cannot be told from their declaration (IST0118).

use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::SYSTEM_NAMESPACES;
use super::known_hosts::protocol_of;

/// The problems of all services outside of the system's namespaces.
pub(super) fn analyze(objects: &[&Object]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for object in objects {
        let Kind::Service(service) = &object.body else { continue };
        if SYSTEM_NAMESPACES.contains(&object.namespace()) {
            continue;
        }
        for (index, port) in service.spec.ports.iter().enumerate() {
            if !protocol_of(port).is_auto() {
                continue;
            }
            let path = FieldPath::spec().field("ports").index(index);
            let message = format!(
                "the name `{}` of port {} does not say what the port speaks",
                port.name, port.port
            );
            problems.push(
                object
                    .value_diagnostic(codes::IST0118, &path.field("name"), message, "")
                    .help("begin the name with the protocol (`http-…`, `grpc-…`, `tcp-…`), or set appProtocol"),
            );
        }
    }
    problems
}
