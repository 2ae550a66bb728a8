//! Compiling HTTP connection managers.
//!
//! Accepted and ignored on purpose, because they do not change what happens to a request: filters whose names begin
//! with `istio.` (telemetry and protocol negotiation between sidecars), `envoy.filters.http.grpc_stats`, access logs
//! (the proxy writes its own) and custom tags of tracing.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use pilotage_proto::envoy::config::core::v3::http_protocol_options::HeadersWithUnderscoresAction;
use pilotage_proto::envoy::extensions::filters::http::router::v3::Router;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    CodecType, ForwardClientCertDetails, PathWithEscapedSlashesAction, RouteSpecifier,
    ServerHeaderTransformation, StripPortMode,
};
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager as Proto, HttpFilter,
};
use pilotage_proto::unpack;

use super::{
    ClientCertDetails, Codec, EscapedSlashes, Filters, ForwardClientCert, HttpManager, RouteSource,
    ServerHeader, Tracing, UnderscoreHeaders,
};
use crate::address::Cidr;
use crate::connection_limits::ConnectionLimits;
use crate::durations::limit;
use crate::header_names::HeaderNames;
use crate::http2_options::Http2Options;
use crate::listener::Direction;
use crate::rejection::{FieldError, Warnings};
use crate::route_table::RouteTable;

const DEFAULT_STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_HEADERS_KB: u32 = 60;

impl HttpManager {
    pub(crate) fn compile(
        proto: &Proto,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        note_unsupported(proto, warnings);
        let (filters, router) = filters(&proto.http_filters, warnings)?;
        let common = proto.common_http_protocol_options.unwrap_or_default();
        let limits = ConnectionLimits::compile(&common)?;
        let http1 = proto.http_protocol_options.clone().unwrap_or_default();
        let server_name =
            if proto.server_name.is_empty() { "envoy" } else { proto.server_name.as_str() };
        let strip = proto.strip_port_mode.as_ref();
        let upgrades = proto.upgrade_configs.iter().filter(|u| u.enabled != Some(false));
        Ok(Self {
            stat_prefix: proto.stat_prefix.as_str().into(),
            codec: codec(proto)?,
            routes: routes(proto, warnings)?,
            filters,
            direction,
            use_remote_address: proto.use_remote_address == Some(true),
            trusted_hops: proto.xff_num_trusted_hops,
            skip_xff_append: proto.skip_xff_append,
            internal_ranges: internal_ranges(proto)?,
            normalize_path: proto.normalize_path == Some(true),
            merge_slashes: proto.merge_slashes,
            escaped_slashes: match proto.path_with_escaped_slashes_action() {
                PathWithEscapedSlashesAction::ImplementationSpecificDefault
                | PathWithEscapedSlashesAction::KeepUnchanged => EscapedSlashes::Keep,
                PathWithEscapedSlashesAction::RejectRequest => EscapedSlashes::Reject,
                PathWithEscapedSlashesAction::UnescapeAndRedirect => {
                    EscapedSlashes::UnescapeAndRedirect
                }
                PathWithEscapedSlashesAction::UnescapeAndForward => {
                    EscapedSlashes::UnescapeAndForward
                }
            },
            server_name: HeaderValue::from_str(server_name)
                .map_err(|_| FieldError::new("server_name", "cannot be a header value"))?,
            server_header: match proto.server_header_transformation() {
                ServerHeaderTransformation::Overwrite => ServerHeader::Overwrite,
                ServerHeaderTransformation::AppendIfAbsent => ServerHeader::AppendIfAbsent,
                ServerHeaderTransformation::PassThrough => ServerHeader::PassThrough,
            },
            via: proto.via.as_str().into(),
            generate_request_id: proto.generate_request_id != Some(false),
            preserve_external_request_id: proto.preserve_external_request_id,
            request_id_in_response: proto.always_set_request_id_in_response,
            forward_client_cert: forward_client_cert(proto),
            client_cert_details: client_cert_details(proto),
            accept_http_10: http1.accept_http_10,
            default_host_for_http_10: (!http1.default_host_for_http_10.is_empty())
                .then(|| http1.default_host_for_http_10.as_str().into()),
            header_names: HeaderNames::compile(&http1)
                .map_err(|error| error.within("http_protocol_options"))?,
            enable_trailers: http1.enable_trailers,
            proxy_100_continue: proto.proxy_100_continue,
            upgrades: upgrades.map(|u| u.upgrade_type.to_ascii_lowercase().into()).collect(),
            stream_idle_timeout: limit(
                "stream_idle_timeout",
                proto.stream_idle_timeout.as_ref(),
                Some(DEFAULT_STREAM_IDLE_TIMEOUT),
            )?,
            request_timeout: limit("request_timeout", proto.request_timeout.as_ref(), None)?,
            request_headers_timeout: limit(
                "request_headers_timeout",
                proto.request_headers_timeout.as_ref(),
                None,
            )?,
            idle_timeout: limits.idle_timeout,
            max_connection_duration: limits.max_duration,
            max_stream_duration: limit(
                "common_http_protocol_options.max_stream_duration",
                common.max_stream_duration.as_ref(),
                None,
            )?,
            drain_timeout: limit("drain_timeout", proto.drain_timeout.as_ref(), None)?
                .unwrap_or(DEFAULT_DRAIN_TIMEOUT),
            max_requests_per_connection: common.max_requests_per_connection.filter(|n| *n > 0),
            max_request_headers_bytes: proto
                .max_request_headers_kb
                .unwrap_or(DEFAULT_HEADERS_KB)
                .saturating_mul(1024),
            max_headers_count: limits.max_headers_count,
            underscore_headers: match common.headers_with_underscores_action() {
                HeadersWithUnderscoresAction::Allow => UnderscoreHeaders::Allow,
                HeadersWithUnderscoresAction::RejectRequest => UnderscoreHeaders::Reject,
                HeadersWithUnderscoresAction::DropHeader => UnderscoreHeaders::Drop,
            },
            http2: match &proto.http2_protocol_options {
                Some(http2) => warnings
                    .within("http2_protocol_options", |w| Http2Options::compile(http2, w))
                    .map_err(|error| error.within("http2_protocol_options"))?,
                None => Http2Options::default(),
            },
            strip_matching_host_port: proto.strip_matching_host_port,
            strip_any_host_port: matches!(strip, Some(StripPortMode::StripAnyHostPort(true))),
            strip_trailing_host_dot: proto.strip_trailing_host_dot,
            append_x_forwarded_port: proto.append_x_forwarded_port,
            tracing: proto.tracing.as_ref().map(|tracing| {
                let percent = |p: Option<pilotage_proto::envoy::r#type::v3::Percent>| {
                    p.map_or(100.0, |p| p.value)
                };
                Tracing {
                    random_sampling_percent: percent(tracing.random_sampling),
                    client_sampling_percent: percent(tracing.client_sampling),
                    overall_sampling_percent: percent(tracing.overall_sampling),
                }
            }),
            suppress_envoy_headers: router.suppress_envoy_headers,
            respect_expected_timeout: router.respect_expected_rq_timeout,
        })
    }
}

/// Fields that are accepted and not obeyed.
fn note_unsupported(proto: &Proto, warnings: &mut Warnings) {
    if proto.local_reply_config.is_some() {
        warnings.note("local_reply_config", "answers of the proxy keep their usual form");
    }
    if proto.represent_ipv4_remote_address_as_ipv4_mapped_ipv6 {
        let path = "represent_ipv4_remote_address_as_ipv4_mapped_ipv6";
        warnings.note(path, "is not obeyed");
    }
    if proto.scheme_header_transformation.is_some() {
        warnings.note("scheme_header_transformation", "is not obeyed");
    }
    if proto.add_user_agent == Some(true) {
        warnings.note("add_user_agent", "is not obeyed");
    }
}

fn codec(proto: &Proto) -> Result<Codec, FieldError> {
    match proto.codec_type() {
        CodecType::Auto => Ok(Codec::Auto),
        CodecType::Http1 => Ok(Codec::Http1),
        CodecType::Http2 => Ok(Codec::Http2),
        CodecType::Http3 => Err(FieldError::new("codec_type", "HTTP/3 is not supported")),
    }
}

fn routes(proto: &Proto, warnings: &mut Warnings) -> Result<RouteSource, FieldError> {
    match &proto.route_specifier {
        Some(RouteSpecifier::Rds(rds)) => {
            Ok(RouteSource::Named(rds.route_config_name.as_str().into()))
        }
        Some(RouteSpecifier::RouteConfig(config)) => {
            let table = warnings
                .within("route_config", |w| RouteTable::compile(config, None, w))
                .map_err(|e| e.within("route_config"))?;
            Ok(RouteSource::Inline(Arc::new(table)))
        }
        Some(RouteSpecifier::ScopedRoutes(_)) => {
            Err(FieldError::new("scoped_routes", "are not supported"))
        }
        None => Err(FieldError::new("route_specifier", "is required")),
    }
}

fn internal_ranges(proto: &Proto) -> Result<Vec<Cidr>, FieldError> {
    let Some(config) = &proto.internal_address_config else { return Ok(Vec::new()) };
    Cidr::list("internal_address_config.cidr_ranges", &config.cidr_ranges)
}

fn forward_client_cert(proto: &Proto) -> ForwardClientCert {
    match proto.forward_client_cert_details() {
        ForwardClientCertDetails::Sanitize => ForwardClientCert::Sanitize,
        ForwardClientCertDetails::ForwardOnly => ForwardClientCert::ForwardOnly,
        ForwardClientCertDetails::AppendForward => ForwardClientCert::AppendForward,
        ForwardClientCertDetails::SanitizeSet => ForwardClientCert::SanitizeSet,
        ForwardClientCertDetails::AlwaysForwardOnly => ForwardClientCert::AlwaysForwardOnly,
    }
}

fn client_cert_details(proto: &Proto) -> ClientCertDetails {
    let Some(details) = &proto.set_current_client_cert_details else {
        return ClientCertDetails::default();
    };
    ClientCertDetails {
        subject: details.subject == Some(true),
        cert: details.cert,
        chain: details.chain,
        dns: details.dns,
        uri: details.uri,
    }
}

/// Which known filters there are, and the settings of the router.
fn filters(list: &[HttpFilter], warnings: &mut Warnings) -> Result<(Filters, Router), FieldError> {
    let mut found = Filters::default();
    let mut router = None;
    for (index, filter) in list.iter().enumerate() {
        let field = format!("http_filters[{index}]");
        if filter.disabled {
            warnings.note(&field, "a disabled filter stays off, whatever routes say");
            continue;
        }
        match filter.name.as_str() {
            "envoy.filters.http.fault" => {
                found.fault = true;
                found.cors_before_fault = found.cors;
            }
            "envoy.filters.http.cors" => found.cors = true,
            "envoy.filters.http.grpc_web" => {
                found.grpc_web = true;
                warnings.note(&field, "gRPC-Web is passed on as it is, not translated");
            }
            "envoy.filters.http.dynamic_forward_proxy" => found.dynamic_forward_proxy = true,
            "envoy.filters.http.router" => router = Some(router_settings(filter, &field)?),
            "envoy.filters.http.grpc_stats" => {}
            name if name.starts_with("istio.") => {}
            name if filter.is_optional => {
                warnings.note(&field, format!("optional filter {name} is not supported"));
            }
            name => {
                return Err(FieldError::new(field, format!("HTTP filter {name} is not supported")));
            }
        }
    }
    let router =
        router.ok_or_else(|| FieldError::new("http_filters", "must end with the router filter"))?;
    Ok((found, router))
}

fn router_settings(filter: &HttpFilter, field: &str) -> Result<Router, FieldError> {
    match &filter.config_type {
        Some(ConfigType::TypedConfig(any)) => {
            unpack(any).map_err(|error| FieldError::new(field, error.to_string()))
        }
        Some(ConfigType::ConfigDiscovery(_)) => {
            Err(FieldError::new(field, "filter configuration is not discovered"))
        }
        None => Ok(Router::default()),
    }
}
