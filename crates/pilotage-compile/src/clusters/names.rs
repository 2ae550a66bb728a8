//! Names of clusters.

/// Traffic to unknown destinations that is not let through.
pub(crate) const BLACK_HOLE: &str = "BlackHoleCluster";
/// Traffic to unknown destinations that is let through.
pub(crate) const PASSTHROUGH: &str = "PassthroughCluster";
/// Traffic to unknown hosts that is let through to wherever their names lead.
pub(crate) const ALLOW_ANY_DYNAMIC_DNS: &str = "AllowAnyDynamicDNSCluster";
/// Traffic to ports of the workload that no service names.
pub(crate) const INBOUND_PASSTHROUGH: &str = "InboundPassthroughCluster";

/// How a cluster is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// By routes: `outbound|80|v1|host`.
    Direct,
    /// By the SNI of mTLS connections that a gateway passes on: `outbound_.80_.v1_.host`.
    Sni,
}

impl Style {
    /// The name of an outbound cluster; an empty subset is the service as a whole.
    pub(crate) fn outbound(self, port: u16, subset: &str, host: &str) -> String {
        match self {
            Self::Direct => outbound(port, subset, host),
            Self::Sni => sni(port, subset, host),
        }
    }
}

/// The name of an outbound cluster; an empty subset is the service as a whole.
pub(crate) fn outbound(port: u16, subset: &str, host: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}

/// The SNI of mTLS connections to a cluster.
pub(crate) fn sni(port: u16, subset: &str, host: &str) -> String {
    format!("outbound_.{port}_.{subset}_.{host}")
}

/// Whether this is the name of a cluster of a service.
pub(crate) fn is_outbound(name: &str) -> bool {
    name.starts_with("outbound|") || name.starts_with("outbound_.")
}

/// The name of the cluster towards a port of the proxy's own workload.
pub(crate) fn inbound(port: u16) -> String {
    format!("inbound|{port}||")
}
