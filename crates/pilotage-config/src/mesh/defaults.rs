//! Istio's defaults for the settings of the mesh.

use super::{
    DefaultTrafficPolicy, MeshConfig, MeshOutboundTrafficMode, MeshOutboundTrafficPolicy,
    ProxyConfig,
};
use crate::destination_rule::LocalityLbSetting;
use crate::duration::Duration;

impl MeshConfig {
    /// The settings with Istio's defaults for all that is absent.
    #[must_use]
    pub fn with_defaults(mut self) -> Self {
        let everywhere = || vec!["*".to_owned()];
        self.proxy_listen_port.get_or_insert(15001);
        self.proxy_inbound_listen_port.get_or_insert(15006);
        self.proxy_http_port.get_or_insert(0);
        self.connect_timeout.get_or_insert(Duration::from_secs(10));
        self.hbone_idle_timeout.get_or_insert(Duration::from_secs(3600));
        self.protocol_detection_timeout.get_or_insert(Duration::ZERO);
        self.outbound_traffic_policy.get_or_insert(MeshOutboundTrafficPolicy {
            mode: MeshOutboundTrafficMode::AllowAny,
            tls: None,
        });
        self.inbound_traffic_policy.get_or_insert_default();
        self.enable_auto_mtls.get_or_insert(true);
        or_text(&mut self.trust_domain, "cluster.local");
        or_text(&mut self.root_namespace, "istio-system");
        or_list(&mut self.default_service_export_to, everywhere);
        or_list(&mut self.default_virtual_service_export_to, everywhere);
        or_list(&mut self.default_destination_rule_export_to, everywhere);
        self.locality_lb_setting
            .get_or_insert_with(|| LocalityLbSetting { enabled: Some(true), ..Default::default() });
        self.dns_refresh_rate.get_or_insert(Duration::from_secs(60));
        or_text(&mut self.ingress_class, "istio");
        or_text(&mut self.ingress_service, "istio-ingressgateway");
        self.default_traffic_policy.get_or_insert_with(DefaultTrafficPolicy::default);
        self.default_config = Some(self.default_config.unwrap_or_default().with_defaults());
        self
    }
}

impl ProxyConfig {
    /// The settings with Istio's defaults for all that is absent.
    #[must_use]
    pub fn with_defaults(mut self) -> Self {
        self.drain_duration.get_or_insert(Duration::from_secs(45));
        self.termination_drain_duration.get_or_insert(Duration::from_secs(5));
        self.status_port.get_or_insert(15020);
        self.proxy_admin_port.get_or_insert(15000);
        self.stat_name_length.get_or_insert(189);
        self.hold_application_until_proxy_starts.get_or_insert(false);
        or_text(&mut self.discovery_address, "istiod.istio-system.svc:15012");
        self
    }
}

fn or_text(place: &mut String, default: &str) {
    if place.is_empty() {
        default.clone_into(place);
    }
}

fn or_list(place: &mut Vec<String>, default: impl Fn() -> Vec<String>) {
    if place.is_empty() {
        *place = default();
    }
}
