//! Clusters of a service: one for each port, and one for each port and subset.

use pilotage_config::destination_rule::{LoadBalancerSettings, SimpleLb, Subset};
use pilotage_model::destination_rule::{DestinationRule, Policy};
use pilotage_model::service::{Resolution, ServicePort};
use pilotage_model::{Origin, Protocol, ProxyView, ServiceView};
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::{
    DiscoveryType, EdsClusterConfig, LbConfig, OriginalDstLbConfig,
};
use pilotage_proto::envoy::config::core::v3::{HealthStatus, HealthStatusSet};
use pilotage_proto::envoy::config::endpoint::v3::ClusterLoadAssignment;

use super::client_tls::{self, Towards};
use super::draft::Draft;
use super::names::Style;
use super::stat_names::{self, Named};
use super::{connection_pool, dns, load_balancing, metadata, outlier_detection, protocol_options};
use crate::endpoints::{self, Selection};
use crate::listeners::http_connection_manager::aggregated;
use crate::locality::Preference;

/// All clusters of a service. Another name for a service has none, and neither have UDP ports.
pub(super) fn clusters(view: &ProxyView, service: &ServiceView, style: Style) -> Vec<Cluster> {
    if matches!(service.service.resolution, Resolution::Alias(_)) {
        return Vec::new();
    }
    let mut all = Vec::new();
    for port in service.service.ports.iter().filter(|port| port.protocol != Protocol::Udp) {
        let whole = Part { view, service, port, subset: None, style };
        // Without endpoints to resolve there is nothing, subsets included.
        let Some(cluster) = whole.build() else { continue };
        all.push(cluster);
        let subsets = service.rule.iter().flat_map(|rule| &rule.subsets);
        all.extend(subsets.filter_map(|(subset, origin)| {
            Part { subset: Some((subset, origin)), ..whole }.build()
        }));
    }
    all
}

/// The names that clusters of a service may have.
pub(crate) fn names(service: &ServiceView) -> impl Iterator<Item = String> {
    let subsets = service.rule.iter().flat_map(|rule| &rule.subsets);
    let subsets = subsets.map(|(subset, _)| subset.name.as_str());
    let subsets: Vec<&str> = std::iter::once("").chain(subsets).collect();
    let of_port = move |port: &ServicePort| {
        let name = |style: Style| {
            let host = service.service.host.as_str();
            let number = port.number;
            let names: Vec<String> =
                subsets.iter().map(|subset| style.outbound(number, subset, host)).collect();
            names
        };
        [name(Style::Direct), name(Style::Sni)].concat()
    };
    service.service.ports.iter().flat_map(of_port)
}

/// A port of a service, or of a subset of it.
#[derive(Clone, Copy)]
struct Part<'a> {
    view: &'a ProxyView,
    service: &'a ServiceView,
    port: &'a ServicePort,
    subset: Option<(&'a Subset, &'a Origin)>,
    style: Style,
}

impl Part<'_> {
    fn build(&self) -> Option<Cluster> {
        let policy = self.policy();
        let service = &self.service.service;
        let mesh = &self.view.mesh;
        let preference = Preference::of(&policy, service, mesh);
        let mut draft = self.draft(&preference)?;
        protocol_options::by_port(&mut draft, self.port.protocol, self.view.proxy.is_sidecar());
        let pool = policy.connection_pool.as_ref();
        connection_pool::apply(&mut draft, pool, policy.retry_budget.as_ref(), mesh);
        protocol_options::upgrade(&mut draft, self.port.protocol, pool, mesh);
        connection_pool::apply_http2(&mut draft, pool);
        protocol_options::spell(&mut draft, self.port.protocol, mesh);
        if service.resolution != Resolution::DynamicDns {
            outlier_detection::apply(&mut draft, policy.outlier_detection.as_ref());
            load_balancing::apply(&mut draft, policy.load_balancer.as_ref(), &preference);
        }
        if self.style == Style::Direct {
            client_tls::apply(&mut draft, policy.tls.as_ref(), &self.towards());
            client_tls::prepend_address(&mut draft, policy.proxy_protocol.as_ref());
        }
        if draft.discovery() == Some(DiscoveryType::Eds) {
            draft.cluster.eds_cluster_config = Some(eds(&draft.cluster.name));
        }
        let named = Named { service, port: self.port, subset: self.subset_name(), target: None };
        draft.cluster.alt_stat_name =
            stat_names::expand(&mesh.config().outbound_cluster_stat_name, &named);
        if self.subset.is_none() && endpoints::keeps_sessions(service) {
            keep_sessions(&mut draft);
        }
        let mut described = metadata::of_service(service);
        if let Some(rule) = &self.service.rule {
            let subset = self.subset.map(|(subset, origin)| (subset.name.as_str(), origin));
            let tls = policy.tls.as_ref().map(|tls| tls.mode);
            metadata::add_rule(&mut described, &rule.origin, subset, tls);
        }
        draft.cluster.metadata = Some(described);
        Some(draft.finish())
    }

    fn subset_name(&self) -> &str {
        self.subset.map_or("", |(subset, _)| subset.name.as_str())
    }

    fn policy(&self) -> Policy {
        endpoints::policy(self.view, self.service, self.port.number, self.subset_name())
    }

    /// The cluster with its way of finding endpoints; nothing for names to resolve when there are none.
    fn draft(&self, preference: &Preference<'_>) -> Option<Draft> {
        let service = &self.service.service;
        let number = self.port.number;
        let name = self.style.outbound(number, self.subset_name(), service.host.as_str());
        let sidecar = self.view.proxy.is_sidecar();
        let discovery = match service.resolution {
            // What the rule passes through, no subset brings back; and a subset may do so by itself.
            _ if self.subset.is_some() && self.is_dialled() => DiscoveryType::OriginalDst,
            Resolution::Dns => DiscoveryType::StrictDns,
            Resolution::DnsRoundRobin => DiscoveryType::LogicalDns,
            // No connection to a gateway was meant for somebody else.
            Resolution::Passthrough if sidecar => DiscoveryType::OriginalDst,
            _ => DiscoveryType::Eds,
        };
        let mut draft = Draft::new(name, discovery);
        match service.resolution {
            Resolution::Dns | Resolution::DnsRoundRobin if draft.is_original_destination() => {}
            Resolution::DynamicDns => {
                dns::resolve_each_request(&mut draft, service.host.as_str(), self.view);
            }
            Resolution::Dns | Resolution::DnsRoundRobin => {
                dns::apply(&mut draft, self.view);
                let cluster_name = draft.cluster.name.clone();
                let selection = Selection {
                    view: self.view,
                    service: self.service,
                    port: number,
                    subset: self.subset_name(),
                    style: self.style,
                };
                let endpoints = selection.resolved(preference);
                if endpoints.is_empty() {
                    return None;
                }
                draft.cluster.load_assignment = Some(ClusterLoadAssignment {
                    cluster_name,
                    endpoints,
                    ..ClusterLoadAssignment::default()
                });
            }
            Resolution::Passthrough if sidecar => {
                if let pilotage_model::service::TargetPort::Number(target) = self.port.target
                    && !service.is_kubernetes()
                {
                    let upstream_port_override = Some(u32::from(target));
                    let config =
                        OriginalDstLbConfig { upstream_port_override, ..Default::default() };
                    draft.cluster.lb_config = Some(LbConfig::OriginalDstLbConfig(config));
                }
            }
            _ => {}
        }
        Some(draft)
    }

    /// Whether the rule, or the subset by itself, sends traffic to the address that was dialled.
    fn is_dialled(&self) -> bool {
        let passes = |balancer: Option<&LoadBalancerSettings>| {
            balancer.and_then(|balancer| balancer.simple) == Some(SimpleLb::Passthrough)
        };
        let whole = Part { subset: None, ..*self }.policy();
        let own = self.subset.and_then(|(subset, _)| subset.traffic_policy.as_ref());
        passes(whole.load_balancer.as_ref())
            || passes(own.and_then(|policy| policy.load_balancer.as_ref()))
    }

    fn towards(&self) -> Towards<'_> {
        let rule: Option<&DestinationRule> = self.service.rule.as_deref();
        let written = match self.subset {
            Some((subset, _)) => subset.traffic_policy.as_ref(),
            None => rule.and_then(|rule| rule.traffic_policy.as_deref()),
        };
        Towards {
            view: self.view,
            service: self.service,
            port: self.port.number,
            subset: self.subset_name(),
            written,
            rule_selects: rule.is_some_and(|rule| rule.selector.is_some()),
        }
    }
}

/// Lets sessions go on with endpoints that take nothing new.
fn keep_sessions(draft: &mut Draft) {
    let states = [
        HealthStatus::Healthy,
        HealthStatus::Draining,
        HealthStatus::Unknown,
        HealthStatus::Degraded,
    ];
    let statuses = states.map(|state| state as i32).to_vec();
    let common = draft.cluster.common_lb_config.get_or_insert_default();
    common.override_host_status = Some(HealthStatusSet { statuses });
}

/// Endpoints come over the same stream as everything else, and the cluster waits for them.
pub(crate) fn eds(name: &str) -> EdsClusterConfig {
    EdsClusterConfig { service_name: name.to_owned(), eds_config: Some(aggregated()) }
}
