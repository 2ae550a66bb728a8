//! What the pieces of a format print for one request.

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use pilotage_engine::endpoint::EndpointAddress;
use pilotage_engine::header_format::protocol;
use pilotage_engine::tls::{TlsOperator, TlsSession};

use super::piece::{AddressPart, GrpcForm, Piece, Place, Source};
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
        let began = || time.0.checked_sub(record.duration).unwrap_or(time.0);
        match piece {
            Piece::Literal(literal) => text(Some(literal), out),
            Piece::Cut(piece, length) => {
                let start = out.len();
                let present = self.value(piece, record, time, out);
                out.truncate(start.saturating_add(*length).min(out.len()));
                present
            }
            Piece::StartTime => {
                write_time(began(), out);
                true
            }
            Piece::StartTimeAs(format) => {
                let since = began().duration_since(UNIX_EPOCH).unwrap_or_default();
                text(Some(&format.write(since)), out)
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
            Piece::ClientTls(operator) => tls(operator, record.tls.as_deref(), out),
            Piece::UpstreamTls(operator) => tls(operator, record.upstream_tls.as_deref(), out),
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
    match part {
        AddressPart::Both => display(of, out),
        AddressPart::Ip => display(of.map(|address| address.ip()), out),
        AddressPart::Port => display(of.map(|address| address.port()), out),
    }
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

/// RFC 3339 in UTC with milliseconds, as Envoy prints `%START_TIME%`.
pub(super) fn write_time(time: SystemTime, out: &mut Vec<u8>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = since.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since.subsec_millis();
    let written =
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// Year, month and day of a day counted from 1970-01-01, by the Gregorian calendar: 400 years are 146,097 days, and
/// a year that begins in March has its leap day last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // From 0000-03-01.
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}
