//! Settings of the mesh with all defaults applied.

use std::time::Duration;

use pilotage_config::mesh::{
    InboundTrafficMode, InterceptionMode, MeshConfig, MeshOutboundTrafficMode, ProxyConfig,
};

/// `MeshConfig` with Istio's defaults for all that was absent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mesh {
    config: MeshConfig,
    domain: String,
}

impl Mesh {
    /// The domain of Kubernetes services when nothing else is said.
    pub const DEFAULT_DOMAIN: &'static str = "cluster.local";

    /// Completes `config`.
    #[must_use]
    pub fn new(config: MeshConfig) -> Self {
        Self { config: config.with_defaults(), domain: Self::DEFAULT_DOMAIN.to_owned() }
    }

    /// The completed settings.
    #[must_use]
    pub fn config(&self) -> &MeshConfig {
        &self.config
    }

    /// The domain of Kubernetes services: `cluster.local` in `reviews.default.svc.cluster.local`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The namespace whose objects are for the whole mesh.
    #[must_use]
    pub fn root_namespace(&self) -> &str {
        &self.config.root_namespace
    }

    /// The time to make a connection.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        let configured = self.config.connect_timeout.and_then(pilotage_config::Duration::to_std);
        configured.unwrap_or(Duration::from_secs(10))
    }

    /// Whether mTLS is used wherever both sides can.
    #[must_use]
    pub fn auto_mtls(&self) -> bool {
        self.config.enable_auto_mtls.unwrap_or(true)
    }

    /// What happens to traffic for unknown hosts.
    #[must_use]
    pub fn outbound_mode(&self) -> MeshOutboundTrafficMode {
        self.config
            .outbound_traffic_policy
            .as_ref()
            .map_or(MeshOutboundTrafficMode::AllowAny, |policy| policy.mode)
    }

    /// Where incoming traffic goes.
    #[must_use]
    pub fn inbound_mode(&self) -> InboundTrafficMode {
        self.config.inbound_traffic_policy.as_ref().map(|policy| policy.mode).unwrap_or_default()
    }

    /// Settings for all proxies.
    #[must_use]
    pub fn proxy_config(&self) -> Option<&ProxyConfig> {
        self.config.default_config.as_ref()
    }

    /// How traffic gets to sidecars whose workload does not say, where that is not by redirection.
    #[must_use]
    pub fn interception(&self) -> Option<InterceptionMode> {
        let mode = self.proxy_config().map(|config| config.interception_mode);
        mode.filter(|mode| *mode != InterceptionMode::Redirect)
    }

    /// The SPIFFE identity of a service account.
    #[must_use]
    pub fn identity(&self, namespace: &str, service_account: &str) -> String {
        format!("spiffe://{}/ns/{namespace}/sa/{service_account}", self.config.trust_domain)
    }
}
