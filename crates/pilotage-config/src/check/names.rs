//! What counts as a name: DNS labels, host names, labels, header names.
//!
//! Each predicate answers with the reason when the answer is no, worded to follow the value: `"a_b" has the label …`.

/// Longest DNS label, in bytes (RFC 1123).
const LABEL_BYTES_MAX: usize = 63;
/// Longest host name, in bytes.
const HOST_BYTES_MAX: usize = 255;

/// Why a text is not a name of the wanted form.
pub(super) type Reason = String;

/// Whether `text` is a DNS label: letters, digits and inner dashes. Upper case is allowed, as on Istio.
pub(super) fn is_dns_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LABEL_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A fully qualified or single-label host name without wildcard; one trailing dot is allowed.
pub(super) fn host_name(text: &str) -> Result<(), Reason> {
    labels(text, None)
}

/// A host name whose first label may be `*`, `*-suffix` or `*suffix`.
pub(super) fn wildcard_host(text: &str) -> Result<(), Reason> {
    let (first, rest) = match text.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    };
    let Some(after_star) = first.strip_prefix('*') else {
        return host_name(text);
    };
    let suffix = after_star.strip_prefix('-').unwrap_or(after_star);
    if !suffix.is_empty() && !is_dns_label(suffix) {
        return Err(format!("label `{first}` may hold letters, digits and dashes after its `*`"));
    }
    match rest {
        None => Ok(()),
        Some(rest) => labels(rest, Some(text.len())),
    }
}

fn labels(text: &str, whole_len: Option<usize>) -> Result<(), Reason> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if whole_len.unwrap_or(text.len()) > HOST_BYTES_MAX {
        return Err(format!("it is longer than {HOST_BYTES_MAX} characters"));
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    for label in text.split('.') {
        if !is_dns_label(label) {
            return Err(format!(
                "label `{label}` is not made of 1 to {LABEL_BYTES_MAX} letters, digits and inner dashes"
            ));
        }
    }
    let last = text.rsplit('.').next().unwrap_or(text);
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("the last label `{last}` cannot be all digits"));
    }
    Ok(())
}

/// Whether `text` is an IPv4 or IPv6 address.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// An address block or a single address.
pub(super) fn subnet(text: &str) -> Result<(), Reason> {
    let ok = if text.contains('/') { is_cidr(text) } else { is_ip(text) };
    if ok { Ok(()) } else { Err("it is neither an IP address nor a CIDR block".to_owned()) }
}

/// Whether `text` is `address/prefix-length`.
pub(super) fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    length.bytes().all(|b| b.is_ascii_digit()) && length.parse::<u8>().is_ok_and(|l| l <= longest)
}

/// A label key: `[prefix/]name`.
pub(super) fn label_key(text: &str) -> Result<(), Reason> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if let Some(prefix) = prefix {
        let fine = prefix.len() <= 253 && prefix.split('.').all(is_dns_label);
        if !fine {
            return Err(format!("its prefix `{prefix}` is not a DNS name"));
        }
    }
    if name.is_empty() || name.len() > LABEL_BYTES_MAX || !is_qualified(name) {
        return Err("a label name has 1 to 63 letters, digits, `-`, `_` and `.`, and begins and ends with a \
                    letter or digit"
            .to_owned());
    }
    Ok(())
}

/// A label value: empty, or letters, digits, `-`, `_`, `.` between letters or digits.
pub(super) fn label_value(text: &str) -> Result<(), Reason> {
    if text.is_empty() || is_qualified(text) {
        return Ok(());
    }
    Err("a label value has letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit"
        .to_owned())
}

fn is_qualified(text: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && edge(text.bytes().next())
        && edge(text.bytes().last())
}

/// Whether `text` is an HTTP token (RFC 9110): what a header name is made of.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The HTTP/2 pseudo headers that a match may name.
pub(super) fn is_pseudo_header(text: &str) -> bool {
    matches!(text, ":method" | ":scheme" | ":authority" | ":path" | ":status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in ["reviews", "a.b", "a.b.", "Api.Example.com", "1.a", "xn--a.com"] {
            assert!(host_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a_b.com", "a..b", "123", "1.2.3", "-a.com", "a:80", "*.a.com", "*"] {
            assert!(host_name(bad).is_err(), "{bad}");
        }
        for good in ["*", "*.a.com", "*-x.a.com", "*x.a.com", "a.com"] {
            assert!(wildcard_host(good).is_ok(), "{good}");
        }
        for bad in ["a.*.com", "*.*.com", "**.com", "*.", "*.123"] {
            assert!(wildcard_host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn subnets() {
        for good in ["10.0.0.0/8", "10.0.0.1", "::1", "2001:db8::/32"] {
            assert!(subnet(good).is_ok(), "{good}");
        }
        for bad in ["10.0.0.0/33", "10.0.0", "a/8", "10.0.0.0/+8", ""] {
            assert!(subnet(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_of_objects() {
        assert!(label_key("app.kubernetes.io/name").is_ok());
        assert!(label_key("ver sion").is_err());
        assert!(label_key("").is_err());
        assert!(label_value("").is_ok());
        assert!(label_value("*").is_err());
    }
}
