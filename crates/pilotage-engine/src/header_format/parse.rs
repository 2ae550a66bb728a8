//! Reading templates: which operators there are.

use http::HeaderName;

use super::command::{AddressPart, Command, Token, tokens};
use super::{HeaderSource, Operator, Part, TimeFormat};
use crate::rejection::FieldError;
use crate::tls::TlsOperator;

/// Commands that Envoy has and for which this proxy has no value. They expand to nothing, as they do in Envoy when
/// the value is absent, and whoever compiles the template warns.
const VALUELESS: &[&str] = &[
    "ACCESS_LOG_TYPE",
    "BYTES_RETRANSMITTED",
    "BYTES_SENT",
    "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS",
    "COMMON_DURATION",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DURATION",
    "DYNAMIC_METADATA",
    "EMIT_TIME",
    "ENVIRONMENT",
    "FILTER_CHAIN_NAME",
    "FILTER_STATE",
    "GRPC_STATUS",
    "GRPC_STATUS_NUMBER",
    "LOCAL_REPLY_BODY",
    "METADATA",
    "PER_REQUEST_STATE",
    "PATH",
    "QUERY_PARAM",
    "REQUEST_DURATION",
    "REQUEST_TX_DURATION",
    "RESPONSE_DURATION",
    "RESPONSE_TX_DURATION",
    "RESPONSE_FLAGS_LONG",
    "ROUNDTRIP_DURATION",
    "STREAM_ID",
    "STREAM_INFO_REQ",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "TRACE_ID",
    "TRAILER",
    "UNIQUE_ID",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_CONNECTION_POOL_READY_DURATION",
    "UPSTREAM_DETECTED_CLOSE_TYPE",
    "UPSTREAM_FILTER_STATE",
    "UPSTREAM_HEADER_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_HOST_NAME_WITHOUT_PORT",
    "UPSTREAM_HOSTS_ATTEMPTED",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_PORT",
    "UPSTREAM_METADATA",
    "UPSTREAM_PROTOCOL",
    "UPSTREAM_TLS_SESSION_ID",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME",
];

/// The parts of `text`.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, FieldError> {
    let broken = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        FieldError::new("value", format!("expected a valid command operator after `%`: `{rest}`"))
    };
    let part = |token| {
        Ok(match token {
            Token::Text(text) => Part::Text(text),
            Token::Command(Command { name, argument, max_length }) => {
                Part::Operator { operator: operator(name, argument)?, max_length }
            }
        })
    };
    tokens(text).map_err(broken)?.into_iter().map(part).collect()
}

fn operator(name: &str, argument: Option<&str>) -> Result<Operator, FieldError> {
    let unknown = || FieldError::new("value", format!("`%{name}%` is not a known operator"));
    let bad_argument = |message| FieldError::new("value", message);
    if let Some(address) = address(name) {
        return Ok(address);
    }
    if let Some((side, operator)) = TlsOperator::of(name, argument).map_err(bad_argument)? {
        return Ok(Operator::Tls(side, operator));
    }
    Ok(match name {
        "REQ" => {
            let (name, alternative) = header_names(argument)?;
            let source = |name: &str| {
                HeaderSource::new(name).ok_or_else(|| {
                    FieldError::new("value", format!("`{name}` is not a header name"))
                })
            };
            Operator::RequestHeader {
                name: source(name)?,
                alternative: alternative.map(source).transpose()?,
            }
        }
        "RESP" => {
            let (name, alternative) = header_names(argument)?;
            let parse = |name: &str| {
                HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).map_err(|_| {
                    FieldError::new("value", format!("`{name}` is not a response header name"))
                })
            };
            Operator::ResponseHeader {
                name: parse(name)?,
                alternative: alternative.map(parse).transpose()?,
            }
        }
        "PROTOCOL" => Operator::Protocol,
        "UPSTREAM_CLUSTER" => Operator::UpstreamCluster,
        "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Operator::AttemptCount,
        "RESPONSE_CODE" => Operator::ResponseCode,
        "BYTES_RECEIVED" => Operator::BytesReceived,
        "RESPONSE_CODE_DETAILS" => Operator::ResponseCodeDetails,
        "RESPONSE_FLAGS" => Operator::ResponseFlags,
        "ROUTE_NAME" => Operator::RouteName,
        "HOSTNAME" => Operator::Hostname,
        "REQUESTED_SERVER_NAME" => Operator::RequestedServerName,
        "START_TIME" => Operator::StartTime(
            TimeFormat::compile(argument.unwrap_or_default()).map_err(bad_argument)?,
        ),
        _ if VALUELESS.contains(&name) => Operator::Nothing,
        _ => return Err(unknown()),
    })
}

/// The operators that print an address or a part of one.
fn address(name: &str) -> Option<Operator> {
    let (end, part) = AddressPart::of(name)?;
    match end {
        "DOWNSTREAM_REMOTE" => Some(Operator::RemoteAddress { direct: false, part }),
        "DOWNSTREAM_DIRECT_REMOTE" => Some(Operator::RemoteAddress { direct: true, part }),
        "DOWNSTREAM_LOCAL" | "DOWNSTREAM_DIRECT_LOCAL" => Some(Operator::LocalAddress(part)),
        "UPSTREAM_REMOTE" => Some(Operator::UpstreamHost(part)),
        _ => None,
    }
}

/// `name` or `name?alternative`.
fn header_names(argument: Option<&str>) -> Result<(&str, Option<&str>), FieldError> {
    let argument =
        argument.ok_or_else(|| FieldError::new("value", "the operator needs a header name"))?;
    match argument.split_once('?') {
        Some((_, second)) if second.contains('?') => {
            Err(FieldError::new("value", "more than one alternative header"))
        }
        Some((first, second)) => Ok((first, Some(second))),
        None => Ok((argument, None)),
    }
}
