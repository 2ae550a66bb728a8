//! Port numbers and protocol names.

use super::checker::Checker;
use crate::field_path::FieldPath;

/// Protocol names that Istio knows, in the spelling of its documents.
const PROTOCOLS: [&str; 12] = [
    "HTTP",
    "HTTP2",
    "HTTPS",
    "GRPC",
    "GRPC-WEB",
    "TCP",
    "TLS",
    "UDP",
    "MONGO",
    "REDIS",
    "MYSQL",
    "HTTP_PROXY",
];

/// 1 to 65535.
pub(super) fn number(port: u32, at: &FieldPath, checker: &mut Checker<'_>) -> bool {
    let fine = (1..=65_535).contains(&port);
    if !fine {
        checker.error(at, format!("{port} is not a port number (1 to 65535)"), "not a port");
    }
    fine
}

/// 1 to 65535, where 0 means that the field was left out.
pub(super) fn optional_number(port: u32, at: &FieldPath, checker: &mut Checker<'_>) {
    if port != 0 {
        number(port, at, checker);
    }
}

/// Whether Istio knows a protocol of this name, in any letter case.
pub(super) fn is_protocol(name: &str) -> bool {
    PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a protocol carries HTTP in the clear.
pub(super) fn is_plain_http(name: &str) -> bool {
    ["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTP_PROXY"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether connections begin with TLS.
pub(super) fn is_tls(name: &str) -> bool {
    ["HTTPS", "TLS"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether nothing about the bytes is known.
pub(super) fn is_opaque(name: &str) -> bool {
    name.is_empty() || name.eq_ignore_ascii_case("TCP")
}
