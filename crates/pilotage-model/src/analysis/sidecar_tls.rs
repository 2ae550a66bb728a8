//! TLS that a `Sidecar` object ends, on ports where mTLS of the mesh is taken instead (PIL0010).

use pilotage_config::object::{Kind, Object};
use pilotage_config::security::MutualTlsMode;
use pilotage_config::sidecar::Sidecar;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, ROOT_NAMESPACE};
use crate::labels::Labels;
use crate::peer_authentication::{PeerAuthentications, WorkloadMtls};

pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let policies = PeerAuthentications::build(objects.iter().copied(), ROOT_NAMESPACE);
    let mut problems = Vec::new();
    for object in objects {
        let Kind::Sidecar(sidecar) = &object.body else { continue };
        if sidecar.ingress.iter().all(|listener| listener.tls.is_none()) {
            continue;
        }
        let accepted = accepted(context, object, sidecar, &policies);
        for (index, listener) in sidecar.ingress.iter().enumerate() {
            let Some(port) = listener.port.as_ref().filter(|_| listener.tls.is_some()) else {
                continue;
            };
            let Ok(number) = u16::try_from(port.number) else { continue };
            let mut modes = accepted.iter().map(|workload| workload.of_port(number));
            if let Some(mode) = modes.find(|mode| *mode != MutualTlsMode::Disable) {
                let at = FieldPath::spec().field("ingress").index(index).field("tls");
                problems.push(problem(object, &at, number, mode));
            }
        }
    }
    problems
}

/// What the workloads of the object accept: of its pods, else of whatever has just the labels it selects.
fn accepted(
    context: &Context<'_>,
    object: &Object,
    sidecar: &Sidecar,
    policies: &PeerAuthentications,
) -> Vec<WorkloadMtls> {
    static EVERYTHING: Labels = Labels::new();
    let selector = sidecar.workload_selector.as_ref().map_or(&EVERYTHING, |s| &s.labels);
    let namespace = object.namespace();
    let pods = context.pods.selected_by(selector).filter(|pod| pod.namespace() == namespace);
    let of_pods = pods.map(|pod| policies.of_workload(namespace, &pod.meta.labels));
    let of_pods: Vec<WorkloadMtls> = of_pods.collect();
    if of_pods.is_empty() { vec![policies.of_workload(namespace, selector)] } else { of_pods }
}

fn problem(object: &Object, at: &FieldPath, port: u16, mode: MutualTlsMode) -> Diagnostic {
    let instead = if mode == MutualTlsMode::Strict { "mTLS" } else { "mTLS and plain text" };
    let message = format!(
        "`tls` of a Sidecar counts only on ports that take no mTLS of the mesh; port {port} takes {instead} instead"
    );
    object.diagnostic(codes::PIL0010, at, message, "has no effect").help(format!(
        "set `portLevelMtls: {{{port}: {{mode: DISABLE}}}}` in a PeerAuthentication that selects the workload"
    ))
}
