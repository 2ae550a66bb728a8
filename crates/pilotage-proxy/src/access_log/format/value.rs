//! What the pieces of a format print for one request.

use std::fmt::Display;
use std::io::Write as _;
use std::time::UNIX_EPOCH;

use http::HeaderValue;
use pilotage_engine::endpoint::EndpointAddress;
use pilotage_engine::header_format::{AddressPart, protocol};
use pilotage_engine::tls::{TlsOperator, TlsSession, TlsSide};

use super::piece::{GrpcForm, Piece, Place, Source};
use super::{Format, Record, RenderTime};

impl Format {
    /// Appends the value of `piece`; false when it has none.
    pub(super) fn value(
        &self,
        piece: &Piece,
        record: &Record,
        time: RenderTime,
        out: &mut Vec<u8>,
    ) -> bool {
        let captured = &record.captured;
        match piece {
            Piece::Literal(literal) => text(Some(literal), out),
            Piece::Cut(piece, length) => {
                let start = out.len();
                let present = self.value(piece, record, time, out);
                out.truncate(start.saturating_add(*length).min(out.len()));
                present
            }
            Piece::StartTime(format) => {
                let since = time.0.duration_since(UNIX_EPOCH).unwrap_or_default();
                display(Some(format.at(since.saturating_sub(record.duration))), out)
            }
            Piece::Request(main, other) => {
                request(*main, record, out)
                    || other.is_some_and(|other| request(other, record, out))
            }
            Piece::Response(main, other) => {
                header(&captured.response, *main, out)
                    || other.is_some_and(|other| header(&captured.response, other, out))
            }
            Piece::Protocol => text(record.protocol.map(protocol), out),
            Piece::UpstreamProtocol => text(record.upstream_protocol.map(protocol), out),
            Piece::Status => display(Some(record.status), out),
            Piece::GrpcStatus(form) => {
                record.grpc_status.is_some_and(|status| grpc_status(*form, status, out))
            }
            Piece::Flags => !record.flags.is_empty() && display(Some(record.flags), out),
            Piece::Details => text(Some(&record.details), out),
            Piece::Termination => text(record.termination, out),
            Piece::TransportFailure => {
                // One word, as Envoy prints it.
                let reason = record.transport_failure.as_deref().map(|text| text.replace(' ', "_"));
                text(reason.as_deref(), out)
            }
            Piece::BytesReceived => display(Some(record.bytes_received), out),
            Piece::BytesSent => display(Some(record.bytes_sent), out),
            Piece::Duration => display(Some(record.duration.as_millis()), out),
            Piece::Address(place, part) => address(*place, *part, record, out),
            Piece::UpstreamCluster => text(record.upstream_cluster.as_deref(), out),
            Piece::ServerName => text(record.server_name.as_deref(), out),
            Piece::Tls(TlsSide::Downstream, operator) => tls(operator, record.tls.as_deref(), out),
            Piece::Tls(TlsSide::Upstream, operator) => {
                tls(operator, record.upstream_tls.as_deref(), out)
            }
            Piece::RouteName => text(record.route_name.as_deref(), out),
            Piece::Origin => text(record.origin.as_deref(), out),
            Piece::Attempts => display(Some(record.attempts), out),
            Piece::Hostname => text(Some(&self.hostname), out),
            Piece::Nothing => false,
        }
    }
}

fn request(source: Source, record: &Record, out: &mut Vec<u8>) -> bool {
    let captured = &record.captured;
    match source {
        Source::Method if record.protocol.is_none() => false,
        Source::Method => bytes(Some(captured.method.as_str().as_bytes()), out),
        Source::Path => bytes(captured.path.as_ref().map(|path| path.as_str().as_bytes()), out),
        Source::Authority => bytes(captured.authority.as_ref().map(HeaderValue::as_bytes), out),
        Source::Header(index) => header(&captured.request, index, out),
    }
}

fn header(values: &[Option<HeaderValue>], index: usize, out: &mut Vec<u8>) -> bool {
    bytes(values.get(index).and_then(Option::as_ref).map(HeaderValue::as_bytes), out)
}

fn bytes(value: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    match value {
        Some(value) if !value.is_empty() => {
            out.extend_from_slice(value);
            true
        }
        _ => false,
    }
}

fn text(value: Option<&str>, out: &mut Vec<u8>) -> bool {
    bytes(value.map(str::as_bytes), out)
}

fn display<T: Display>(value: Option<T>, out: &mut Vec<u8>) -> bool {
    value.is_some_and(|value| write!(out, "{value}").is_ok())
}

fn address(place: Place, part: AddressPart, record: &Record, out: &mut Vec<u8>) -> bool {
    let of = match place {
        // May be a name or a path, which have no parts.
        Place::UpstreamRemote if part == AddressPart::Both => {
            return display(record.upstream_host.as_ref(), out);
        }
        Place::UpstreamRemote => record.upstream_host.as_ref().and_then(EndpointAddress::socket),
        Place::UpstreamLocal => record.upstream_local,
        Place::DownstreamLocal => Some(record.downstream_local),
        Place::DownstreamRemote => Some(record.downstream_remote),
    };
    if let Some(of) = of {
        part.write(of, out);
    }
    of.is_some()
}

fn tls(operator: &TlsOperator, session: Option<&TlsSession>, out: &mut Vec<u8>) -> bool {
    text(session.map(|session| operator.text(session)).as_deref(), out)
}

fn grpc_status(form: GrpcForm, status: i32, out: &mut Vec<u8>) -> bool {
    const NAMES: [&str; 17] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    let name = usize::try_from(status).ok().and_then(|status| NAMES.get(status));
    match (form, name) {
        (GrpcForm::Number, _) | (_, None) => display(Some(status), out),
        (GrpcForm::Camel, Some(name)) => text(Some(name), out),
        (GrpcForm::Snake, Some(name)) => {
            let mut previous = b'_';
            for byte in name.bytes() {
                if byte.is_ascii_uppercase() && previous.is_ascii_lowercase() {
                    out.push(b'_');
                }
                out.push(byte.to_ascii_uppercase());
                previous = byte;
            }
            true
        }
    }
}
