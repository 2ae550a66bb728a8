//! Compiling clusters.
//!
//! Cluster filters whose names begin with `istio.` and settings of statistics are accepted and ignored on purpose: they
//! do not change where requests go. Health checking by the proxy is not built, which gives a warning.

use std::time::Duration;

use pilotage_proto::envoy::config::cluster::v3::Cluster as Proto;
use pilotage_proto::envoy::config::cluster::v3::cluster::common_lb_config::LocalityConfigSpecifier;
use pilotage_proto::envoy::config::cluster::v3::cluster::ring_hash_lb_config::HashFunction;
use pilotage_proto::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, ClusterProtocolSelection, DiscoveryType, LbConfig,
    LbPolicy,
};
use pilotage_proto::envoy::config::core::v3::{Http1ProtocolOptions, HttpProtocolOptions as CommonOptions, TcpKeepalive as KeepaliveProto};
use pilotage_proto::envoy::extensions::clusters::dynamic_forward_proxy::v3::ClusterConfig as ForwardProxy;
use pilotage_proto::envoy::extensions::clusters::dynamic_forward_proxy::v3::cluster_config::ClusterImplementationSpecifier;
use pilotage_proto::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use pilotage_proto::envoy::extensions::upstreams::http::v3::http_protocol_options::UpstreamProtocolOptions;
use pilotage_proto::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use pilotage_proto::unpack;

use super::{ClusterSettings, Discovery, ServiceName, TcpKeepalive};
use crate::circuit_breakers::CircuitBreakers;
use crate::connection_limits::ConnectionLimits;
use crate::dns::DnsSettings;
use crate::durations::optional;
use crate::endpoint_set::EndpointSetOptions;
use crate::header_names::HeaderNames;
use crate::http2_options::Http2Options;
use crate::load_balancing::{Hashing, Policy, SlowStart};
use crate::outlier_detection::OutlierDetection;
use crate::rejection::{FieldError, Warnings};
use crate::upstream_protocol::UpstreamProtocol;
use crate::upstream_tls::{ServerNamePolicy, TlsChoice};
use crate::zone_routing::ZoneAware;

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Key of the HTTP options of a cluster.
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

impl ClusterSettings {
    pub(crate) fn compile(proto: &Proto, warnings: &mut Warnings) -> Result<Self, FieldError> {
        note_unsupported(proto, warnings);
        let discovery = discovery(proto)?;
        let http = http_options(proto)?;
        let common = http
            .as_ref()
            .and_then(|h| h.common_http_protocol_options)
            .or(proto.common_http_protocol_options);
        let common = common.unwrap_or_default();
        let limits = ConnectionLimits::compile(&common)?;
        let tls = TlsChoice::compile(proto, warnings)?;
        let policy = policy(proto, discovery, warnings)?;
        let hashing = match policy {
            Policy::ConsistentHash(hashing) => Some(hashing),
            _ => None,
        };
        let slow_start = slow_start(proto)?;
        let outlier_detection = proto.outlier_detection.as_ref().map(|detection| {
            OutlierDetection::compile(detection, http.as_ref(), warnings)
                .map_err(|e| e.within("outlier_detection"))
        });
        let outlier_detection = outlier_detection.transpose()?;
        let endpoint_options = EndpointSetOptions {
            hashing,
            by_load: matches!(policy, Policy::LeastRequest { .. }),
            ignores_weights: policy == Policy::Random,
            slow_start: slow_start.is_some(),
            ejects: outlier_detection.is_some(),
            ..endpoint_options(proto, warnings)
        };
        Ok(Self {
            name: proto.name.as_str().into(),
            stat_name: match proto.alt_stat_name.as_str() {
                "" => proto.name.as_str().into(),
                other => other.into(),
            },
            service: ServiceName::of(proto),
            discovery,
            policy,
            slow_start,
            outlier_detection,
            hashes_requests: hashing.is_some(),
            connect_timeout: optional("connect_timeout", proto.connect_timeout.as_ref())?
                .filter(|timeout| !timeout.is_zero())
                .unwrap_or(DEFAULT_CONNECT_TIMEOUT),
            protocol: protocol(proto, http.as_ref()),
            http1_trailers: http1_options(proto, http.as_ref())
                .is_some_and(|http1| http1.enable_trailers),
            header_names: http1_options(proto, http.as_ref())
                .map_or(Ok(HeaderNames::default()), HeaderNames::compile)
                .map_err(|error| error.within("http_protocol_options"))?,
            http2: http2_options(proto, http.as_ref(), warnings)?,
            circuit_breakers: CircuitBreakers::compile(proto.circuit_breakers.as_ref(), warnings),
            idle_timeout: limits.idle_timeout,
            max_connection_duration: limits.max_duration,
            max_requests_per_connection: max_requests(proto, &common),
            max_headers_count: limits.max_headers_count,
            tcp_keepalive: proto
                .upstream_connection_options
                .as_ref()
                .and_then(|options| options.tcp_keepalive.as_ref())
                .map(keepalive),
            source_address: source_address(proto)?,
            proxy_protocol: tls.proxy_protocol,
            tls: tls.choose(None),
            server_name: server_name(discovery, http.as_ref())?,
            tls_choice: tls,
            endpoint_options,
            dns: dns(proto)?,
        })
    }

    /// Name under which EDS delivers the endpoints.
    pub(crate) fn eds_name(proto: &Proto) -> &str {
        let service = proto.eds_cluster_config.as_ref().map(|config| config.service_name.as_str());
        service.filter(|name| !name.is_empty()).unwrap_or(&proto.name)
    }
}

/// Fields that are accepted and not obeyed.
fn note_unsupported(proto: &Proto, warnings: &mut Warnings) {
    if !proto.health_checks.is_empty() {
        warnings.note("health_checks", "endpoints are not checked by this proxy");
    }
    if proto.lb_subset_config.is_some() {
        warnings.note("lb_subset_config", "subsets of endpoints by metadata are not supported");
    }
    for (index, filter) in proto.filters.iter().enumerate() {
        if !filter.name.starts_with("istio.") {
            let message = format!("filter {} is not supported", filter.name);
            warnings.note(&format!("filters[{index}]"), message);
        }
    }
}

fn discovery(proto: &Proto) -> Result<Discovery, FieldError> {
    match &proto.cluster_discovery_type {
        None => Ok(Discovery::Static),
        Some(ClusterDiscoveryType::Type(kind)) => match DiscoveryType::try_from(*kind) {
            Ok(DiscoveryType::Static) => Ok(Discovery::Static),
            Ok(DiscoveryType::StrictDns) => Ok(Discovery::StrictDns),
            Ok(DiscoveryType::LogicalDns) => Ok(Discovery::LogicalDns),
            Ok(DiscoveryType::Eds) => Ok(Discovery::Eds),
            Ok(DiscoveryType::OriginalDst) => Ok(Discovery::OriginalDst),
            Err(_) => Err(FieldError::new("type", format!("{kind} is not a discovery type"))),
        },
        Some(ClusterDiscoveryType::ClusterType(custom)) => match custom.name.as_str() {
            "envoy.clusters.dynamic_forward_proxy" => Ok(Discovery::DynamicForwardProxy),
            name => Err(FieldError::new("cluster_type", format!("{name} is not supported"))),
        },
    }
}

/// How names are resolved: those of the cluster, or those of the requests.
fn dns(proto: &Proto) -> Result<DnsSettings, FieldError> {
    let Some(ClusterDiscoveryType::ClusterType(custom)) = &proto.cluster_discovery_type else {
        return DnsSettings::compile(proto);
    };
    let broken = |message: String| FieldError::new("cluster_type.typed_config", message);
    let config = custom.typed_config.as_ref().ok_or_else(|| broken("is required".to_owned()))?;
    let config: ForwardProxy = unpack(config).map_err(|error| broken(error.to_string()))?;
    match &config.cluster_implementation_specifier {
        Some(ClusterImplementationSpecifier::DnsCacheConfig(cache)) => DnsSettings::of_cache(cache),
        None => Err(broken("dns_cache_config is required".to_owned())),
    }
}

/// Which server name connections ask for. Where requests name their server, that is asked for and has to be in its
/// certificate, whatever else is said.
fn server_name(
    discovery: Discovery,
    http: Option<&HttpProtocolOptions>,
) -> Result<ServerNamePolicy, FieldError> {
    let policy = ServerNamePolicy::compile(http)?;
    Ok(match discovery {
        Discovery::DynamicForwardProxy => {
            ServerNamePolicy { of_request: true, checks_certificate: true }
        }
        _ => policy,
    })
}

fn policy(
    proto: &Proto,
    discovery: Discovery,
    warnings: &mut Warnings,
) -> Result<Policy, FieldError> {
    if proto.load_balancing_policy.is_some() {
        warnings.note("load_balancing_policy", "lb_policy applies instead");
    }
    if discovery == Discovery::OriginalDst {
        return original_destination(proto, warnings);
    }
    Ok(match proto.lb_policy() {
        LbPolicy::RoundRobin => Policy::RoundRobin,
        LbPolicy::LeastRequest => {
            let (choices, bias) = match &proto.lb_config {
                Some(LbConfig::LeastRequestLbConfig(config)) => {
                    let bias = config.active_request_bias.as_ref().map(|b| b.default_value);
                    (config.choice_count.unwrap_or(2), bias)
                }
                _ => (2, None),
            };
            if choices < 2 {
                let path = "least_request_lb_config.choice_count";
                return Err(FieldError::new(path, "must be at least 2"));
            }
            // More draws than this find nothing better.
            let choices = choices.min(64);
            Policy::LeastRequest { choices, bias: bias.filter(|b| *b >= 0.0).unwrap_or(1.0) }
        }
        LbPolicy::Random => Policy::Random,
        LbPolicy::RingHash | LbPolicy::Maglev => Policy::ConsistentHash(hashing(proto, warnings)?),
        LbPolicy::ClusterProvided => {
            if discovery != Discovery::DynamicForwardProxy {
                let message = "CLUSTER_PROVIDED needs a cluster type that provides one";
                return Err(FieldError::new("lb_policy", message));
            }
            Policy::Random
        }
        LbPolicy::LoadBalancingPolicyConfig => {
            return Err(FieldError::new("load_balancing_policy", "is not supported"));
        }
    })
}

/// Most places of a ring.
const MAX_RING_SIZE: u64 = 8 << 20;
/// Largest Maglev table.
const MAX_MAGLEV_SIZE: u64 = 5_000_011;

fn hashing(proto: &Proto, warnings: &mut Warnings) -> Result<Hashing, FieldError> {
    let common = proto.common_lb_config.as_ref();
    let consistent = common.and_then(|common| common.consistent_hashing_lb_config.as_ref());
    let by_hostname = consistent.is_some_and(|config| config.use_hostname_for_hashing);
    if consistent.is_some_and(|config| config.hash_balance_factor.is_some()) {
        let path = "common_lb_config.consistent_hashing_lb_config.hash_balance_factor";
        warnings.note(path, "a busy endpoint keeps its hashes");
    }
    if proto.lb_policy() == LbPolicy::Maglev {
        let size = match &proto.lb_config {
            Some(LbConfig::MaglevLbConfig(config)) => config.table_size.unwrap_or(65_537),
            _ => 65_537,
        };
        let path = "maglev_lb_config.table_size";
        return match u32::try_from(size) {
            Ok(table_size) if size <= MAX_MAGLEV_SIZE && is_prime(table_size) => {
                Ok(Hashing::Maglev { table_size, by_hostname })
            }
            _ => Err(FieldError::new(path, format!("must be a prime up to {MAX_MAGLEV_SIZE}"))),
        };
    }
    let (mut min_size, mut max_size) = (1024_u64, MAX_RING_SIZE);
    if let Some(LbConfig::RingHashLbConfig(config)) = &proto.lb_config {
        min_size = config.minimum_ring_size.unwrap_or(min_size);
        max_size = config.maximum_ring_size.unwrap_or(max_size);
        if config.hash_function() != HashFunction::XxHash {
            warnings.note("ring_hash_lb_config.hash_function", "xxHash is used instead");
        }
    }
    if min_size > max_size || max_size > MAX_RING_SIZE {
        let message =
            format!("sizes must not be above {MAX_RING_SIZE}, nor the minimum above the maximum");
        return Err(FieldError::new("ring_hash_lb_config", message));
    }
    Ok(Hashing::Ring { min_size: min_size.max(1), max_size: max_size.max(1), by_hostname })
}

fn is_prime(number: u32) -> bool {
    let mut divisors = (2..number).take_while(|d| d.saturating_mul(*d) <= number);
    number >= 2 && !divisors.any(|d| number.is_multiple_of(d))
}

fn original_destination(proto: &Proto, warnings: &mut Warnings) -> Result<Policy, FieldError> {
    if proto.lb_policy() != LbPolicy::ClusterProvided {
        return Err(FieldError::new("lb_policy", "must be CLUSTER_PROVIDED for ORIGINAL_DST"));
    }
    let Some(LbConfig::OriginalDstLbConfig(config)) = &proto.lb_config else {
        return Ok(Policy::OriginalDst { port: None });
    };
    if config.use_http_header {
        warnings.note("original_dst_lb_config.use_http_header", "the header is not looked at");
    }
    if config.metadata_key.is_some() {
        warnings.note("original_dst_lb_config.metadata_key", "metadata is not looked at");
    }
    let port = config.upstream_port_override.filter(|port| *port != 0).map(u16::try_from);
    let port = port.transpose().map_err(|_| {
        let path = "original_dst_lb_config.upstream_port_override";
        FieldError::new(path, "must not be above 65535")
    })?;
    Ok(Policy::OriginalDst { port })
}

fn http_options(proto: &Proto) -> Result<Option<HttpProtocolOptions>, FieldError> {
    let any = proto.typed_extension_protocol_options.get(HTTP_OPTIONS);
    let options = any.map(|any| {
        unpack(any).map_err(|error| {
            let path = format!("typed_extension_protocol_options[{HTTP_OPTIONS}]");
            FieldError::new(path, error.to_string())
        })
    });
    options.transpose()
}

fn protocol(proto: &Proto, options: Option<&HttpProtocolOptions>) -> UpstreamProtocol {
    match options.and_then(|options| options.upstream_protocol_options.as_ref()) {
        Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) => {
            match &explicit.protocol_config {
                Some(ProtocolConfig::Http2ProtocolOptions(_)) => UpstreamProtocol::Http2,
                Some(ProtocolConfig::HttpProtocolOptions(_)) | None => UpstreamProtocol::Http1,
            }
        }
        Some(UpstreamProtocolOptions::UseDownstreamProtocolConfig(_)) => {
            UpstreamProtocol::Downstream
        }
        Some(UpstreamProtocolOptions::AutoConfig(_)) => UpstreamProtocol::Auto,
        None if proto.protocol_selection() == ClusterProtocolSelection::UseDownstreamProtocol => {
            UpstreamProtocol::Downstream
        }
        None if proto.http2_protocol_options.is_some() => UpstreamProtocol::Http2,
        None => UpstreamProtocol::Http1,
    }
}

/// Settings of HTTP/1, wherever the cluster has them.
fn http1_options<'a>(
    proto: &'a Proto,
    options: Option<&'a HttpProtocolOptions>,
) -> Option<&'a Http1ProtocolOptions> {
    match options.and_then(|options| options.upstream_protocol_options.as_ref()) {
        Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) => {
            match &explicit.protocol_config {
                Some(ProtocolConfig::HttpProtocolOptions(http1)) => Some(http1),
                Some(ProtocolConfig::Http2ProtocolOptions(_)) | None => None,
            }
        }
        Some(UpstreamProtocolOptions::UseDownstreamProtocolConfig(both)) => {
            both.http_protocol_options.as_ref()
        }
        Some(UpstreamProtocolOptions::AutoConfig(both)) => both.http_protocol_options.as_ref(),
        None => proto.http_protocol_options.as_ref(),
    }
}

/// Settings of HTTP/2, wherever the cluster has them.
fn http2_options(
    proto: &Proto,
    options: Option<&HttpProtocolOptions>,
    warnings: &mut Warnings,
) -> Result<Http2Options, FieldError> {
    let found = match options.and_then(|options| options.upstream_protocol_options.as_ref()) {
        Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) => {
            match &explicit.protocol_config {
                Some(ProtocolConfig::Http2ProtocolOptions(http2)) => Some(http2),
                Some(ProtocolConfig::HttpProtocolOptions(_)) | None => None,
            }
        }
        Some(UpstreamProtocolOptions::UseDownstreamProtocolConfig(both)) => {
            both.http2_protocol_options.as_ref()
        }
        Some(UpstreamProtocolOptions::AutoConfig(both)) => both.http2_protocol_options.as_ref(),
        None => proto.http2_protocol_options.as_ref(),
    };
    let Some(http2) = found else { return Ok(Http2Options::default()) };
    warnings
        .within("http2_protocol_options", |w| Http2Options::compile(http2, w))
        .map_err(|error| error.within("http2_protocol_options"))
}

fn max_requests(proto: &Proto, common: &CommonOptions) -> Option<u32> {
    common.max_requests_per_connection.or(proto.max_requests_per_connection).filter(|n| *n > 0)
}

fn keepalive(proto: &KeepaliveProto) -> TcpKeepalive {
    let seconds = |number: Option<u32>| number.map(|n| Duration::from_secs(u64::from(n)));
    TcpKeepalive {
        probes: proto.keepalive_probes,
        time: seconds(proto.keepalive_time),
        interval: seconds(proto.keepalive_interval),
    }
}

fn source_address(proto: &Proto) -> Result<Option<std::net::IpAddr>, FieldError> {
    let source = proto.upstream_bind_config.as_ref().and_then(|bind| bind.source_address.as_ref());
    let address = source.map(|source| {
        source.address.parse().map_err(|_| {
            let path = "upstream_bind_config.source_address.address";
            FieldError::new(path, format!("`{}` is no address", source.address))
        })
    });
    address.transpose()
}

fn endpoint_options(proto: &Proto, warnings: &mut Warnings) -> EndpointSetOptions {
    let mut options = EndpointSetOptions::default();
    let Some(common) = &proto.common_lb_config else { return options };
    if let Some(threshold) = &common.healthy_panic_threshold {
        options.panic_threshold_percent = rounded_percent(threshold.value);
    }
    match &common.locality_config_specifier {
        Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_)) => {
            options.locality_weighted = true
        }
        Some(LocalityConfigSpecifier::ZoneAwareLbConfig(config)) => {
            options.zone_aware = warnings.within("common_lb_config.zone_aware_lb_config", |w| {
                ZoneAware::compile(config, w, rounded_percent)
            });
        }
        None => {}
    }
    options
}

/// A percentage as Envoy takes it where it wants a whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
fn rounded_percent(percent: f64) -> u32 {
    percent.clamp(0.0, 100.0).round() as u32
}

fn slow_start(proto: &Proto) -> Result<Option<SlowStart>, FieldError> {
    let (config, field) = match (&proto.lb_config, proto.lb_policy()) {
        (Some(LbConfig::RoundRobinLbConfig(config)), LbPolicy::RoundRobin) => {
            (config.slow_start_config.as_ref(), "round_robin_lb_config")
        }
        (Some(LbConfig::LeastRequestLbConfig(config)), LbPolicy::LeastRequest) => {
            (config.slow_start_config.as_ref(), "least_request_lb_config")
        }
        _ => return Ok(None),
    };
    SlowStart::compile(config).map_err(|e| e.within("slow_start_config").within(field))
}
