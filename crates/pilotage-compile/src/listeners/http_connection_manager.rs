//! The HTTP connection manager: how requests are read before routes decide about them.

use pilotage_config::mesh::{
    ForwardClientCertDetails as Written, PathNormalization, ProxyConfig, ProxyHeaders,
};
use pilotage_model::{Protocol, ProxyView};
use pilotage_proto::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use pilotage_proto::envoy::config::core::v3::{
    AggregatedConfigSource, ApiVersion, ConfigSource, Http1ProtocolOptions, Http2ProtocolOptions,
    HttpProtocolOptions,
};
use pilotage_proto::envoy::config::listener::v3::Filter;
use pilotage_proto::envoy::config::route::v3::RouteConfiguration;
use pilotage_proto::envoy::extensions::filters::http::cors::v3::Cors;
use pilotage_proto::envoy::extensions::filters::http::dynamic_forward_proxy::v3 as dynamic_proxy;
use pilotage_proto::envoy::extensions::filters::http::fault::v3::HttpFault;
use pilotage_proto::envoy::extensions::filters::http::grpc_web::v3::GrpcWeb;
use pilotage_proto::envoy::extensions::filters::http::router::v3::Router;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, Rds, RequestIdExtension, http_connection_manager as manager,
    http_filter,
};
use pilotage_proto::envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig;
use pilotage_proto::prost_types::Duration;
use pilotage_proto::{Message, Name, pack};

use super::access_log::access_logs;
use super::filter_chain::filter;
use crate::proto_ext::duration;
use crate::{dns_cache, header_names};

/// What proxies that face clients call themselves in the header `server`.
const SERVER_NAME: &str = "istio-envoy";

/// The environment variable of proxies whose clients may speak HTTP/1.0.
const HTTP10: &str = "ISTIO_META_HTTP10";
/// The environment variable with the time after which proxies close idle connections.
const IDLE_TIMEOUT: &str = "ISTIO_META_IDLE_TIMEOUT";

/// Which side of a proxy requests come in at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// From the application beside a sidecar.
    Outbound,
    /// To the application beside a sidecar.
    Inbound,
    /// At a gateway.
    Gateway,
}

/// Where the routes come from.
#[derive(Clone, Debug)]
pub(crate) enum Routes {
    /// The route configuration of this name.
    Named(String),
    /// These.
    Inline(Box<RouteConfiguration>),
}

/// How requests are read.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// Which side they come in at.
    pub(crate) side: Side,
    /// Where the routes come from.
    pub(crate) routes: Routes,
    /// The first part of names of statistics.
    pub(crate) stat_prefix: String,
    /// What the port was declared to speak.
    pub(crate) protocol: Protocol,
    /// Whether clients name a proxy's target as in `GET http://host/`.
    pub(crate) is_explicit_proxy: bool,
    /// The wildcard host among the destinations whose addresses are looked up per request.
    pub(crate) dynamic_host: Option<String>,
}

impl Http {
    /// Reading requests with the routes of a route configuration.
    pub(crate) fn named(side: Side, routes: impl Into<String>, protocol: Protocol) -> Self {
        Self {
            side,
            routes: Routes::Named(routes.into()),
            stat_prefix: String::new(),
            protocol,
            is_explicit_proxy: false,
            dynamic_host: None,
        }
    }

    /// The network filter.
    pub(crate) fn filter(&self, view: &ProxyView) -> Filter {
        filter("envoy.filters.network.http_connection_manager", &self.build(view))
    }

    fn build(&self, view: &ProxyView) -> HttpConnectionManager {
        let mut built = HttpConnectionManager {
            stat_prefix: self.stat_prefix.clone(),
            route_specifier: Some(self.route_specifier()),
            http_filters: self.http_filters(view),
            use_remote_address: Some(self.side == Side::Gateway),
            stream_idle_timeout: Some(Duration::default()),
            proxy_100_continue: true,
            upgrade_configs: vec![manager::UpgradeConfig {
                upgrade_type: "websocket".to_owned(),
                ..Default::default()
            }],
            request_id_extension: Some(RequestIdExtension {
                typed_config: Some(pack(&UuidRequestIdConfig {
                    use_request_id_for_trace_sampling: Some(true),
                })),
            }),
            path_with_escaped_slashes_action: manager::PathWithEscapedSlashesAction::KeepUnchanged
                .into(),
            access_log: access_logs(&view.mesh),
            ..HttpConnectionManager::default()
        };
        if let Some(idle) = idle_timeout(view) {
            built.common_http_protocol_options =
                Some(HttpProtocolOptions { idle_timeout: Some(idle), ..Default::default() });
        }
        normalize_paths(&mut built, view);
        self.set_protocols(&mut built, view);
        self.set_identity(&mut built, view.mesh.proxy_config());
        built
    }

    fn route_specifier(&self) -> manager::RouteSpecifier {
        match &self.routes {
            Routes::Named(name) => manager::RouteSpecifier::Rds(Rds {
                config_source: Some(aggregated()),
                route_config_name: name.clone(),
            }),
            Routes::Inline(config) => manager::RouteSpecifier::RouteConfig((**config).clone()),
        }
    }

    /// The filters that act on requests, in the order in which they do.
    fn http_filters(&self, view: &ProxyView) -> Vec<HttpFilter> {
        let mut filters = Vec::new();
        if self.protocol == Protocol::GrpcWeb {
            filters.push(http_filter("envoy.filters.http.grpc_web", &GrpcWeb {}));
        }
        filters.push(http_filter("envoy.filters.http.fault", &HttpFault::default()));
        filters.push(http_filter("envoy.filters.http.cors", &Cors {}));
        if let Some(host) = &self.dynamic_host {
            let config = dynamic_proxy::FilterConfig {
                implementation_specifier: Some(
                    dynamic_proxy::filter_config::ImplementationSpecifier::DnsCacheConfig(
                        dns_cache::of_host(view, host),
                    ),
                ),
            };
            filters.push(http_filter("envoy.filters.http.dynamic_forward_proxy", &config));
        }
        let headers = view.mesh.proxy_config().and_then(|config| config.proxy_headers.as_ref());
        let debug = headers.and_then(|headers| headers.envoy_debug_headers.as_ref());
        let router = Router {
            suppress_envoy_headers: debug.is_some_and(|debug| debug.disabled == Some(true)),
            ..Router::default()
        };
        filters.push(http_filter("envoy.filters.http.router", &router));
        filters
    }

    fn set_protocols(&self, built: &mut HttpConnectionManager, view: &ProxyView) {
        if self.side == Side::Inbound && self.protocol.is_http2() {
            built.http2_protocol_options = Some(Http2ProtocolOptions::default());
        }
        let accept_http_10 = view.proxy.http10 || environment(view, HTTP10) == Some("1");
        if self.side == Side::Gateway || accept_http_10 || self.is_explicit_proxy {
            built.http_protocol_options = Some(Http1ProtocolOptions {
                accept_http_10,
                allow_absolute_url: self.is_explicit_proxy.then_some(true),
                ..Http1ProtocolOptions::default()
            });
        }
        if let Some(format) = header_names::format(&view.mesh) {
            built.http_protocol_options.get_or_insert_default().header_key_format = Some(format);
        }
    }

    /// What the proxy says about itself and about the client.
    fn set_identity(&self, built: &mut HttpConnectionManager, config: Option<&ProxyConfig>) {
        let headers = config.and_then(|config| config.proxy_headers.as_ref());
        if self.side != Side::Outbound {
            built.server_name = SERVER_NAME.to_owned();
        }
        if let Some(headers) = headers {
            set_headers(built, headers);
        }
        let mut forward = match self.side {
            Side::Outbound => return,
            Side::Inbound => Written::AppendForward,
            Side::Gateway => Written::SanitizeSet,
        };
        let chosen = |details: Written| (details != Written::Undefined).then_some(details);
        if let Some(details) = headers.and_then(|h| chosen(h.forwarded_client_cert)) {
            forward = details;
        }
        let topology = config.and_then(|config| config.gateway_topology.as_ref());
        if let Some(topology) = topology.filter(|_| self.side == Side::Gateway) {
            built.xff_num_trusted_hops = topology.num_trusted_proxies;
            forward = chosen(topology.forward_client_cert_details).unwrap_or(forward);
        }
        built.forward_client_cert_details = forward_details(forward).into();
        if matches!(forward, Written::AppendForward | Written::SanitizeSet) {
            let details = self.client_cert_details(headers);
            built.set_current_client_cert_details = Some(details);
        }
    }

    /// What of the client's certificate goes into the header.
    fn client_cert_details(
        &self,
        headers: Option<&ProxyHeaders>,
    ) -> manager::SetCurrentClientCertDetails {
        let written = headers.and_then(|headers| headers.set_current_client_cert_details.as_ref());
        let Some(written) = written else {
            return manager::SetCurrentClientCertDetails {
                subject: Some(true),
                dns: true,
                uri: true,
                cert: self.side == Side::Gateway,
                ..Default::default()
            };
        };
        manager::SetCurrentClientCertDetails {
            subject: Some(written.subject.unwrap_or(true)),
            dns: written.dns.unwrap_or(true),
            uri: written.uri.unwrap_or(true),
            cert: written.cert.unwrap_or(false),
            chain: written.chain.unwrap_or(false),
            ..Default::default()
        }
    }
}

/// An HTTP filter of this kind.
fn http_filter<M: Message + Name>(name: &str, config: &M) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(pack(config))),
        ..HttpFilter::default()
    }
}

/// Resources come over the stream that everything else comes over.
pub(crate) fn aggregated() -> ConfigSource {
    ConfigSource {
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        initial_fetch_timeout: Some(Duration::default()),
        resource_api_version: ApiVersion::V3.into(),
    }
}

/// What the mesh sets in the environment of its proxies.
pub(crate) fn environment<'v>(view: &'v ProxyView, name: &str) -> Option<&'v str> {
    view.mesh.proxy_config()?.proxy_metadata.get(name).map(String::as_str)
}

/// The time after which proxies of the mesh close idle connections, when it is set to one that can be read.
pub(crate) fn idle_timeout(view: &ProxyView) -> Option<Duration> {
    pilotage_config::Duration::parse(environment(view, IDLE_TIMEOUT)?).ok().map(duration)
}

fn normalize_paths(built: &mut HttpConnectionManager, view: &ProxyView) {
    let written = view.mesh.config().path_normalization.as_ref();
    let how = written.map(|written| written.normalization).unwrap_or_default();
    built.normalize_path = Some(how != PathNormalization::None);
    built.merge_slashes =
        matches!(how, PathNormalization::MergeSlashes | PathNormalization::DecodeAndMergeSlashes);
    if how == PathNormalization::DecodeAndMergeSlashes {
        built.path_with_escaped_slashes_action =
            manager::PathWithEscapedSlashesAction::UnescapeAndForward.into();
    }
}

/// Headers that can be turned off and on for all proxies.
fn set_headers(built: &mut HttpConnectionManager, headers: &ProxyHeaders) {
    if let Some(server) = &headers.server {
        if server.disabled == Some(true) {
            built.server_name.clear();
            built.server_header_transformation =
                manager::ServerHeaderTransformation::PassThrough.into();
        } else if !server.value.is_empty() {
            built.server_name.clone_from(&server.value);
        }
    }
    if headers.request_id.as_ref().is_some_and(|id| id.disabled == Some(true)) {
        built.generate_request_id = Some(false);
    }
    built.append_x_forwarded_port =
        headers.x_forwarded_port.as_ref().is_some_and(|port| port.enabled == Some(true));
}

fn forward_details(written: Written) -> manager::ForwardClientCertDetails {
    use manager::ForwardClientCertDetails as Details;
    match written {
        Written::Undefined | Written::Sanitize => Details::Sanitize,
        Written::ForwardOnly => Details::ForwardOnly,
        Written::AppendForward => Details::AppendForward,
        Written::SanitizeSet => Details::SanitizeSet,
        Written::AlwaysForwardOnly => Details::AlwaysForwardOnly,
    }
}
