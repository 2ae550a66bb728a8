//! What a certificate says of whom it is for, in the words that logs and `x-forwarded-client-cert` use.

use std::fmt::Write as _;
use std::net::IpAddr;

use pilotage_engine::tls::NameKind;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The subject alternative names, in their order.
pub(super) fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<(NameKind, String)> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((NameKind::Dns, (*name).to_owned())),
        GeneralName::URI(uri) => Some((NameKind::Uri, (*uri).to_owned())),
        GeneralName::RFC822Name(mail) => Some((NameKind::Email, (*mail).to_owned())),
        GeneralName::IPAddress(bytes) => Some((NameKind::Ip, address(bytes)?.to_string())),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(bytes.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

/// A name as RFC 2253 writes it: the last part first.
pub(super) fn rfc2253(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for part in parts.into_iter().rev() {
        if !text.is_empty() {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            write_attribute(&mut text, attribute);
        }
    }
    text
}

fn write_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let oid = attribute.attr_type().to_id_string();
    match short_name(&oid) {
        Some(name) => text.push_str(name),
        None => text.push_str(&oid),
    }
    text.push('=');
    let Ok(value) = attribute.as_str() else {
        text.push('#');
        for byte in attribute.as_slice() {
            // Writing to a string cannot fail.
            write!(text, "{byte:02X}").ok();
        }
        return;
    };
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.bytes().enumerate() {
        let special = matches!(byte, b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';')
            || (byte == b' ' && (index == 0 || index == last))
            || (byte == b'#' && index == 0);
        if byte.is_ascii_graphic() || byte == b' ' {
            if special {
                text.push('\\');
            }
            text.push(char::from(byte));
        } else {
            write!(text, "\\{byte:02X}").ok();
        }
    }
}

/// The names that OpenSSL has for the usual attributes.
fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.42" => "GN",
        "2.5.4.46" => "dnQualifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}
