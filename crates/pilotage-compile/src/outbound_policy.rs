//! What a sidecar does with traffic for hosts that are not known.

use pilotage_config::mesh::MeshOutboundTrafficMode;
use pilotage_config::sidecar::OutboundTrafficMode;
use pilotage_config::virtual_service::Destination;
use pilotage_model::{Host, ProxyView};

/// What happens to traffic for hosts that are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutboundPolicy {
    /// It is refused.
    RegistryOnly,
    /// It goes to the address that the client dialled.
    AllowAny,
    /// It goes to the address of the host that the request names.
    AllowAnyDynamicDns,
    /// It goes to a proxy that knows more.
    EgressProxy(Destination),
}

/// The policy of the `Sidecar` object that applies, else that of the mesh.
pub(crate) fn of(view: &ProxyView) -> OutboundPolicy {
    let sidecar = view.sidecar.as_deref();
    let own = sidecar.and_then(|s| Some((s, s.spec.outbound_traffic_policy.as_ref()?)));
    let Some((sidecar, policy)) = own else {
        return match view.mesh.outbound_mode() {
            MeshOutboundTrafficMode::RegistryOnly => OutboundPolicy::RegistryOnly,
            MeshOutboundTrafficMode::AllowAny => OutboundPolicy::AllowAny,
            MeshOutboundTrafficMode::AllowAnyDynamicDns => OutboundPolicy::AllowAnyDynamicDns,
        };
    };
    match (policy.mode, &policy.egress_proxy) {
        (OutboundTrafficMode::RegistryOnly, _) => OutboundPolicy::RegistryOnly,
        (OutboundTrafficMode::AllowAny, None) => OutboundPolicy::AllowAny,
        (OutboundTrafficMode::AllowAny, Some(proxy)) => {
            let namespace = &sidecar.origin.object.namespace;
            let host = Host::complete(&proxy.host, namespace, view.mesh.domain());
            let host = host.as_str().to_owned();
            OutboundPolicy::EgressProxy(Destination { host, ..proxy.clone() })
        }
    }
}
