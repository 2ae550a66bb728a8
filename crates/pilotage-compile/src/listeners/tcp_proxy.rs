//! Where connections go: the TCP proxy filter, to one cluster or to several by weight.

use pilotage_config::destination_rule::{ConsistentHash, TunnelSettings};
use pilotage_config::virtual_service::{Destination, RouteDestination};
use pilotage_model::destination_rule::DestinationRule;
use pilotage_model::service::Resolution;
use pilotage_model::virtual_service::VirtualService;
use pilotage_model::{Protocol, ProxyView, ServiceView};
use pilotage_proto::envoy::config::listener::v3::Filter;
use pilotage_proto::envoy::extensions::filters::network::mongo_proxy::v3::MongoProxy;
use pilotage_proto::envoy::extensions::filters::network::sni_dynamic_forward_proxy::v3 as sni_proxy;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::weighted_cluster::ClusterWeight;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::{
    ClusterSpecifier, TunnelingConfig, WeightedCluster,
};
use pilotage_proto::envoy::r#type::v3::HashPolicy;
use pilotage_proto::envoy::r#type::v3::hash_policy::{PolicySpecifier, SourceIp};

use super::access_log::access_logs;
use super::filter_chain::filter;
use super::http_connection_manager::idle_timeout;
use crate::clusters::names;
use crate::dns_cache;
use crate::proto_ext::duration;

/// Where a listener's connections go, and as what they arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpPlace<'a> {
    /// The proxy.
    pub(crate) view: &'a ProxyView,
    /// The port of the listener, as services have it.
    pub(crate) port: u16,
    /// What the listener's port speaks.
    pub(crate) protocol: Protocol,
}

impl TcpPlace<'_> {
    /// The filters to the cluster of `service` at `port`.
    pub(crate) fn to_service(self, service: &ServiceView, port: u16) -> Vec<Filter> {
        let cluster = names::outbound(port, "", service.service.host.as_str());
        let proxy = self.to_cluster(&cluster, service.rule.as_deref(), "");
        let mut filters = self.filters(&cluster, &proxy);
        if service.service.resolution == Resolution::DynamicDns {
            filters.insert(0, resolve_server_name(self.view, service, port));
        }
        filters
    }

    /// The filters to the destinations of a rule of `service`.
    pub(crate) fn to_route(
        self,
        routes: &[RouteDestination],
        service: &VirtualService,
    ) -> Vec<Filter> {
        let destination = |route: &RouteDestination| route.destination.clone().unwrap_or_default();
        let first = routes.first().map(destination).unwrap_or_default();
        let rule = self.view.service(&first.host).and_then(|service| service.rule.as_deref());
        if let [_] = routes {
            let cluster = self.cluster_of(&first);
            let proxy = self.to_cluster(&cluster, rule, &first.subset);
            return self.filters(&cluster, &proxy);
        }
        let weighted = routes.iter().filter(|route| route.weight > 0).map(|route| ClusterWeight {
            name: self.cluster_of(&destination(route)),
            weight: route.weight.unsigned_abs(),
            ..ClusterWeight::default()
        });
        let name = format!("{}.{}", service.name, service.namespace);
        let clusters = WeightedCluster { clusters: weighted.collect() };
        let proxy = TcpProxy {
            stat_prefix: name.clone(),
            cluster_specifier: Some(ClusterSpecifier::WeightedClusters(clusters)),
            ..self.with_rule(rule, "")
        };
        self.filters(&name, &proxy)
    }

    fn to_cluster(self, cluster: &str, rule: Option<&DestinationRule>, subset: &str) -> TcpProxy {
        let TcpProxy { stat_prefix, cluster_specifier, .. } = to_cluster(cluster);
        TcpProxy { stat_prefix, cluster_specifier, ..self.with_rule(rule, subset) }
    }

    /// What a destination rule says about connections. Idle time and lifetime are those at its top level, never those
    /// of a subset or port; the mesh's defaults do not reach here.
    fn with_rule(&self, rule: Option<&DestinationRule>, subset: &str) -> TcpProxy {
        let mut proxy = TcpProxy {
            access_log: access_logs(&self.view.mesh),
            idle_timeout: idle_timeout(self.view),
            ..TcpProxy::default()
        };
        let Some(rule) = rule else { return proxy };
        let policy = rule.traffic_policy.as_deref();
        let pool = policy.and_then(|policy| policy.connection_pool.as_ref()?.tcp.as_ref());
        if let Some(pool) = pool {
            proxy.idle_timeout = pool.idle_timeout.map(duration).or(proxy.idle_timeout);
            proxy.max_downstream_connection_duration = pool.max_connection_duration.map(duration);
        }
        if hashes_source(rule, subset) {
            let source = PolicySpecifier::SourceIp(SourceIp {});
            proxy.hash_policy.push(HashPolicy { policy_specifier: Some(source) });
        }
        let tunnel =
            |policy: &pilotage_config::destination_rule::TrafficPolicy| policy.tunnel.clone();
        let of_subset =
            rule.subset(subset).and_then(|s| s.traffic_policy.as_ref()).and_then(tunnel);
        proxy.tunneling_config =
            of_subset.or_else(|| policy.and_then(tunnel)).as_ref().map(tunneling);
        proxy
    }

    /// The proxy, with the filter before it that the protocol has.
    fn filters(&self, stat_prefix: &str, proxy: &TcpProxy) -> Vec<Filter> {
        let mut filters = Vec::new();
        if self.protocol == Protocol::Mongo {
            let mongo = MongoProxy { stat_prefix: stat_prefix.to_owned() };
            filters.push(filter("envoy.filters.network.mongo_proxy", &mongo));
        }
        filters.push(tcp_filter(proxy));
        filters
    }

    /// The cluster of a destination. Without a port it is that of the listener, except for a service that has one
    /// port only.
    fn cluster_of(&self, destination: &Destination) -> String {
        let service = self.view.service(&destination.host).map(|view| &view.service);
        let port = match (&destination.port, service) {
            (Some(port), _) => port.number,
            (None, Some(service)) => match service.ports.as_slice() {
                [only] => only.number.into(),
                _ => self.port.into(),
            },
            (None, None) => self.port.into(),
        };
        let alias = service.and_then(|service| match &service.resolution {
            Resolution::Alias(target) if !service.ports.is_empty() => Some(target.as_str()),
            _ => None,
        });
        let host = alias.unwrap_or(&destination.host);
        format!("outbound|{port}|{}|{host}", destination.subset)
    }
}

/// A proxy to one cluster.
pub(crate) fn to_cluster(cluster: &str) -> TcpProxy {
    TcpProxy {
        stat_prefix: cluster.to_owned(),
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.to_owned())),
        ..TcpProxy::default()
    }
}

/// The filter to one cluster, with the mesh's access log.
pub(crate) fn cluster_filter(view: &ProxyView, cluster: &str) -> Filter {
    tcp_filter(&TcpProxy {
        access_log: access_logs(&view.mesh),
        idle_timeout: idle_timeout(view),
        ..to_cluster(cluster)
    })
}

fn tcp_filter(proxy: &TcpProxy) -> Filter {
    filter("envoy.filters.network.tcp_proxy", proxy)
}

/// Whether connections with one source address go to one endpoint: as the subset says, else the rule.
fn hashes_source(rule: &DestinationRule, subset: &str) -> bool {
    let by_source = |hash: &ConsistentHash| hash.use_source_ip == Some(true);
    let subset = rule.subset(subset).and_then(|subset| subset.traffic_policy.as_ref());
    if let Some(balancer) = subset.and_then(|policy| policy.load_balancer.as_ref()) {
        return balancer.consistent_hash.as_ref().is_some_and(by_source);
    }
    let balancer = rule.traffic_policy.as_ref().and_then(|policy| policy.load_balancer.as_ref());
    balancer.and_then(|balancer| balancer.consistent_hash.as_ref()).is_some_and(by_source)
}

fn tunneling(tunnel: &TunnelSettings) -> TunnelingConfig {
    TunnelingConfig {
        hostname: format!("{}:{}", tunnel.target_host, tunnel.target_port),
        use_post: tunnel.protocol.eq_ignore_ascii_case("POST"),
        ..TunnelingConfig::default()
    }
}

/// Looks up the address of the server name, for hosts that are known by a wildcard only.
fn resolve_server_name(view: &ProxyView, service: &ServiceView, port: u16) -> Filter {
    let config = sni_proxy::FilterConfig {
        dns_cache_config: Some(dns_cache::of_host(view, service.service.host.as_str())),
        port_specifier: Some(sni_proxy::filter_config::PortSpecifier::PortValue(port.into())),
    };
    filter("envoy.extensions.filters.network.sni_dynamic_forward_proxy", &config)
}
