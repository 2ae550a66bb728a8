//! Selectors of policies that mean pods of the Gateway API's gateways, which look at `targetRef` alone (IST0166).

use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Context;
use super::jwt_claims::policies;

/// The label of such pods; its value is the gateway's name.
const GATEWAY: &str = "gateway.networking.k8s.io/gateway-name";

/// One problem for each pod that a RequestAuthentication selects in vain; other policies are not read.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (object, selector) in policies(context.objects()) {
        if selector.is_empty() {
            continue;
        }
        let pods = context.pods.selected_by(selector);
        for pod in pods.filter(|pod| pod.namespace() == object.namespace()) {
            let Some(gateway) = pod.meta.labels.get(GATEWAY) else { continue };
            let message =
                format!("the pod `{}` is of the Kubernetes gateway `{gateway}`", pod.name());
            let path = FieldPath::spec().field("selector");
            problems.push(
                object
                    .diagnostic(codes::IST0166, &path, message, "has no effect on it")
                    .help("name the gateway under `targetRefs`")
                    .istio(format!(
                        "Ineffective selector on Kubernetes Gateway {gateway}. Use the TargetRef field instead."
                    )),
            );
        }
    }
    problems
}
