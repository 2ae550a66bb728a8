//! Which names of a certificate are accepted.

use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::SubjectAltNameMatcher;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::subject_alt_name_matcher::SanType;
use pilotage_proto::envoy::r#type::matcher::v3::StringMatcher;

use crate::rejection::FieldError;
use crate::string_match::StringMatch;

/// What kind of name a subject alternative name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameKind {
    /// A host name, perhaps with a wildcard label.
    Dns,
    /// A URI, for example a SPIFFE id.
    Uri,
    /// A mail address.
    Email,
    /// An address, as text.
    Ip,
}

/// One condition, of which a certificate needs to satisfy any.
#[derive(Clone, Debug)]
pub struct NameMatcher {
    /// The kind of name that it is about; `None`: any.
    kind: Option<NameKind>,
    matcher: StringMatch,
}

impl NameMatcher {
    /// What the name has to be like.
    pub fn matcher(&self) -> &StringMatch {
        &self.matcher
    }

    pub(crate) fn any_kind(proto: &StringMatcher) -> Result<Self, FieldError> {
        Ok(Self { kind: None, matcher: StringMatch::compile(proto)? })
    }

    pub(crate) fn typed(proto: &SubjectAltNameMatcher) -> Result<Self, FieldError> {
        let kind = match proto.san_type() {
            SanType::Dns => NameKind::Dns,
            SanType::Uri => NameKind::Uri,
            SanType::Email => NameKind::Email,
            SanType::IpAddress => NameKind::Ip,
            SanType::OtherName => {
                return Err(FieldError::new("san_type", "OTHER_NAME is not supported"));
            }
            SanType::Unspecified => return Err(FieldError::new("san_type", "is required")),
        };
        let matcher = proto.matcher.as_ref();
        let matcher = matcher.ok_or_else(|| FieldError::new("matcher", "is required"))?;
        let matcher = StringMatch::compile(matcher).map_err(|e| e.within("matcher"))?;
        Ok(Self { kind: Some(kind), matcher })
    }

    /// The name that has to be there exactly, if that is what is asked for.
    pub fn exact(&self) -> Option<&str> {
        self.matcher.as_exact()
    }

    /// Whether the name `value` of a certificate is accepted. A wildcard in the certificate covers one label.
    pub fn matches(&self, kind: NameKind, value: &str) -> bool {
        if self.kind.is_some_and(|wanted| wanted != kind) {
            return false;
        }
        match self.matcher.as_exact() {
            Some(wanted) if kind == NameKind::Dns => dns_name_matches(wanted, value),
            _ => self.matcher.matches(value.as_bytes()),
        }
    }
}

/// Whether a certificate for `pattern` is one for `host`. A wildcard stands for (a part of) the first label only.
pub fn dns_name_matches(host: &str, pattern: &str) -> bool {
    if host.eq_ignore_ascii_case(pattern) {
        return true;
    }
    let (Some((label, domain)), Some((first, rest))) =
        (host.split_once('.'), pattern.split_once('.'))
    else {
        return false;
    };
    let Some((before, after)) = first.split_once('*') else { return false };
    if after.contains('*') || rest.contains('*') || starts_with(first, "xn--") {
        return false;
    }
    domain.eq_ignore_ascii_case(rest)
        && label.len() >= before.len() + after.len()
        && starts_with(label, before)
        && ends_with(label, after)
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn ends_with(text: &str, suffix: &str) -> bool {
    let start = text.len().checked_sub(suffix.len());
    start.and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

#[cfg(test)]
mod tests {
    use super::{NameKind, NameMatcher, dns_name_matches};
    use crate::string_match::StringMatch;

    #[test]
    fn a_wildcard_covers_one_label() {
        for (host, pattern, fits) in [
            ("a.example.com", "a.example.com", true),
            ("A.example.com", "a.EXAMPLE.com", true),
            ("a.example.com", "*.example.com", true),
            ("a.b.example.com", "*.example.com", false),
            ("example.com", "*.example.com", false),
            ("ab.example.com", "a*.example.com", true),
            ("abc.example.com", "a*c.example.com", true),
            ("a.example.com", "aa*.example.com", false),
            ("a.example.com", "*.*.com", false),
            ("xn--a.example.com", "xn--*.example.com", false),
            ("localhost", "*", false),
        ] {
            assert_eq!(dns_name_matches(host, pattern), fits, "{host} {pattern}");
        }
    }

    #[test]
    fn an_exact_name_is_one_of_any_kind_unless_a_kind_is_asked_for() {
        let any = NameMatcher { kind: None, matcher: StringMatch::exact("a.example.com") };
        assert!(any.matches(NameKind::Dns, "*.example.com"));
        assert!(!any.matches(NameKind::Uri, "*.example.com"));
        assert!(any.matches(NameKind::Uri, "a.example.com"));
        let uri = NameMatcher { kind: Some(NameKind::Uri), ..any };
        assert!(!uri.matches(NameKind::Dns, "a.example.com"));
    }
}
