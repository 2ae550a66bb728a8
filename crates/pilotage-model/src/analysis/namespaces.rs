//! Namespaces that say nothing about sidecar injection (IST0102).

use pilotage_config::object::Kind;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, SYSTEM_NAMESPACES};

/// Labels that decide about injection, or about taking part without sidecars.
const DECIDING: [&str; 3] = ["istio-injection", "istio.io/rev", "istio.io/dataplane-mode"];
/// The problems of all namespaces.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let undecided = context.objects().iter().filter(|object| {
        matches!(object.body, Kind::Namespace(_))
            && !SYSTEM_NAMESPACES.contains(&object.name())
            && !DECIDING.iter().any(|label| object.meta.labels.contains_key(*label))
    });
    undecided
        .map(|object| {
            let message = format!(
                "the namespace `{}` does not say whether its pods get sidecars",
                object.name()
            );
            let path = FieldPath::from("metadata.name");
            let name = object.name();
            object
                .value_diagnostic(codes::IST0102, &path, message, "no label about injection")
                .help("set the label `istio-injection` to `enabled` or `disabled`")
                .istio(format!(
                    "The namespace is not enabled for Istio injection. Run 'kubectl label namespace {name} \
                     istio-injection=enabled' to enable it, or 'kubectl label namespace {name} \
                     istio-injection=disabled' to explicitly mark it as not needing injection."
                ))
        })
        .collect()
}
