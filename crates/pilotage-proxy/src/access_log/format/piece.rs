//! One command operator of a format.

use http::HeaderName;
use pilotage_engine::header_format::{AddressPart, TimeFormat};
use pilotage_engine::tls::{TlsOperator, TlsSide};

use super::FormatError;

/// A text, or an operator with what follows from its argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Literal(String),
    /// No more bytes than that of the value.
    Cut(Box<Piece>, usize),
    StartTime(TimeFormat),
    Request(Source, Option<Source>),
    Response(usize, Option<usize>),
    Protocol,
    UpstreamProtocol,
    Status,
    GrpcStatus(GrpcForm),
    Flags,
    Details,
    Termination,
    TransportFailure,
    BytesReceived,
    BytesSent,
    Duration,
    Address(Place, AddressPart),
    UpstreamCluster,
    ServerName,
    Tls(TlsSide, TlsOperator),
    RouteName,
    Origin,
    Attempts,
    Hostname,
    /// What never has a value here, nor in Envoy without filters that this proxy has not.
    Nothing,
}

/// Where a `%REQ(…)%` value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    Method,
    Path,
    Authority,
    /// Index into the captured request headers.
    Header(usize),
}

/// Which end of which connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    UpstreamRemote,
    UpstreamLocal,
    DownstreamLocal,
    DownstreamRemote,
}

/// How a gRPC status is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum GrpcForm {
    /// `NotFound`
    Camel,
    /// `NOT_FOUND`
    Snake,
    /// `5`
    Number,
}

/// Operators of Envoy whose values come from filters and protocols that this proxy has not.
const VALUELESS: [&str; 13] = [
    "CLUSTER_METADATA",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DYNAMIC_METADATA",
    "FILTER_STATE",
    "METADATA",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "TRACE_ID",
    "UPSTREAM_FILTER_STATE",
    "UPSTREAM_METADATA",
    "VIRTUAL_CLUSTER_NAME",
    "SPAN_ID",
];

/// The headers that a format prints.
#[derive(Debug, Default)]
pub(super) struct Headers {
    pub(super) request: Vec<HeaderName>,
    pub(super) response: Vec<HeaderName>,
}

impl Headers {
    /// The operator `name` with what stands in parentheses after it.
    pub(super) fn operator(
        &mut self,
        name: &str,
        argument: Option<&str>,
    ) -> Result<Piece, FormatError> {
        if let Some(address) = address(name) {
            return Ok(address);
        }
        let tls = TlsOperator::of(name, argument).map_err(FormatError::Argument)?;
        if let Some((side, operator)) = tls {
            return Ok(Piece::Tls(side, operator));
        }
        Ok(match name {
            "REQ" => {
                let (main, other) = alternatives(argument.unwrap_or_default());
                let main = self.source(main)?;
                Piece::Request(main, other.map(|name| self.source(name)).transpose()?)
            }
            "RESP" => {
                let (main, other) = alternatives(argument.unwrap_or_default());
                let main = index_of(&mut self.response, main)?;
                let other = other.map(|name| index_of(&mut self.response, name)).transpose()?;
                Piece::Response(main, other)
            }
            "START_TIME" => {
                let format = TimeFormat::compile(argument.unwrap_or_default());
                Piece::StartTime(format.map_err(FormatError::Argument)?)
            }
            "PROTOCOL" => Piece::Protocol,
            "UPSTREAM_PROTOCOL" => Piece::UpstreamProtocol,
            "RESPONSE_CODE" => Piece::Status,
            "GRPC_STATUS" => Piece::GrpcStatus(match argument.unwrap_or("CAMEL_STRING") {
                "CAMEL_STRING" => GrpcForm::Camel,
                "SNAKE_STRING" => GrpcForm::Snake,
                "NUMBER" => GrpcForm::Number,
                other => return Err(FormatError::Unsupported(format!("GRPC_STATUS({other})"))),
            }),
            "GRPC_STATUS_NUMBER" => Piece::GrpcStatus(GrpcForm::Number),
            "RESPONSE_FLAGS" => Piece::Flags,
            "RESPONSE_CODE_DETAILS" => Piece::Details,
            "CONNECTION_TERMINATION_DETAILS" => Piece::Termination,
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => Piece::TransportFailure,
            "BYTES_RECEIVED" => Piece::BytesReceived,
            "BYTES_SENT" => Piece::BytesSent,
            "DURATION" => Piece::Duration,
            "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => Piece::UpstreamCluster,
            "REQUESTED_SERVER_NAME" => Piece::ServerName,
            "ROUTE_NAME" => Piece::RouteName,
            "ORIGIN" => Piece::Origin,
            "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Piece::Attempts,
            "HOSTNAME" => Piece::Hostname,
            name if VALUELESS.contains(&name) => Piece::Nothing,
            name => return Err(FormatError::Unsupported(name.to_owned())),
        })
    }

    fn source(&mut self, name: &str) -> Result<Source, FormatError> {
        Ok(match name.to_ascii_lowercase().as_str() {
            ":method" => Source::Method,
            ":path" => Source::Path,
            ":authority" | "host" => Source::Authority,
            name => Source::Header(index_of(&mut self.request, name)?),
        })
    }
}

fn address(name: &str) -> Option<Piece> {
    let (end, part) = AddressPart::of(name)?;
    let place = match end {
        "UPSTREAM_REMOTE" => Place::UpstreamRemote,
        "UPSTREAM_LOCAL" => Place::UpstreamLocal,
        "DOWNSTREAM_LOCAL" => Place::DownstreamLocal,
        "DOWNSTREAM_REMOTE" => Place::DownstreamRemote,
        _ => return None,
    };
    Some(Piece::Address(place, part))
}

fn alternatives(argument: &str) -> (&str, Option<&str>) {
    argument.split_once('?').map_or((argument, None), |(main, other)| (main, Some(other)))
}

fn index_of(names: &mut Vec<HeaderName>, name: &str) -> Result<usize, FormatError> {
    let parsed: HeaderName = name
        .to_ascii_lowercase()
        .parse()
        .map_err(|_invalid| FormatError::HeaderName(name.to_owned()))?;
    Ok(names.iter().position(|known| *known == parsed).unwrap_or_else(|| {
        names.push(parsed);
        names.len() - 1
    }))
}
